"""Admission: one decision per event, the same for the profiler and the recorder."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from producers.codec import encode
from stream_processors.admission import CONTRACT, IMPLAUSIBLE_TIME, Admission, admit
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.decoding import decode_batch

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = 1_000_000


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def events(*changes: dict[str, Any]) -> pa.RecordBatch:
    """A decoded batch of one event per change."""
    good = {
        "prediction_id": "p",
        "model": "m",
        "model_version": "1",
        "event_time": NOW,
        "numeric_features": {"age": 30.0},
        "categorical_features": {"plan": "gold"},
    }
    decoded = decode_batch([encode("prediction", {**good, **change}) for change in changes])
    group = decoded.of("prediction")
    assert group is not None
    return group.batch


def published(offset: int = 0, at: datetime = NOW - timedelta(days=1), **fields: Any) -> PublishedContract:
    """A contract of model ``m`` in effect from ``at``."""
    contract = Contract.model_validate({"model": "m", **fields})
    return PublishedContract.of(
        contract, effective_from=micros(at), appended_at=micros(at), lead_ms=0, partition=0, offset=offset
    )


def decide(batch: pa.RecordBatch, *contracts: PublishedContract, at: datetime = NOW) -> Admission:
    """Admit a batch that was appended at one moment."""
    appended = np.full(batch.num_rows, micros(at), dtype=np.int64)
    return admit(batch, appended, ContractHistory(contracts))


def refused(admission: Admission) -> list[tuple[int, str, str]]:
    """Refusals as plain tuples."""
    return [(one.row, one.reason, one.detail) for one in admission.refusals()]


def test_no_contract() -> None:
    """Without a contract an event is admitted under the defaults: a minute's base window, 90 days kept."""
    admission = decide(events({}, {"model": "other"}))
    assert admission.admitted.tolist() == [True, True]
    assert admission.contract.tolist() == [-1, -1]
    assert admission.base_seconds.tolist() == [60, 60]
    assert admission.retention_days.tolist() == [90, 90]
    assert admission.known_at.tolist() == [micros(NOW)] * 2
    assert not admission.backfilled.any()
    assert refused(admission) == []


@pytest.mark.parametrize(
    ("change", "plausible"),
    [
        ({"event_time": NOW + timedelta(minutes=59)}, True),
        ({"event_time": NOW + timedelta(minutes=61)}, False),
        ({"event_time": NOW - timedelta(days=89)}, True),
        ({"event_time": NOW - timedelta(days=91)}, False),
        ({"event_time": NOW - timedelta(days=4000), "known_at": NOW - timedelta(days=4000)}, True),
        ({"event_time": datetime(1969, 1, 1, tzinfo=UTC), "known_at": NOW}, False),
        ({"known_at": NOW + timedelta(days=1)}, False),
        ({"target_time": datetime(2290, 1, 1, tzinfo=UTC)}, True),
        ({"target_time": datetime(2300, 1, 1, tzinfo=UTC)}, False),
        ({"target_time": datetime(1850, 1, 1, tzinfo=UTC)}, False),
    ],
)
def test_implausible_time(change: dict[str, Any], plausible: bool) -> None:
    """A time that cannot be is a dead letter; history loaded in bulk may be as old as it likes."""
    admission = decide(events({}, change))
    assert admission.admitted.tolist() == [True, plausible]
    reasons = [(row, reason) for row, reason, _ in refused(admission)]
    assert reasons == ([] if plausible else [(1, IMPLAUSIBLE_TIME)])


def test_extreme_times() -> None:
    """The least and the greatest number Avro can write as a time are refused, not wrapped around."""
    batch = events({}, {})
    extremes = pa.array([-(2**63), 2**63 - 1], pa.int64()).view(pa.timestamp("us"))
    batch = batch.set_column(batch.schema.get_field_index("event_time"), "event_time", extremes)
    assert [reason for _, reason, _ in refused(decide(batch))] == [IMPLAUSIBLE_TIME] * 2


def test_retention_of_the_contract() -> None:
    """The contract's retention decides what is too old; 0 keeps for ever and refuses nothing."""
    old = {"event_time": NOW - timedelta(days=40)}
    assert decide(events(old), published(retention_days=30)).admitted.tolist() == [False]
    assert decide(events(old), published(retention_days=180)).admitted.tolist() == [True]
    ancient = {"event_time": NOW - timedelta(days=9_000)}
    forever = decide(events(ancient), published(retention_days=0))
    assert forever.admitted.tolist() == [True]
    assert forever.retention_days.tolist() == [0]


