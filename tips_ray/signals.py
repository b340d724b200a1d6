"""Signals that ask a program to end: all of them do what Ctrl-C does."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What Slurm, Kubernetes and systemd send to end a program, and what a closed terminal sends."""
CHANGED = [signal.SIGINT, *STOPS, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])]
"""Signals whose handlers Ray and Ray Tune replace, and do not put back."""


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Put the handlers of signals back at the end of a block, whatever a library has made of
    them."""
    if threading.current_thread() is not threading.main_thread():  # which alone may change them
        yield
        return
    before = {number: signal.getsignal(number) for number in CHANGED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def stop_as_ctrl_c() -> None:
    """From now on SIGTERM and SIGHUP do what Ctrl-C does at that moment; SIGHUP is still ignored
    under nohup."""
    if threading.current_thread() is threading.main_thread():
        for number in STOPS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _as_ctrl_c)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # ignored, as in programs that a shell starts in the background
        handler = signal.default_int_handler
    handler(signal.SIGINT, frame)
