"""`hindcast …` and `python -m hindcast …`: run a command; what goes wrong is one line on stderr and an exit code.

Exit codes: 0 done; 1 failed; 2 wrong use or settings; 3 a server that does not answer now; 130 interrupted.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from collections.abc import Sequence

from producers.errors import ConfigError, HindcastError, TransientError

FAILED, WRONG_USE, TRY_LATER, INTERRUPTED = 1, 2, 3, 130
OURS = {"producers", "stream_processors", "evaluation", "hindcast"}
# a larger extra repeats the packages of those it builds on
SMALLEST_FIRST = ("processors", "gateway", "embedded", "demo", "dev")
# packages that are imported by another name than they are installed by
_INSTALLED_AS = {"yaml": "pyyaml", "sklearn": "scikit-learn", "faust": "faust-streaming"}


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code. Errors that nobody foresaw keep their traceback."""
    try:
        code = _command(arguments)
        sys.stdout.flush()
    except HindcastError as error:
        return _say(str(error), exit_code(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone; nothing may complain about it at interpreter exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not module or module in OURS:
            raise
        return _say(f"this needs the package {module}: pip install 'hindcast[{extra_of(module)}]'", WRONG_USE)
    return code


def exit_code(error: HindcastError) -> int:
    """The code that says what the caller should do."""
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
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0


def _say(text: str, code: int) -> int:
    print(f"hindcast: {text}", file=sys.stderr)  # noqa: T201 - this is the command line
    return code


if __name__ == "__main__":
    main()
