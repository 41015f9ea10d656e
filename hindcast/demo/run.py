"""Runs the demo: the stack, the models, a year of flights, the wait for every answer, the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from hindcast.demo import flights, scenes, story
from hindcast.demo.bars import Bars
from hindcast.demo.progress import Rest, complaint, goals, reached, worked_out
from hindcast.demo.report.collect import collect
from hindcast.demo.report.figures import Figures
from hindcast.local.stack import LocalStack
from hindcast.local.startup import StackOptions
from producers.errors import HindcastError
from producers.settings import KafkaSettings
from stream_processors.clickhouse import Store
from stream_processors.contracts.infer import baseline
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish
from stream_processors.settings import ClickHouseSettings, ProcessorSettings

CONTRACT = Path(__file__).with_name("flight_delays.yaml")
SEED = 2013
POLL_S = 0.5
STALLED_S = 180.0
# a backfill is judged as soon as two stretches bring nothing more for a window: short ones end the demo sooner
HASTE = {"HINDCAST_FLUSH_INTERVAL": "1", "HINDCAST_QUALITY_INTERVAL": "5", "HINDCAST_ALLOWED_LATENESS": "5"}
KNOWN_MONTH = "2013-06"
KNOWN_AT = (
    datetime(2013, 7, 1, tzinfo=UTC),
    datetime(2013, 7, 8, tzinfo=UTC),
    datetime(2013, 9, 1, tzinfo=UTC),
)


@dataclass(frozen=True)
class DemoOptions:
    """How the demo runs.

    Attributes:
        directory: everything the stack keeps; must not hold an earlier demo.
        until: flights that departed before this moment, UTC.
        keep: leave the stack running at the end.
    """

    directory: Path
    until: datetime = story.END
    seed: int = SEED
    keep: bool = False


def publish_contract(environment: Mapping[str, str], told: story.Story) -> None:
    """Make the reference of January's departures, publish it and the contract, and wait until they are in effect."""
    contract = Contract.from_yaml(CONTRACT.read_text(encoding="utf-8"), CONTRACT.name)
    sketches = baseline(contract, reference_table(told), time_column="departed_at")
    settings = ProcessorSettings.from_environment(environment)
    publish(settings.kafka, contract, baseline=sketches, lead=settings.contract_lead, actor="hindcast demo")


def reference_table(told: story.Story) -> pa.Table:
    """January's departures as the reference is made of: time and features."""
    return pa.Table.from_pandas(told.training[["departed_at", *flights.FEATURES]], preserve_index=False)


def wait_for_answers(
    stack: LocalStack,
    told: story.Story,
    sent: scenes.Sent,
    bars: Bars,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Return when every event is recorded, joined, measured and judged, and nobody has anything left to do.

    Raises:
        HindcastError: nothing moved for three minutes; says what is missing and what the processors report.
    """
    store = Store(ClickHouseSettings.from_environment(stack.environment()))
    try:
        open_goals = [(goal, bars.add(goal.name, goal.target)) for goal in goals(told, sent)]
        rest, before, limit = Rest(), None, 0.0
        while True:
            check()
            found = [min(reached(store, goal), goal.target) for goal, _ in open_goals]
            for (_, task), done in zip(open_goals, found, strict=True):
                bars.set(task, done)
            status, now = stack.status(), time.monotonic()
            unreached = [
                f"{goal.name}: {done:,} of {goal.target:,}"
                for (goal, _), done in zip(open_goals, found, strict=True)
                if done < goal.target
            ]
            if rest.begun(status, now) and not unreached:
                return
            moved = (found, worked_out(store))
            if moved != before:
                before, limit = moved, now + STALLED_S
            if now > limit:
                raise HindcastError(f"the demo stalled: {complaint(status, unreached)}")
            time.sleep(POLL_S)
    finally:
        store.close()


def run_demo(options: DemoOptions, console: Console, check: Callable[[], None] = lambda: None) -> Figures:
    """The whole demo; stops the stack at the end, also when interrupted, unless it is to be kept.

    Args:
        options: how.
        console: for the progress.
        check: called now and then; raises where somebody has interrupted.
    """
    stack = LocalStack(options.directory)
    with Bars(console) as bars:
        # outside: what fails to start stops itself, and a stack that somebody else runs here is not ours to stop
        with bars.stage("starting Kafka, ClickHouse and the processors") as said:
            stack.up(StackOptions(settings=HASTE), said=said, detach=options.keep)
        try:
            environment = stack.environment()
            with bars.stage("training the models"):
                told = story.tell(flights.departures(), options.seed, until=options.until)
            check()
            with bars.stage("publishing the contract"):
                publish_contract(environment, told)
            with bars.counted("sending flights and labels", scenes.total(told)) as moved:

                def sent_rows(count: int) -> None:
                    check()
                    moved(count)

                sent = scenes.send(told, KafkaSettings.from_environment(environment), sent_rows)
            wait_for_answers(stack, told, sent, bars, check)
            with bars.stage("reading the record back"):
                settings = ClickHouseSettings.from_environment(environment)
                figures = collect(
                    settings, story.MODEL, seed=options.seed, known_month=KNOWN_MONTH, known_at=KNOWN_AT
                )
        except BaseException:
            stack.down()
            raise
        if not options.keep:
            with bars.stage("stopping"):
                stack.down()
    return replace(figures, timings=bars.seconds)
