"""`hindcast contract …` run inside the test."""

from __future__ import annotations

from dataclasses import dataclass

from click.testing import CliRunner

from hindcast.__main__ import exit_code
from hindcast.cli.contracts import contract
from producers.errors import HindcastError


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    exit_code: int
    output: str


def run(*arguments: object, **environment: str) -> Ended:
    """Run the command; an error of ours ends it as the front door has it."""
    done = CliRunner().invoke(contract, [str(one) for one in arguments], env=environment)
    if isinstance(done.exception, HindcastError):
        return Ended(exit_code(done.exception), done.output + str(done.exception))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(done.exit_code, done.output)
