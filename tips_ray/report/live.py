"""The report of a campaign while its runs train: a page on this machine's own address, made anew
from the store whenever a run has stored more."""

import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tips_ray.errors import UserError, sentence
from tips_ray.report.base import PAGES, allow_script
from tips_ray.report.publish import page_of
from tips_ray.store.curves import CURVE, RUNS
from tips_ray.store.records import TRIALS
from tips_ray.store.storage import Storage

HOST = "127.0.0.1"
WRITTEN = ("report.html", "summary.json", "curves.parquet", "trials.parquet", "surface.parquet")
"""Files of a campaign's folder that are made of the others."""


class LivePage:
    """The newest report of a folder."""

    def __init__(self, folder: Storage) -> None:
        self.folder = folder
        self.stamp = ""
        """Of what the page was made of."""
        self.page = b""
        self.update()

    def update(self) -> bool:
        """Make the page anew if the store has changed; returns whether it has. Raises UserError
        where there is no campaign, or a file is damaged."""
        stamp = stamp_of(self.folder)
        if stamp == self.stamp:
            return False
        script = (PAGES / "live.js").read_text(encoding="utf-8").replace("STAMP", stamp)
        self.page = allow_script(page_of(self.folder), script).encode()
        self.stamp = stamp
        return True


def stamp_of(folder: Storage) -> str:
    """A text that changes whenever a run or a trial of the campaign in a folder has stored more."""
    files = [
        *(name for name in folder.names() if name not in WRITTEN),
        *(f"{RUNS}/{run}/{CURVE}" for run in folder.names(RUNS)),
        *(f"{TRIALS}/{name}" for name in folder.names(TRIALS)),
    ]
    return hashlib.sha256(repr(folder.versions(files)).encode()).hexdigest()[:16]


def open_server(live: LivePage, port: int) -> ThreadingHTTPServer:
    """A server of the page on this machine alone; raises UserError if the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = {"/": ("text/html; charset=utf-8", live.page), "/stamp": ("text/plain", live.stamp.encode())}
            kind, content = answers.get(self.path, ("text/plain", b"There is one page here, at /."))
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not printed."""

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise UserError(
            f"Port {port} of {HOST} cannot be used ({error.strerror}); give another with --port, or 0 for any."
        ) from error
    server.daemon_threads = True
    return server


def keep_up(live: LivePage, seconds: float, ended: threading.Event, tell: Callable[[str], None]) -> None:
    """Bring the page up to date every so many seconds until an event ends it; what the store cannot
    say at the moment is told, and tried again."""
    while not ended.wait(seconds):
        try:
            if live.update():
                tell("The page is up to date.")
        except (UserError, OSError) as error:
            tell(f"Not brought up to date: {sentence(error)}")
