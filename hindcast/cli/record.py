"""`hindcast topics`, `migrate`, `resume` and `dead-letters`: what the record stands on, and what it could not take."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hindcast.cli.servers import CLICKHOUSE, KAFKA, variables
from producers.settings import KafkaSettings
from producers.topics import topics as every_topic
from stream_processors import migrations
from stream_processors.clickhouse import Store
from stream_processors.kafka import TopicList, create_topics, partition_counts
from stream_processors.recorder.dead_letters import REASONS, DeadLetter
from stream_processors.recorder.pauses import Pause, let_go_on, paused_partitions
from stream_processors.recorder.replay import Choice, chosen, replay
from stream_processors.settings import ClickHouseSettings


def _kafka(naming: tuple[str, ...] = KAFKA) -> KafkaSettings:
    return KafkaSettings.from_environment(variables(os.environ, naming))


# as Kafka numbers them
_LAST_OFFSET, _LAST_PARTITION = 2**63 - 1, 2**31 - 1


@contextmanager
def _store(naming: tuple[str, ...] = CLICKHOUSE) -> Iterator[Store]:
    store = Store(ClickHouseSettings.from_environment(variables(os.environ, naming)))
    try:
        yield store
    finally:
        store.close()


@click.command()
@click.option("--partitions", type=click.IntRange(1, 1000), help="For topics created now; 4 unless said.")
@click.option(
    "--replication",
    type=click.IntRange(1, 10),
    help="Copies of each partition; the broker's default unless said.",
)
def topics(partitions: int | None, replication: int | None) -> None:
    """Create the Kafka topics that are missing. Those that are there stay as they are."""
    settings = _kafka()
    created = create_topics(
        settings, every_topic().values(), partitions=partitions, replication=replication or -1
    )
    for name in created:
        click.echo(f"created {name}")
    if not created:
        click.echo("every topic is there")
    if single := TopicList(settings).single_copies():
        click.echo(
            f"hindcast: {len(single)} topics have one copy, such as {single[0]}: what a lost broker holds of them is lost too, and they stand still without it; "
            "say --replication 3 before they are created",
            err=True,
        )


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the statements that would run, and run none.")
def migrate(*, dry_run: bool) -> None:
    """Bring the ClickHouse tables, views and functions up to date."""
    with _store() as store:
        if dry_run:
            click.echo(";\n\n".join(migrations.planned(store)) + ";")
            return
        applied = migrations.migrate(store, said=click.echo)
    click.echo(f"{applied} migrations applied" if applied else "up to date; views and functions made anew")


class _Partition(click.ParamType):
    """TOPIC:PARTITION, such as ``predictions:2``."""

    name = "TOPIC:PARTITION"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        topic, _, partition = str(value).rpartition(":")
        if topic not in every_topic() or not partition.isdecimal():
            self.fail(f"{value!r} is no partition: say a topic and a number, like predictions:2", param, ctx)
        return topic, int(partition)


@click.command()
@click.argument("partitions", nargs=-1, type=_Partition())
@click.option("--all", "everything", is_flag=True, help="Every partition that waits.")
def resume(partitions: tuple[tuple[str, int], ...], *, everything: bool) -> None:
    """Let partitions go on that paused at too many dead letters; without any named, list those that wait.

    What comes next is recorded or becomes a dead letter, and is counted anew.
    """
    settings = _kafka()
    waiting = paused_partitions(settings)
    if not partitions and not everything:
        _list_waiting(waiting)
        return
    chosen_ones = [one for one in waiting if everything or (one.topic, one.partition) in partitions]
    missing = set(partitions) - {(one.topic, one.partition) for one in chosen_ones}
    if missing:
        topic, partition = min(missing)
        raise click.ClickException(f"{topic}:{partition} does not wait")
    let_go_on(settings, chosen_ones)
    for one in chosen_ones:
        click.echo(f"{one.topic}:{one.partition} goes on at offset {one.offset}")
    if not chosen_ones:
        click.echo("no partition waits")


def _list_waiting(waiting: list[Pause]) -> None:
    for one in waiting:
        click.echo(f"{one.topic}:{one.partition} waits at offset {one.offset}: {one.why}")
    if not waiting:
        click.echo("no partition waits")


def _known(names: Collection[str]) -> Callable[[click.Context, click.Parameter, str], str]:
    """One of these names, or none: a mistyped one would find nothing, which reads as if nothing were there."""

    def examine(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
        if value and value not in names:
            raise click.BadParameter(f"{value!r} is none of {', '.join(names)}")
        return value

    return examine


def _choosing(command: Any) -> Any:
    for option in (
        click.option(
            "--limit",
            type=click.IntRange(1, 1_000_000),
            default=100,
            show_default=True,
            help="The oldest so many.",
        ),
        click.option("--offset", type=click.IntRange(0, _LAST_OFFSET), help="Where the original stands."),
        click.option(
            "--partition", type=click.IntRange(0, _LAST_PARTITION), help="Where the original stands."
        ),
        click.option("--model", default="", help="Only of this model."),
        click.option(
            "--reason",
            default="",
            callback=_known(REASONS),
            help="Only of this reason, such as undecodable, contract or refused.",
        ),
        click.option(
            "--topic",
            default="",
            callback=_known(every_topic()),
            help="Only from this topic, such as predictions.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def dead_letters() -> None:
    """Look at messages that could not be recorded, and send chosen ones back."""


@dead_letters.command("list")
@_choosing
@click.option("--replayed", is_flag=True, help="Those sent back already as well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_dead_letters(*, as_json: bool, **choice: Any) -> None:
    """Show dead letters, oldest first: where they came from and what was wrong; never their content."""
    with _store() as store:
        letters = chosen(store, Choice(**choice))
    if as_json:
        for letter in letters:
            click.echo(json.dumps({**asdict(letter.facts), "bytes": len(letter.value or b"")}))
        return
    if not letters:
        click.echo("no dead letters")
        return
    table = Table()
    # a terminal that is too narrow wraps what is told, and cuts none of it off: `replay` takes the place and the reason
    for heading in ("where", "appended at (UTC)", "reason", "detail", "model", "bytes"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"where", "reason"})
    for letter in letters:
        # names and details are text of others, not markup
        table.add_row(*map(Text, _row(letter)))
    Console().print(table)


def _row(letter: DeadLetter) -> tuple[str, ...]:
    facts = letter.facts
    at = datetime.fromtimestamp(facts.appended_at / 1e6, UTC)
    where = f"{facts.topic}:{facts.partition}:{facts.offset}"
    size = str(len(letter.value)) if letter.value is not None else "-"
    return where, f"{at:%Y-%m-%d %H:%M:%S}", facts.reason, facts.detail, facts.model, size


@dead_letters.command("replay")
@_choosing
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay_dead_letters(*, yes: bool, **choice: Any) -> None:
    """Send dead letters back to their topic with key, value and headers as they were, and mark them as replayed."""
    # one installation's letters must not go to another's topics
    settings = _kafka((*KAFKA, *CLICKHOUSE))
    with _store((*KAFKA, *CLICKHOUSE)) as store:
        letters = chosen(store, Choice(**choice))
    if letters:
        # whether Kafka answers is known before anybody is asked
        partition_counts(settings)
    if letters and not yes:
        click.confirm(f"send {len(letters)} messages back?", abort=True)
    sent = replay(settings, letters)
    click.echo(f"{sent} sent back" if sent else "nothing to send back")