def test_windows_that_may_expire_take_no_older_event() -> None:
    """A backfill is spared by the retention of predictions and not by that of windows, to the microsecond."""
    edge = NOW - timedelta(days=30)
    days = [edge, edge - timedelta(microseconds=1)]
    loaded = events(*({"event_time": day, "known_at": day} for day in days))
    kept = published(retention_days=7)
    assert decide(loaded, kept).admitted.tolist() == [True, True]
    may_expire = published(retention_days=7, windows={"keep_days": 30})
    assert refused(decide(loaded, may_expire)) == [
        (1, IMPLAUSIBLE_TIME, "event_time is older than the windows that the model's contract keeps")
    ]


@pytest.mark.parametrize("kept", [{}, {"retention_days": 0}], ids=["no contract", "kept for ever"])
def test_what_is_before_1970_is_not_said_to_be_expired(kept: dict[str, Any]) -> None:
    """Where nothing expires, a dead letter of 1969 says that it is before 1970 and nothing else."""
    loaded = {"event_time": datetime(1969, 3, 5, tzinfo=UTC)}
    if not kept:
        loaded["known_at"] = NOW
    admission = decide(events(loaded), *([published(**kept)] if kept else []))
    assert refused(admission) == [(0, IMPLAUSIBLE_TIME, "event_time is before 1970")]
    assert [detail for detail, _ in admission.problems()] == ["event_time is before 1970"]


def test_a_backfill_without_contract_is_kept() -> None:
    """The default retention deletes no history that is loaded before there is a contract; a contract's own does."""
    loaded = {"event_time": NOW - timedelta(days=400), "known_at": NOW - timedelta(days=400)}
    assert decide(events(loaded)).retention_days.tolist() == [0]
    assert decide(events({})).retention_days.tolist() == [90]
    assert decide(events(loaded), published(retention_days=30)).retention_days.tolist() == [30]


STRICT = {
    "age": {"kind": "numeric", "required": True, "minimum": 0, "maximum": 120},
    "plan": {"kind": "categorical", "values": ["gold", "tin"], "only_listed": True},
    "note": {"kind": "categorical"},
}
BREAKING: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"numeric_features": {}}, ["missing:age"]),
    ({"numeric_features": {"age": None}}, ["missing:age"]),
    ({"numeric_features": {}, "status": "error"}, []),
    ({"numeric_features": {"age": -1.0}}, ["range:age"]),
    ({"numeric_features": {"age": 121.0}}, ["range:age"]),
    ({"numeric_features": {"age": float("nan")}}, []),
    ({"categorical_features": {"plan": "lead"}}, ["unlisted:plan"]),
    ({"categorical_features": {"plan": None}}, []),
    ({"numeric_features": {"age": 3.0, "note": 1.0}}, ["kind:note"]),
    ({"numeric_features": {}, "categorical_features": {"age": "3"}}, ["kind:age", "missing:age"]),
    ({"numeric_features": {"age": 3.0, "new": 1.0}}, []),
]


@pytest.mark.parametrize("together", [True, False])
def test_violations_warn(together: bool) -> None:
    """An event that breaks its contract is kept with a warning that names the feature, whatever events it came with."""
    contract = published(features=STRICT)
    changes = [change for change, _ in BREAKING]
    batches = [events(*changes)] if together else [events(change) for change in changes]
    found = [row for batch in batches for row in decide(batch, contract).warnings().to_pylist()]
    assert found == [texts for _, texts in BREAKING]
    assert all(decide(batch, contract).admitted.all() for batch in batches)


