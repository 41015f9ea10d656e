"""Ending a start from outside: `hindcast down` asks for it, the process that starts the stack hears it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hindcast.local.directories import explain
from hindcast.local.layout import Layout
from producers.errors import ConfigError, HindcastError


@contextmanager
def asking_to_end(layout: Layout) -> Iterator[None]:
    """Ask whoever starts the stack to end, for as long as the context.

    Raises:
        ConfigError: the directory cannot be written.
    """
    try:
        layout.end_request.touch(mode=0o600)
    except OSError as problem:
        raise ConfigError(explain(layout.directory, problem)) from None
    try:
        yield
    finally:
        with suppress(OSError):
            layout.end_request.unlink(missing_ok=True)


def forget_request(layout: Layout) -> None:
    """Take away what was asked of an earlier start, by somebody who did not live to take it away.

    Raises:
        ConfigError: the directory cannot be written.
    """
    try:
        layout.end_request.unlink(missing_ok=True)
    except OSError as problem:
        raise ConfigError(explain(layout.directory, problem)) from None


def refuse_if_asked_to_end(layout: Layout) -> None:
    """Return when nobody has asked.

    Raises:
        HindcastError: somebody has.
    """
    if layout.end_request.exists():
        raise HindcastError(
            f"the start in {layout.directory} was ended from elsewhere; nothing is left running"
        )
