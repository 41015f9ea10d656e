"""Ctrl-C, SIGTERM and a closed terminal end a command, also where the exception that says so is lost on its way."""

from __future__ import annotations

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether somebody has asked this process to end.

    A signal raises ``KeyboardInterrupt`` wherever the main thread happens to be. Where that is a callback of a library written in C, or an
    object's finalizer, Python can only print it and go on; so long work asks now and then.
    """

    def __init__(self) -> None:
        self._asked = False

    def raise_on_signals(self) -> None:
        """From now on the three signals end the command; a signal that was ignored when the process began stays so."""
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._end)

    def ignore_signals(self) -> None:
        """From now on none of them does anything: what is being ended must not be left half done."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def check(self) -> None:
        """Return when nobody has asked.

        Raises:
            KeyboardInterrupt: somebody has, and it has not ended the work.
        """
        if self._asked:
            raise KeyboardInterrupt

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        raise KeyboardInterrupt