def test_a_row_breaks_the_same_whatever_it_comes_with() -> None:
    """Events of many models, each under a contract of its own or none: together every row has the warnings that it has alone."""
    random = np.random.default_rng(3)

    def some(*of: Any) -> Any:
        return of[int(random.integers(len(of)))]

    def feature() -> dict[str, Any]:
        limits = {"minimum": some(None, 0, 10), "maximum": some(None, 20)}
        return some(
            {"kind": "numeric", "required": some(True, False), **limits},
            {"kind": "numeric", "pii": "bucket", "bucket": some(5, 10), **limits},
            {"kind": "categorical", "values": some(["a"], ["a", "b"]), "only_listed": True, "required": some(True, False)},
            {"kind": some("numeric", "categorical"), "pii": "drop"},
            {"kind": "categorical", "pii": "hash"},
        )  # fmt: skip

    contracts = [
        published(
            offset,
            model=f"m{offset}",
            features={name: feature() for name in "wxyz" if some(True, True, False)},
            on_violation=some("warn", "reject"),
            entity_id=some("none", "none", "hash", "drop"),
        )
        for offset in range(25)
    ]
    changes = [
        {
            "model": f"m{random.integers(28)}",
            "status": some("ok", "ok", "error"),
            "entity_id": some(None, "e1", "hmac:" + "0" * 32),
            "numeric_features": {n: some(None, 3.0, 15.0, 25.0, float("nan")) for n in "wxyz" if some(True, False)},
            "categorical_features": {n: some(None, "a", "b", "c") for n in "wxyz" if some(True, False, False)},
        }
        for _ in range(400)
    ]  # fmt: skip
    together = decide(events(*changes), *contracts)
    alone = [decide(events(change), *contracts) for change in changes]
    assert together.warnings().to_pylist() == [one.warnings().to_pylist()[0] for one in alone]
    assert together.admitted.tolist() == [bool(one.admitted[0]) for one in alone]
    assert [(one.row, one.detail) for one in together.refusals()] == [
        (row, refusal.detail) for row, one in enumerate(alone) for refusal in one.refusals()
    ]
    kinds = {text.partition(":")[0] for text, _ in together.problems()}
    assert kinds == {"kind", "missing", "range", "unlisted", "unprotected"}


def test_violations_reject() -> None:
    """Under ``reject`` the same events are dead letters that say what was broken, and carry no warnings."""
    admission = decide(
        events(*(change for change, _ in BREAKING)), published(features=STRICT, on_violation="reject")
    )
    assert refused(admission) == [
        (row, CONTRACT, ", ".join(texts)) for row, (_, texts) in enumerate(BREAKING) if texts
    ]
    assert admission.admitted.tolist() == [not texts for _, texts in BREAKING]
    assert all(texts == [] for texts in admission.warnings().to_pylist())
    assert not admission.warned.any()


PROTECTED = {
    "email": {"kind": "categorical", "required": True, "pii": "drop"},
    "weight": {"kind": "numeric", "required": True, "pii": "drop", "minimum": 30},
    "customer": {"kind": "categorical", "pii": "hash"},
    "age": {"kind": "numeric", "pii": "bucket", "bucket": 10, "minimum": 18, "maximum": 65},
    "income": {"kind": "numeric", "pii": "bucket", "bucket": [0, 1000, 5000]},
}


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({"numeric_features": {}}, []),
        ({"categorical_features": {"email": "a@b"}}, ["unprotected:email"]),
        ({"numeric_features": {"email": 1.0}}, ["unprotected:email"]),
        ({"categorical_features": {"email": None}}, []),
        ({"numeric_features": {"weight": 1.0}}, ["unprotected:weight"]),
        ({"categorical_features": {"customer": "hmac:" + "0" * 32}}, []),
        ({"categorical_features": {"customer": "customer-17"}}, ["unprotected:customer"]),
        ({"categorical_features": {"customer": None}}, []),
        ({"numeric_features": {"customer": 17.0}}, ["kind:customer", "unprotected:customer"]),
        ({"categorical_features": {"age": "37"}}, ["kind:age", "unprotected:age"]),
        ({"categorical_features": {"age": None}}, ["kind:age"]),
        ({"numeric_features": {"age": 30.0, "income": 5000.0}}, []),
        ({"numeric_features": {"age": 37.0}}, ["unprotected:age"]),
        ({"numeric_features": {"age": 10.0}}, []),  # 18 is in the bucket of 10
        ({"numeric_features": {"age": 0.0}}, ["range:age"]),
        ({"numeric_features": {"age": 60.0}}, []),
        ({"numeric_features": {"age": 70.0}}, ["range:age"]),
        ({"numeric_features": {"age": None, "income": float("nan")}}, []),
        ({"numeric_features": {"income": 999.0}}, ["unprotected:income"]),
        ({"entity_id": "hmac:" + "0" * 32}, []),
        ({"entity_id": "17"}, ["unprotected:@entity_id"]),
    ],
)
def test_personal_data_that_should_not_have_arrived(change: dict[str, Any], texts: list[str]) -> None:
    """What a service without the contract sends in the plain is marked; what its contract drops is missed by nobody."""
    event = {"numeric_features": {}, "categorical_features": {}, **change}
    contract = published(features=PROTECTED, entity_id="hash")
    assert decide(events(event), contract).warnings().to_pylist() == [texts]
    assert decide(events(event, event), contract).warnings().to_pylist() == [texts] * 2
    strict = published(features=PROTECTED, entity_id="hash", on_violation="reject")
    assert decide(events(event), strict).admitted.tolist() == [not texts]


