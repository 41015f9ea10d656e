"""`hindcast …` and `python -m hindcast …`: run a command; what goes wrong is one line on stderr and an exit code.

Exit codes: 0 done; 1 failed; 2 wrong use or settings; 3 a server that does not answer now; 4 an export that is damaged;
130 interrupted.
"""

from __future__ import annotations

import errno
import importlib.metadata
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hindcast.move.damage import DamagedExport
from hindcast.one_line import one_line
from producers.errors import ConfigError, HindcastError, TransientError

if TYPE_CHECKING:
    import click

FAILED, WRONG_USE, TRY_LATER, DAMAGED, INTERRUPTED = 1, 2, 3, 4, 130
OURS = {"producers", "stream_processors", "evaluation", "hindcast"}
# a larger extra repeats the packages of those it builds on
SMALLEST_FIRST = ("processors", "plot", "gateway", "embedded", "demo", "dev")
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
# what a disk, a limit or a server of files says of a write, which names no file
_UNWRITABLE = _DISK_FULL | {errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE}
# packages that are imported by another name than they are installed by
_INSTALLED_AS = {"yaml": "pyyaml", "sklearn": "scikit-learn", "faust": "faust-streaming"}


def main() -> None:
    """The console script."""
    _prepare_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code. Errors that nobody foresaw keep their traceback."""
    try:
        _refuse_undecodable(arguments)
        code = _command(arguments)
        sys.stdout.flush()
    except HindcastError as error:
        return _say(str(error), exit_code(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone
        _end_output()
        return FAILED
    except OSError as error:
        if error.filename is None and error.errno not in _UNWRITABLE:
            raise
        _end_output()
        return _say(_of_files(error), FAILED)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not module or module in OURS:
            raise
        return _say(f"this needs the package {module}: pip install 'hindcast[{extra_of(module)}]'", WRONG_USE)
    return code


def exit_code(error: HindcastError) -> int:
    """The code that says what the caller should do."""
    if isinstance(error, DamagedExport):
        return DAMAGED
    if isinstance(error, ConfigError):
        return WRONG_USE
    return TRY_LATER if isinstance(error, TransientError) else FAILED


def extra_of(module: str) -> str:
    """The smallest extra of ours that brings an importable module; the command line's own where none does."""
    wanted = _INSTALLED_AS.get(module, module.replace("_", "-"))
    try:
        requirements = importlib.metadata.requires("hindcast") or []
    except importlib.metadata.PackageNotFoundError:
        requirements = []
    found = set()
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"extra == ['\"]([^'\"]+)", requirement)
        if name and extra and name[0].lower().replace("_", "-") == wanted:
            found.add(extra[1])
    return next((extra for extra in SMALLEST_FIRST if extra in found), SMALLEST_FIRST[0])


def _command(arguments: Sequence[str]) -> int:
    import click  # of an extra: without it there is one clear line instead of a traceback

    from hindcast.cli import hindcast  # loads click

    try:
        code = hindcast.main(list(arguments), prog_name="hindcast", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            error.show()
            return error.exit_code
        return _say(_advice(error), error.exit_code)
    return code if isinstance(code, int) else 0


def _of_files(error: OSError) -> str:
    """What is wrong with a file, or with a write that does not say where to."""
    if error.errno in _DISK_FULL:
        return f"disk full: {error.filename or 'the output'} cannot be written"
    what = "cannot write the output" if error.filename is None else f"cannot use {error.filename}"
    return f"{what}: {os.strerror(error.errno) if error.errno else error}"


def _advice(error: click.ClickException) -> str:
    """What is wrong with a command line, and where its right use is told."""
    context = getattr(error, "ctx", None)
    told = error.format_message().rstrip(".")
    return f"{told}: see `{context.command_path} --help`" if context else told


def _refuse_undecodable(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"the argument {ascii(argument)[:80]} is not UTF-8 text") from None


def _prepare_streams() -> None:
    """A closed stream becomes an empty one, and a terminal that lacks a letter gets its number instead."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - lives as long as we do
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _end_output() -> None:
    """Write what waits to be written; where that fails, let nothing complain of it at interpreter exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str, code: int) -> int:
    print(f"hindcast: {one_line(' '.join(text.split()))}", file=sys.stderr)  # noqa: T201 - this is the command line
    return code


if __name__ == "__main__":
    main()
