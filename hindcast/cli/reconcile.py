"""`hindcast reconcile`: proves that stream and rows agree, bin for bin, and puts right what resent events have counted twice."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from hindcast.cli.servers import CLICKHOUSE, KAFKA, variables
from producers.errors import ConfigError
from producers.registry import registry_of
from producers.settings import KafkaSettings
from stream_processors.clickhouse import Store
from stream_processors.migrations import last_migration
from stream_processors.monitor.outbox import Outbox
from stream_processors.reconciliation import (
    Finding,
    Reconciliation,
    Report,
    Scope,
    known,
    recorded_frontier,
    scopes,
)
from stream_processors.settings import ClickHouseSettings

_HOUR = 3_600_000_000
_SHOWN = 20


class _Moment(click.ParamType):
    """``2024-03-01`` or ``2024-03-01T12:30``, UTC unless it says an offset; microseconds since 1970."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: say one like 2024-03-01 or 2024-03-01T12:30", param, ctx)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1_000_000)


@click.command()
@click.option("--since", type=_Moment(), required=True, help="Windows that begin at or after this time, UTC.")
@click.option("--until", type=_Moment(), help="Windows that begin before this time; now unless said.")
@click.option("--model", default="", help="Only this model.")
@click.option(
    "--repair", is_flag=True, help="Send totals for the windows that differ and whose rows are whole."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: what differs, then the sum.")
def reconcile(*, since: int, until: int | None, model: str, repair: bool, as_json: bool) -> int:
    """Count every sketch again from the prediction rows and compare with what the views say.

    Windows of which messages are still on their way are left out, and counted. Ends with 1 if stream and rows differ where neither
    retention explains it nor --repair has sent what puts it right, and with 2 where the record knows no such model.
    """
    now = time.time_ns() // 1_000
    end = now if until is None else until
    if since >= end:
        raise ConfigError("the range is empty: --since must be before --until, which is now unless said")
    environment = variables(os.environ, (*KAFKA, *CLICKHOUSE))
    kafka = KafkaSettings.from_environment(environment)
    store = Store(ClickHouseSettings.from_environment(environment))
    try:
        last_migration(store)  # says so where there is no record
        found = scopes(store, since, end, model)
        if model and not found and not known(store, model):
            raise ConfigError(f"the record knows no model {model!r}")
        with _bar(quiet=as_json) as bar:
            report = _run(kafka, store, found, now, repair, bar)
    finally:
        store.close()
    _say(report, as_json=as_json)
    left = [one for one in report.differing if not (repair and one.repairable)]
    return 1 if left else 0


def _run(
    kafka: KafkaSettings, store: Store, found: list[Scope], now: int, repair: bool, bar: Progress
) -> Report:
    frontier = recorded_frontier(store, kafka)
    outbox = Outbox(kafka, registry_of(kafka))
    whole = Report()
    try:
        for one in found:
            task = bar.add_task(f"{one.model} ({one.environment})", total=_hours(one, one.last))
            work = Reconciliation(store, frontier, one.model, one.environment, now=now)

            def come(at: int, task: TaskID = task, scope: Scope = one) -> None:
                bar.update(task, completed=_hours(scope, at))

            report = work.report(one.first, one.last, each=come)
            if repair:
                records = list(work.totals(report.findings))
                outbox.send("sketches", "sketch", records)
                report.totals = len(records)
            whole.add(report)
    finally:
        outbox.close()
    return whole


def _hours(scope: Scope, at: int) -> int:
    return max(1, -(-(at - scope.first) // _HOUR))


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Progress]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("hours"))
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        yield bar


def _say(report: Report, *, as_json: bool) -> None:
    if report.agree is None:
        why = "" if report.findings or report.waiting else ": the record has nothing of that"
        click.echo(f"hindcast: nothing was compared{why}", err=True)
    if as_json:
        for finding in report.findings:
            click.echo(json.dumps(finding.record()))
        sums = {
            "windows": report.windows,
            "events": report.events,
            "waiting": report.waiting,
            "differing": len(report.differing),
            "expired": len(report.findings) - len(report.differing),
            "totals_sent": report.totals,
            "agree": report.agree,
        }
        click.echo(json.dumps(sums))
        return
    if report.findings:
        _show(report.findings)
    if report.agree is not None:
        agree = "stream and rows agree" if report.agree else f"{len(report.differing):,} windows differ"
        click.echo(f"{report.windows:,} windows, {report.events:,} events: {agree}")
    if report.waiting:
        click.echo(f"{report.waiting:,} windows left out: messages of theirs are on their way")
    if report.totals:
        click.echo(f"{report.totals:,} totals sent; the views have them when the recorder does")


def _show(findings: list[Finding]) -> None:
    table = Table()
    # a terminal that is too narrow wraps what is told, and cuts none of it off
    for heading in (
        "model",
        "window (UTC)",
        "why",
        "messages",
        "predictions",
        "rows",
        "sketch columns that differ",
    ):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"window (UTC)", "why"})
    for one in findings[:_SHOWN]:
        about = one.about
        figures = (one.facts.messages, one.facts.predictions, one.facts.rows, len(one.differences))
        # names are text of others, not markup
        table.add_row(*map(Text, (one.model, about["window_start"][:16], about["cause"], *map(str, figures))))
    Console().print(table)
    if len(findings) > _SHOWN:
        click.echo(f"and {len(findings) - _SHOWN:,} more: --json lists all of them")