def test_entity_ids_without_features() -> None:
    """A contract that says nothing but what becomes of entity ids is asked too."""
    dropped = published(entity_id="drop")
    batch = events({"entity_id": "hmac:" + "0" * 32}, {"entity_id": None})
    assert decide(batch, dropped).warnings().to_pylist() == [["unprotected:@entity_id"], []]


def test_too_many_features() -> None:
    """More than a thousand features break every contract, and warn where there is none."""
    wide = {"numeric_features": {f"f{i}": 0.0 for i in range(1_000)}}
    assert decide(events(wide)).warnings().to_pylist() == [["too_many_features"]]
    assert refused(decide(events(wide, {}), published(on_violation="reject"))) == [
        (0, CONTRACT, "too_many_features")
    ]


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5, float("nan"), float("inf")])
def test_impossible_sampling_rate(rate: float) -> None:
    """A sampling rate that is no probability is a dead letter even without a contract."""
    assert refused(decide(events({"sampling_rate": rate}, {}))) == [
        (0, CONTRACT, "sampling_rate is not in (0, 1]")
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "m" * 1_001},
        {"model_version": "ж" * 501},
        {"environment": "e" * 2_000},
        {"numeric_features": {"age": 1.0, "f" * 1_001: 1.0}},
        {"categorical_features": {"f" * 1_001: None}},
        {"probabilities": {"c" * 1_001: 1.0}},
    ],
)
def test_endless_names(change: dict[str, Any]) -> None:
    """A name of more than a thousand bytes is a dead letter even without a contract: no sketch could carry it."""
    assert refused(decide(events({}, change))) == [(1, CONTRACT, "a name is longer than 1,000 bytes")]
    assert decide(events({"model": "m" * 1_000})).admitted.all()


def test_time_comes_before_contract() -> None:
    """An event wrong in both ways has one reason: its time."""
    wrong = {"numeric_features": {}, "event_time": NOW + timedelta(days=2)}
    admission = decide(events(wrong), published(features=STRICT, on_violation="reject"))
    assert [reason for _, reason, _ in refused(admission)] == [IMPLAUSIBLE_TIME]


def test_switch_inside_a_batch() -> None:
    """Events appended on both sides of a contract's start are judged by different contracts within one batch."""
    first = published(0, windows={"base": "1h", "rollups": []})
    second = published(1, at=NOW, windows={"base": "1d", "rollups": []})
    batch = events({}, {}, {}, {"model": "other"})
    appended = micros(NOW) + np.array([-SECOND, 0, SECOND, SECOND])
    admission = admit(batch, appended, ContractHistory([second, first]))
    assert admission.base_seconds.tolist() == [3600, 86400, 86400, 60]
    assert [admission.contracts[i] if i >= 0 else None for i in admission.contract] == [
        first,
        second,
        second,
        None,
    ]


def test_environment() -> None:
    """A contract for one environment leaves the others alone."""
    admission = decide(events({}, {"environment": "test"}), published(environment="test", retention_days=7))
    assert admission.retention_days.tolist() == [90, 7]


def test_mixed_models() -> None:
    """Rows of several models in any order each meet their own contract."""
    strict = published(features=STRICT, on_violation="reject")
    admission = decide(
        events({"model": "x", "numeric_features": {}}, {"numeric_features": {}}, {}, {"model": "x"}), strict
    )
    assert admission.admitted.tolist() == [True, False, True, True]


def test_stated_known_at() -> None:
    """A bulk load's known_at stands; any other event was known when it was appended."""
    earlier = NOW - timedelta(days=3)
    admission = decide(events({"known_at": earlier}, {}))
    assert admission.known_at.tolist() == [micros(earlier), micros(NOW)]
    assert admission.backfilled.tolist() == [True, False]


def test_a_contract_that_is_published_again_and_again_is_compared_with_few() -> None:
    """A deployment that publishes the same each time makes thousands; whole contracts, of all their features, are not compared with each other."""
    compared = 0

    class Counted(Contract):
        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return super().__eq__(other)

        __hash__ = Contract.__hash__

    history = ContractHistory()
    times = [NOW - timedelta(hours=hours) for hours in range(50)]
    said = [replace(published(n, at), contract=Counted(model="m")) for n, at in enumerate(times)]
    for one in [*said, *said]:
        history.add(one)
    assert [one.offset for one in history.published("m")] == list(reversed(range(50)))
    assert compared <= 50, "each that came again with itself"
