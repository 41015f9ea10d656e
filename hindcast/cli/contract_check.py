"""`hindcast contract check`: a contract against the schema, recent production, data, and another version of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evaluation.history import History
from evaluation.recorded_events import Asked, RecordedEvents
from hindcast.cli.ask import settings
from hindcast.cli.contract_diff import draw
from hindcast.cli.contract_files import (
    FILE,
    baseline_of,
    contract_argument,
    data_table,
    json_option,
    length_of_time,
    read_contract,
    required_in_effect,
)
from hindcast.demo.bars import Bars
from hindcast.one_line import one_line
from producers.errors import ConfigError
from stream_processors.contracts.changes import Change, changes
from stream_processors.contracts.document import ContractFileError
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import with_reference
from stream_processors.contracts.table_events import table_events
from stream_processors.contracts.tally import Tally

# clocks of services may be ahead, and the recorder takes events up to an hour ahead
_AHEAD = timedelta(hours=1)


@click.command()
@contract_argument
@click.option(
    "--recent",
    metavar="DURATION",
    callback=length_of_time,
    help="Hold what was recorded of the model in the last 1h, 7d, … against it.",
)
@click.option("--data", "data_file", type=FILE, help="Hold a table against it: Parquet, CSV or Arrow.")
@click.option(
    "--against", "other_file", type=FILE, help="Tell what this one rejects and another file does not."
)
@click.option("--against-published", is_flag=True, help="The same, with the contract in effect.")
@json_option
def check(
    contract_file: Path,
    recent: int | None,
    data_file: Path | None,
    other_file: Path | None,
    against_published: bool,
    as_json: bool,
) -> None:
    """Check a contract and that its baseline is of its shape; on request, what events of the model would break it.

    Ends with 1 if an event would be rejected (with --against: that the other contract does not reject), and with 2 if the contract is
    wrong.
    """
    contract = _sound(contract_file)
    other = _other(contract, other_file, published=against_published)
    tally = Tally(contract, other)
    if recent is not None:
        _hold_recent(tally, recent, quiet=as_json)
    if data_file is not None:
        _hold_table(tally, data_table(data_file))
    rules = [] if other is None else [one for one in changes(other, contract) if one.rule]
    if as_json:
        click.echo(json.dumps(_facts(tally, rules), indent=1, ensure_ascii=False))
    else:
        _tell(contract_file, tally, rules)
    refused = tally.rejected if other is None else tally.newly_rejected
    click.get_current_context().exit(1 if refused else 0)


def _sound(contract_file: Path) -> Contract:
    """The contract, which its baseline fits; every mistake but the one that ends the command is told before."""
    try:
        contract = read_contract(contract_file)
    except ContractFileError as error:
        for one in error.problems[:-1]:
            click.echo(one_line(one.told(error.source)), err=True)
        raise ContractFileError(error.source, error.problems[-1:]) from None
    sketches = baseline_of(contract_file)
    if sketches:
        with_reference(contract, sketches)
    return contract


def _other(contract: Contract, file: Path | None, *, published: bool) -> Contract | None:
    if published and file is not None:
        raise click.UsageError("--against and --against-published are two ways to name one contract")
    if published:
        return required_in_effect(contract.model, contract.environment or "production")
    other = None if file is None else read_contract(file)
    if other is not None and other.model != contract.model:
        raise ConfigError(f"{file} is of model {other.model}, not of {contract.model}")
    return other


def _hold_recent(tally: Tally, recent: int, *, quiet: bool) -> None:
    """Count what was recorded, block by block."""
    now = datetime.now(UTC)
    contract = tally.contract
    asked = Asked(contract.model, contract.environment, now - timedelta(seconds=recent), now + _AHEAD)
    with History(settings()) as history, Bars(Console(stderr=True, quiet=quiet)) as bars:
        recorded = RecordedEvents(history, asked)
        with bars.counted("checked", recorded.events) as moved:
            for block in recorded.blocks:
                batch = recorded.read(block)
                tally.add(batch, batch.column("appended_at").cast("int64").to_numpy())
                moved(block.events)


def _hold_table(tally: Tally, table: pa.Table) -> None:
    """Count the rows, for each contract as services that have it send them."""
    contract, other = tally.contract, tally.other
    batches = table_events(contract, table)
    others = repeat(None) if other is None else _as_other(other, table, contract.environment or "production")
    for batch, as_other in zip(batches, others, strict=False):
        tally.add(batch, batch.column("event_time").cast("int64").to_numpy(), as_other)


def _as_other(other: Contract, table: pa.Table, environment: str) -> Iterator[pa.RecordBatch]:
    """The rows as events under the contract that is compared with, which is named where its services could send none."""
    try:
        yield from table_events(other, table, environment)
    except ConfigError as error:
        raise ConfigError(f"with the contract compared with: {error}") from None


def _rows(tally: Tally) -> Iterator[dict[str, Any]]:
    """A row per problem, the most frequent first."""
    texts = sorted({*tally.problems, *tally.no_longer}, key=lambda text: (-tally.problems[text], text))
    for text in texts:
        problem, colon, feature = text.partition(":")
        events = tally.problems[text]
        row: dict[str, Any] = {
            "problem": problem,
            "feature": feature if colon else None,
            "events": events,
            "share": events / tally.events,
        }
        if tally.other is not None:
            row |= {"newly": tally.newly[text], "no_longer": tally.no_longer[text]}
        yield row


def _facts(tally: Tally, rules: list[Change]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "model": tally.contract.model,
        "environment": tally.contract.environment,
        "digest": tally.contract.digest(),
        "shape": tally.contract.shape(),
        "on_violation": tally.contract.on_violation,
        "events": tally.events,
        "warned": tally.warned,
        "rejected": tally.rejected,
        "problems": list(_rows(tally)),
    }
    if tally.other is not None:
        facts["against"] = {
            "digest": tally.other.digest(),
            "shape": tally.other.shape(),
            "newly_warned": tally.newly_warned,
            "newly_rejected": tally.newly_rejected,
            "rules": [asdict(one) for one in rules],
        }
    return facts


def _tell(file: Path, tally: Tally, rules: list[Change]) -> None:
    contract, other = tally.contract, tally.other
    click.echo(
        f"{file} is good: model {contract.model}, {len(contract.features)} features, digest {contract.digest()[:12]}"
    )
    if other is not None:
        told = "rules on events that differ:" if rules else "no rule on events differs"
        click.echo(f"against {other.digest()[:12]}: {told}")
        if rules:
            draw(rules)
    if not tally.events:
        return
    click.echo(
        f"{tally.events:,} events: {tally.rejected:,} would be rejected, {tally.warned:,} kept with warnings"
        f" (on_violation: {contract.on_violation})"
    )
    if other is not None:
        click.echo(f"of them newly: {tally.newly_rejected:,} rejected, {tally.newly_warned:,} with warnings")
    _draw_problems(tally)


def _draw_problems(tally: Tally) -> None:
    rows = list(_rows(tally))
    if not rows:
        return
    compared = ("newly", "no longer") if tally.other is not None else ()
    table = Table(box=SIMPLE_HEAD)
    for name in ("problem", "feature"):
        table.add_column(name, overflow="fold")
    for name in ("events", "share", *compared):
        table.add_column(name, justify="right")
    for row in rows:
        counts = [f"{row['events']:,}", _share(row["share"])]
        counts += [f"{row[name.replace(' ', '_')]:,}" for name in compared]
        table.add_row(escape(row["problem"]), escape(one_line(row["feature"] or "-")), *counts)
    Console().print(table)


def _share(share: float) -> str:
    return "< 0.01 %" if 0 < share < 0.0001 else f"{share:.2%}".replace("%", " %")
