"""`hindcast reconcile` proves that stream and rows agree bin for bin, finds what differs, and puts right what can be."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from reconciled_road import BEGIN, ReconciledRoad, contract, event

from stream_processors.contracts.model import Contract


def test_everything_that_a_sketch_counts_agrees(road: ReconciledRoad) -> None:
    """Two shapes of one model, slices and pairs, lists and hashes, nulls, NaN, infinities, absences, rates and versions: counted in SQL they agree."""
    road.publish(contract("every"))
    road.send(event("every", number) for number in range(2_000))
    road.publish(
        contract("every", prediction={"score_precision": 3}, windows={"base": "30min", "rollups": []})
    )
    road.send(event("every", number) for number in range(2_000, 3_000))
    code, found, sums = road.reconcile("every")
    assert (code, found, sums["waiting"]) == (0, [], 0)
    assert (sums["events"], sums["agree"]) == (3_000, True)


def test_nulls_that_came_without_the_contracts_kind_agree(road: ReconciledRoad) -> None:
    """A category's null counts as a number's where its sender gave it no kind; flushes in which none came say nothing of such a column, and nothing differs."""
    road.publish(contract("unkind"))
    alike = {"model_version": "1", "served": True, "sampling_rate": 1.0, "event_time": BEGIN, "segments": {}}
    categories = {"plan": "gold"}
    nulls = {"numeric_features": {"age": 1.0, "plan": None}, "categorical_features": {}}
    road.send(event("unkind", n, **alike, categorical_features=categories) for n in range(20))
    road.send(event("unkind", n, **alike, **nulls) for n in range(20, 25))
    road.send(event("unkind", n, **alike, categorical_features=categories) for n in range(25, 40))
    code, found, sums = road.reconcile("unkind")
    assert (code, found, sums["events"]) == (0, [], 40)


def test_a_model_without_contract_agrees(road: ReconciledRoad) -> None:
    """Defaults and the smallest hashes: no contract is needed."""
    road.send(event("free", number) for number in range(500))
    code, found, sums = road.reconcile("free")
    assert (code, found, sums["events"]) == (0, [], 500)


def test_features_that_come_as_the_other_kind_agree(road: ReconciledRoad) -> None:
    """A null that is said as a number, of a category, and a text of a number: deltas without one say nothing of them, and that is no difference."""
    road.publish(contract("kinds"))
    odd = {"numeric_features": {"plan": None}, "categorical_features": {"age": "old"}}
    for first in (0, 40, 80):
        road.send(
            event("kinds", n, **(odd if first == 40 and n % 4 == 0 else {})) for n in range(first, first + 40)
        )
    code, found, sums = road.reconcile("kinds")
    assert (code, found, sums["events"]) == (0, [], 120)


def test_resent_events_are_found_and_put_right_again_and_again(road: ReconciledRoad) -> None:
    """Resends count twice until a total replaces them; later resends, also under another contract, are put right by a newer total."""
    road.publish(contract("again"))
    road.send([*(event("again", number) for number in range(300)), *(event("again", n) for n in range(40))])
    code, found, _ = road.reconcile("again")
    assert code == 1
    assert {one["cause"] for one in found} == {"resent"}
    assert sum(one["messages"] - one["predictions"] for one in found) == 40
    assert road.events("again") == 340
    code, _, sums = road.reconcile("again", "--repair")
    assert code == 0
    assert sums["totals_sent"] > 0
    road.settled()
    assert road.reconcile("again")[:2] == (0, [])
    assert road.events("again") == 300
    road.publish(contract("again", prediction={"score_precision": 3}))
    road.send(event("again", number) for number in range(280, 320))
    assert road.events("again") == 340
    assert road.reconcile("again", "--repair")[0] == 0
    road.settled()
    code, found, sums = road.reconcile("again")
    assert (code, found, sums["events"]) == (0, [], 320)


def test_a_repair_replaces_columns_that_no_row_carries(road: ReconciledRoad) -> None:
    """A sketch and a column that only a resend had, under the contract of its arrival, have a total of nothing."""
    road.publish(contract("moved"))
    road.send(event("moved", number) for number in range(50))
    road.publish(Contract.model_validate({"model": "moved", "features": {"age": {"kind": "numeric"}}}))
    road.send(event("moved", number) for number in range(50))
    assert road.reconcile("moved", "--repair")[0] == 0
    road.settled()
    assert road.reconcile("moved")[:2] == (0, [])
    assert road.events("moved") == 50


def test_a_missing_row_is_found_and_not_papered_over(road: ReconciledRoad) -> None:
    """A prediction that was deleted by hand makes its window differ, and no total is made of what is left."""
    road.send(event("less", number) for number in range(100))
    road.road.store.command(
        "ALTER TABLE predictions DELETE WHERE model = 'less' AND prediction_id = 'p7' SETTINGS mutations_sync = 2"
    )
    code, found, sums = road.reconcile("less", "--repair")
    assert (code, sums["totals_sent"]) == (1, 0)
    assert [(one["cause"], one["predictions"] - one["rows"]) for one in found] == [("missing_rows", 1)]
    assert road.events("less") == 100
    shown = road.told("--since", BEGIN.isoformat(), "--model", "less")[1]
    assert f"{found[0]['window_start'][:16]} │ missing_rows" in shown
    assert "…" not in shown


def test_one_count_too_many_in_one_bin_is_found(road: ReconciledRoad) -> None:
    """A delta that was miscounted by one, in one bin of one slice, is named, and a total puts it right."""
    road.publish(contract("wrong"))
    road.send(event("wrong", number) for number in range(100))
    where = "model = 'wrong' AND column = 'age' AND slice = 'plan=gold'"
    # chosen before: a mutation asks its subquery for each part again, and "any one" may be another each time
    (chosen,) = road.road.rows(
        f"SELECT _partition, _offset FROM sketches WHERE {where} AND notEmpty(counts) ORDER BY _partition, _offset LIMIT 1"
    )
    road.road.store.command(
        f"ALTER TABLE sketches UPDATE counts = arrayMap((one, place) -> one + (place = 1), counts, arrayEnumerate(counts)) WHERE {where}"
        " AND _partition = {_partition:UInt32} AND _offset = {_offset:UInt64} SETTINGS mutations_sync = 2",
        chosen,
    )
    code, found, _ = road.reconcile("wrong", "--repair")
    assert code == 0
    (one,) = found
    assert one["cause"] == "miscounted"
    assert [
        (d["column"], d["slice"], d["bins"], d["streamed"] - d["recorded"]) for d in one["differences"]
    ] == [("age", "plan=gold", 1, 1)]
    road.settled()
    assert road.reconcile("wrong")[0] == 0


def test_messages_on_their_way_are_no_difference(road: ReconciledRoad) -> None:
    """A window with a delta that the rows have not reached is left out and counted as waiting."""
    road.send(event("open", number) for number in range(30))
    store = road.road.store
    store.command(
        "INSERT INTO sketches SELECT * REPLACE (next_offset + 1000000 AS next_offset, first_offset + 1000000 AS first_offset, _offset + 1000000 AS _offset)"
        " FROM sketches WHERE model = 'open' AND column = '@events' LIMIT 1"
    )
    code, found, sums = road.reconcile("open")
    assert (code, found) == (0, [])
    assert sums["waiting"] == 1


def test_a_quiet_time_proves_nothing_and_is_no_failure(road: ReconciledRoad) -> None:
    """A model that is known may have had no event for a day: that is said, and nobody takes it for agreement."""
    road.publish(contract("quiet"))
    road.road.recorded("contracts")
    quiet = ("--since", (BEGIN - timedelta(days=2)).isoformat(), "--until", BEGIN.isoformat())
    nothing = "hindcast: nothing was compared: the record has nothing of that\n"
    assert road.told(*quiet, "--model", "quiet") == (0, "", nothing)
    code, out, err = road.told(*quiet, "--model", "quiet", "--json")
    sums = json.loads(out)
    assert (code, sums["windows"], sums["agree"], err) == (0, 0, None, nothing)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--since 2024-03-01 --model mistyped", "the record knows no model 'mistyped'"),
        ("--since 2024-03-02 --until 2024-03-01", "the range is empty: --since must be before --until"),
        ("--since 2024-03-01 --until 2024-03-01", "the range is empty: --since must be before --until"),
        ("--since 1970-01-02 --until 1970-01-01", "the range is empty: --since must be before --until"),
        ("--since 9999-12-31", "--since must be before --until, which is now unless said"),
    ],
)
def test_what_can_only_be_a_slip_is_refused(road: ReconciledRoad, arguments: str, told: str) -> None:
    """A mistyped model or range in a nightly check would agree for ever."""
    code, out, err = road.told(*arguments.split(), "--json")
    assert (code, out) == (2, "")
    assert err.startswith("hindcast: ")
    assert told in err


def test_a_database_without_a_record_is_named(road: ReconciledRoad, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that makes one."""
    monkeypatch.setitem(road.road.environment, "HINDCAST_DATABASE", "default")
    code, out, err = road.told("--since", "2024-03-01")
    assert (code, out) == (2, "")
    assert err == "hindcast: database default holds no record: `hindcast migrate` makes it\n"
