"""Whatever producers live through, the views say of them what their rows say, and never call a loss balanced."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

from accounts_by_hand import Key, producer_hours
from hypothesis import given, settings
from hypothesis import strategies as st
from producer_lives import World, lived
from producer_rows import HOUR, START
from recorded_rows import Recorder

FIGURES = (
    "state",
    "accepted",
    "arrived",
    "failed",
    "spooled",
    "in_flight",
    "missing",
    "unknown_at_most",
)


def gaps(world: World) -> Counter[str]:
    """Numbers below a producer's last arrival that did not arrive."""
    numbers = sorted({(row["producer_id"], row["sequence"]) for row in world.intake})
    by_producer = {name: [n for _, n in rows] for name, rows in groupby(numbers, key=lambda one: one[0])}
    return Counter({name: found[-1] + 1 - len(found) for name, found in by_producer.items()})


@given(seed=st.integers(0, 2**32))
@settings(max_examples=12)
def test_the_account_is_that_of_the_rows(recorder: Recorder, seed: int) -> None:
    """Each figure of each producer and hour, each sum and each gap is what Python finds in the same ledgers and arrivals."""
    world, states = lived(seed)
    living = {name for name, state in states.items() if state == "live"}
    recorder.insert("ledger", world.ledgers)
    recorder.insert("intake", world.intake)
    try:
        expected = producer_hours(world.ledgers, world.intake, living)
        same_account(recorder, expected)
        same_gaps(recorder, gaps(world))
        tell_no_lie(
            recorder.store.rows("SELECT * FROM accounting"), world, {producer for producer, _, _ in expected}
        )
    finally:
        recorder.clear()


def same_account(recorder: Recorder, expected: dict[Key, dict[str, Any]]) -> None:
    """View and expectation have the same rows, and the view of producers their sums."""
    rows = recorder.store.rows("SELECT * FROM producer_hours")
    found = {(row["producer_id"], row["model"], row["hour"]): row for row in rows}
    assert {key: {name: row[name] for name in FIGURES} for key, row in found.items()} == {
        key: {name: one[name] for name in FIGURES} for key, one in expected.items()
    }
    accepted: Counter[tuple[str, str]] = Counter()
    for (producer, model, _), one in expected.items():
        accepted[producer, model] += one["accepted"]
    sums = recorder.store.rows("SELECT producer_id, model, accepted FROM producers_v")
    assert {(row["producer_id"], row["model"]): row["accepted"] for row in sums} == accepted


def same_gaps(recorder: Recorder, expected: Counter[str]) -> None:
    """Producers with gaps, and how many numbers those hold."""
    rows = recorder.store.rows("SELECT producer_id, sum(gaps) AS gaps FROM producers_v GROUP BY producer_id")
    assert {row["producer_id"]: row["gaps"] for row in rows if row["gaps"]} == +expected


def tell_no_lie(rows: list[dict[str, Any]], world: World, known: set[str]) -> None:
    """The sum holds in every hour, and what was really lost shows in its hour, or as unknown in this one or one before.

    Of a producer that was killed before anything of it arrived nobody knows, so it is left out.
    """
    for row in rows:
        parts = (
            "recorded",
            "expired",
            "without_row",
            "duplicates_removed",
            "dead_lettered",
            "dropped",
            "failed",
            "spooled",
            "in_flight",
        )
        assert row["accepted"] == sum(row[part] for part in parts) + row["missing"]
    for hour in range(3):
        lost = sum(count for (name, place), count in world.lost.items() if place == hour and name in known)
        here = [row for row in rows if row["hour"] == START + hour * HOUR]
        until = [row for row in rows if row["hour"] <= START + hour * HOUR]
        shown = sum(row["missing"] + row["failed"] + row["spooled"] for row in here)
        unknown = [row["unknown_at_most"] for row in until]
        if None not in unknown:
            assert lost <= shown + sum(unknown) - sum(row["missing"] for row in until)
        if lost and not shown:
            assert not all(row["balanced"] for row in until)


def test_a_seed_gives_the_same_life() -> None:
    """The lives are made of their seed alone, and hold every end: the test above would else prove little."""
    ends: Counter[str] = Counter()
    spooled = lost = 0
    for seed in range(20):
        world, states = lived(seed)
        again, _ = lived(seed)
        assert [row["sequence"] for row in world.intake] == [row["sequence"] for row in again.intake]
        ends.update(states.values())
        spooled += len(world.spool)
        lost += world.lost.total()
    assert min(ends["live"], ends["closed"], ends["silent"], spooled, lost) > 5
