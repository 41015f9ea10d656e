"""The command line. A subcommand's module is loaded when it is run, so that `hindcast --help` needs no more than click."""

from __future__ import annotations

import importlib
import importlib.metadata
import keyword

import click

# command: (module that has it under its own name, what the list of commands says)
COMMANDS = {
    "up": ("hindcast.cli.local", "Start Kafka, ClickHouse and the four processors on this machine."),
    "down": ("hindcast.cli.local", "Stop what `hindcast up` started; the data stay."),
    "status": ("hindcast.cli.local", "What runs, how far it is behind, and its last error."),
    "demo": ("hindcast.cli.demo", "Stream a year of flights through it all and write a report."),
    "load": ("hindcast.cli.load", "Load history from a file into the record."),
    "contract": ("hindcast.cli.contracts", "Infer, check and publish what a model promises."),
    "export": ("hindcast.cli.move", "Write the record, or a part of it, to Parquet files."),
    "import": ("hindcast.cli.move", "Read an export into the record."),
    "verify": ("hindcast.cli.move", "Check an export against its manifest, and the record against it."),
    "topics": ("hindcast.cli.record", "Create the Kafka topics that are missing."),
    "migrate": ("hindcast.cli.record", "Bring the ClickHouse tables, views and functions up to date."),
    "resume": ("hindcast.cli.record", "Let a partition go on that paused at too many dead letters."),
    "dead-letters": ("hindcast.cli.record", "Look at messages that could not be recorded."),
    "reconcile": ("hindcast.cli.reconcile", "Prove that stream and rows agree, and put right what does not."),
    "spool": ("hindcast.cli.spool", "Look at and deliver what services kept on disk while Kafka was away."),
    "gateway": (
        "hindcast.cli.gateway",
        "Take events of any language over HTTP, and keep the keys of who may send.",
    ),
    "query": ("hindcast.cli.ask", "Answer one of the named questions."),
    "sql": ("hindcast.cli.ask", "Run a statement of your own, reading only."),
    "analyst": ("hindcast.cli.analysts", "Make a ClickHouse user who only reads."),
}


class LazyGroup(click.Group):
    """A group whose commands are in a table and whose modules are loaded one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        # a command named like a word of Python's stands under it with an underscore
        name = cmd_name.replace("-", "_") + "_" * keyword.iskeyword(cmd_name)
        command = getattr(module, name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def version() -> str:
    """The installed version, or a word for a plain checkout."""
    try:
        return importlib.metadata.version("hindcast")
    except importlib.metadata.PackageNotFoundError:
        return "of a checkout that is not installed"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="hindcast", message="%(prog)s %(version)s")
def hindcast() -> None:
    """What a model said, what was true, how good it was, as known at any time."""
