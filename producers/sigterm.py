"""SIGTERM, which ends a Python process without its exit handlers: loggers are closed before, where nobody else handles it."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import threading

from producers.channel import close_all

_told = 0


def close_on_sigterm() -> None:
    """Close all loggers of this process at SIGTERM, and end by it as before; the service goes on until then.

    Nothing is changed where a handler is set, by Python or anybody (a server's own leads to its exit, which closes loggers),
    or where this is not the main thread, which alone may set one. A handler that the service sets later counts.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _close_and_end)
        # before any event: exit handlers are called last first, and loggers are closed by one
        atexit.unregister(_end_as_told)
        atexit.register(_end_as_told)


def _close_and_end(number: int, _frame: object) -> None:
    global _told
    _told = number
    signal.signal(number, signal.SIG_DFL)  # a second one ends at once
    # not here: what this thread was doing may hold a lock that the sender needs, or be starting a thread under threading's own
    _thread.start_new_thread(_closed_and_ended, (number,))


def _closed_and_ended(number: int) -> None:
    try:
        close_all()
    finally:
        os.kill(os.getpid(), number)


def _end_as_told() -> None:
    """The main thread came to its end meanwhile: by the signal all the same."""
    if _told:
        os.kill(os.getpid(), _told)
