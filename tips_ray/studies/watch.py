"""How far is a study, and what does it say so far? Its page, live on this machine.

    tips-ray watch reports/CAMPAIGN

On another machine: `ssh -L 8765:127.0.0.1:8765 HOST tips-ray watch STORAGE/NAME`, and open the
same address here.
"""

import sys
import threading
import time
from dataclasses import dataclass
from typing import Annotated

import tyro

from tips_ray.errors import UserError
from tips_ray.studies.options import AGAIN, run_command


@dataclass(frozen=True)
class WatchOptions:
    """Serve the report of a study or a search on 127.0.0.1 and bring it up to date while its runs
    train: from what they have stored, without Ray, and without writing to the campaign."""

    campaign: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORAGE/NAME")]
    """Folder of the campaign, as the study printed it."""
    port: int = 8765
    """Of the page's address; 0: any that is free."""
    every: float = 10.0
    """Seconds after which to look again for what runs have stored."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UserError(f"--port is {self.port}; give 0 to 65535.")
        if not 0.1 <= self.every <= 86_400:
            raise UserError(f"--every is {self.every:g}; give 0.1 to 86400 seconds.")


def watch(options: WatchOptions) -> None:
    """Serve the page until Ctrl-C."""
    from tips_ray.report.live import HOST, LivePage, keep_up, open_server
    from tips_ray.store.storage import Storage

    live, ended = LivePage(Storage(options.campaign)), threading.Event()
    with open_server(live, options.port) as server:
        print(f"Watching {live.folder}: http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends it)", flush=True)
        threads = [
            threading.Thread(target=keep_up, args=(live, options.every, ended, say), daemon=True),
            threading.Thread(target=server.serve_forever, daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
        finally:
            ended.set()
            server.shutdown()


def say(text: str) -> None:
    """Print a line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Watch with a command line (by default this process's); returns the exit code."""
    return run_command(WatchOptions, watch, __doc__, arguments, AGAIN)
