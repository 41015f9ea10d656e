"""The profiler on a real Kafka: what it writes adds up to what was sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from profiled_log import SketchLog, assert_categorical, assert_numeric, event, send

from producers.settings import KafkaSettings
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish

Profile = Callable[[], SketchLog]


def test_deltas_add_up(settings: KafkaSettings, profiled: Profile) -> None:
    """Merged deltas are the histograms and counts of all events, feature by feature and pseudo-column by pseudo-column."""
    events = [event(number) for number in range(1, 801)]
    send(settings, events)
    log = profiled()
    log.check_tiling()
    whole = log.whole()
    assert (whole.events, whole.errors, whole.warnings) == (800, 16, 0)
    for name in ("age", "income"):
        assert_numeric(whole.numeric(name), [one["numeric_features"][name] for one in events])
    for name in ("plan", "city"):
        assert_categorical(whole.categorical(name), [one["categorical_features"][name] for one in events])
    assert_numeric(whole.numeric("@score"), [one["score"] for one in events])
    assert_numeric(whole.numeric("@latency_ms"), [one["latency_ms"] for one in events])
    assert_categorical(whole.categorical("@decision"), [one["decision"] for one in events])
    assert whole.columns() == {"age", "income", "plan", "city", "@score", "@latency_ms", "@decision"}
    times = [one["event_time"] for one in events]
    assert min(d["min_event_time"] for d in whole.deltas) == min(times)
    assert max(d["max_event_time"] for d in whole.deltas) == max(times)


def test_windows_and_groups(settings: KafkaSettings, profiled: Profile) -> None:
    """Each delta holds one base window of one model, version, environment, served and sampling rate."""
    base = datetime.now(UTC).replace(second=30, microsecond=0) - timedelta(minutes=10)
    variants = [
        {},
        {"model": "other"},
        {"model_version": "2"},
        {"environment": "test"},
        {"served": False},
        {"sampling_rate": 0.5},
        {"event_time": base + timedelta(minutes=1)},
        {"event_time": base + timedelta(seconds=29, microseconds=999_999)},
    ]
    events = [event(n, **{"event_time": base, **variants[n % len(variants)]}) for n in range(160)]
    send(settings, events)
    log = profiled()
    sums: dict[tuple[object, ...], int] = {}
    for delta in log.deltas:
        assert (
            delta["window_start"] <= delta["min_event_time"] <= delta["max_event_time"] < delta["window_end"]
        )
        assert delta["window_end"] - delta["window_start"] == timedelta(minutes=1)
        fields = ("model", "model_version", "environment", "served", "sampling_rate", "window_start")
        key = tuple(delta[name] for name in fields)
        sums[key] = sums.get(key, 0) + delta["events"]
    start = base.replace(second=0)
    assert sums == {
        ("m", "1", "production", True, 1.0, start): 40,
        ("other", "1", "production", True, 1.0, start): 20,
        ("m", "2", "production", True, 1.0, start): 20,
        ("m", "1", "test", True, 1.0, start): 20,
        ("m", "1", "production", False, 1.0, start): 20,
        ("m", "1", "production", True, 0.5, start): 20,
        ("m", "1", "production", True, 1.0, start + timedelta(minutes=1)): 20,
    }


def test_contract(settings: KafkaSettings, profiled: Profile) -> None:
    """Under a contract its precisions, lists, slices and base window hold, and warnings are counted."""
    contract = Contract.model_validate(
        {
            "model": "m",
            "features": {
                "age": {"kind": "numeric", "precision": 10, "minimum": 30},
                "plan": {"kind": "categorical", "values": ["gold"]},
                "never": {"kind": "numeric"},
                "nowhere": {"kind": "categorical", "values": ["x"]},
            },
            "slices": [
                {"by": "plan", "values": ["gold", "tin"]},
                {"by": ["plan", "region"], "values": [["gold", "north"]]},
            ],
            "windows": {"base": "1h", "rollups": ["1d"]},
            "prediction": {"score_precision": 8},
        }
    )
    publish(settings, contract, lead=0)
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    regions = ["north", "south"]
    events = [event(n, event_time=at, segments={"region": regions[n % 2]}) for n in range(400)]
    send(settings, events)
    log = profiled()
    whole = log.whole()
    assert {delta["shape"] for delta in log.deltas} == {contract.shape()}
    assert {delta["window_end"] - delta["window_start"] for delta in log.deltas} == {timedelta(hours=1)}
    assert_numeric(whole.numeric("age"), [one["numeric_features"]["age"] for one in events], 10)
    assert_numeric(whole.numeric("@score"), [one["score"] for one in events], 8)
    plans = [one["categorical_features"]["plan"] for one in events]
    plan = whole.categorical("plan")
    assert (plan.values, plan.counts.tolist()) == (("gold",), [plans.count("gold")])
    assert int(plan.buckets.sum()) == plans.count("tin")
    assert whole.warnings == sum(one["numeric_features"]["age"] < 30 for one in events)
    assert whole.numeric("never").absent == 400
    assert whole.categorical("nowhere").absent == 400
    assert all(len(delta["numeric"]) == 5 and len(delta["categorical"]) == 4 for delta in log.deltas)
    expected = {
        "": 400,
        "plan=gold": plans.count("gold"),
        "plan=tin": plans.count("tin"),
        "plan=@other": plans.count(None),
        "plan=gold&region=north": sum(p == "gold" and n % 2 == 0 for n, p in enumerate(plans)),
    }
    expected["plan=@other&region=@other"] = 400 - expected["plan=gold&region=north"]
    assert {name: log.whole(slice=name).events for name in {d["slice"] for d in log.deltas}} == expected
    gold = [one for one, plan in zip(events, plans, strict=True) if plan == "gold"]
    assert_numeric(
        log.whole(slice="plan=gold").numeric("age"), [one["numeric_features"]["age"] for one in gold], 10
    )


def test_garbage(settings: KafkaSettings, profiled: Profile) -> None:
    """Undecodable and implausible messages are counted as dead letters and leave every other event counted."""
    good = [event(number) for number in range(1, 201)]
    late = event(900, event_time=datetime.now(UTC) + timedelta(hours=3))
    send(settings, [*good[:100], b"garbage", None, b"", late, *good[100:]])
    log = profiled()
    log.check_tiling()
    assert (log.events(), log.dead_letters()) == (200, 4)
    assert log.whole().events == 200


def test_stretches_say_what_time_it_is(settings: KafkaSettings, profiled: Profile) -> None:
    """A stretch's largest event time leaves backfills out and is capped at the append time."""
    ahead = datetime.now(UTC) + timedelta(minutes=30)
    history = datetime(2013, 5, 1, tzinfo=UTC)
    live = datetime.now(UTC) - timedelta(seconds=50)
    send(settings, [event(1, event_time=ahead)] * 30)
    log = profiled()
    stated = [s for s in log.stretches[0] if s["max_event_time"] is not None]
    assert stated
    assert all(s["max_event_time"] == s["newest_append_time"] for s in stated)
    send(settings, [event(2, event_time=history, known_at=history)] * 30 + [event(3, event_time=live)] * 30)
    later = SketchLog()
    later.stretches[0] = profiled().stretches[0][len(log.stretches[0]) :]
    assert max(s["max_event_time"] for s in later.stretches[0] if s["max_event_time"]) == live
    assert any(s["reached_end"] for s in later.stretches[0])


def test_hostile_names(settings: KafkaSettings, profiled: Profile) -> None:
    """Features that pose as pseudo-columns, and names of any letters, are columns like any other."""
    names = {"@score": 1.0, "%40score": 2.0, "": 3.0, "a&b=c": 4.0, "\x00": 5.0, "ж" * 300: 6.0}
    models = ["", '"];drop', "\x00", "m" * 900]
    events = [
        event(
            n, model=model, numeric_features=names, categorical_features={"@decision": "x" * 500}, score=0.5
        )
        for n, model in enumerate(models * 10)
    ]
    send(settings, events)
    log = profiled()
    log.check_tiling()
    for model in models:
        whole = log.whole(model=model)
        assert whole.events == 10
        assert_numeric(whole.numeric("@score"), [0.5] * 10)
        assert_numeric(whole.numeric("%40score"), [1.0] * 10)
        assert_numeric(whole.numeric("%2540score"), [2.0] * 10)
        assert_categorical(
            whole.categorical("@decision"), [one["decision"] for one in events if one["model"] == model]
        )
        assert int(whole.categorical("%40decision").buckets.sum()) == 10


def test_contract_switches_while_events_flow(settings: KafkaSettings, profiled: Profile) -> None:
    """Events before and after a contract took effect are counted under the shape that applied to each."""
    send(settings, [event(number) for number in range(100)])
    contract = Contract.model_validate(
        {"model": "m", "features": {"age": {"kind": "numeric", "precision": 9}}}
    )
    publish(settings, contract, lead=0.3)
    after = [event(number) for number in range(100, 250)]
    send(settings, after)
    log = profiled()
    assert log.whole(shape="").events == 100
    under = log.whole(shape=contract.shape())
    assert under.events == 150
    assert_numeric(under.numeric("age"), [one["numeric_features"]["age"] for one in after], 9)


def test_a_window_is_split_by_shapes_and_by_nothing_else(settings: KafkaSettings, profiled: Profile) -> None:
    """A contract with other thresholds and owner goes on counting in the same deltas; one of another shape has deltas of its own."""
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    body = {"model": "m", "features": {"age": {"kind": "numeric", "precision": 9}}}
    first = Contract.model_validate(body)
    owned = Contract.model_validate(
        {**body, "owner": "ops", "drift": {"warn": 0.2}, "label": {"horizon": "1d"}}
    )
    reshaped = Contract.model_validate({**body, "features": {"age": {"kind": "numeric", "precision": 6}}})
    for number, contract in enumerate((first, owned, reshaped)):
        publish(settings, contract, lead=0.3)
        send(settings, [event(number * 100 + n, event_time=at) for n in range(100)])
    log = profiled()
    assert first.shape() == owned.shape() != reshaped.shape()
    assert {delta["window_start"] for delta in log.deltas} == {at}
    assert log.whole(shape=first.shape()).events == 200
    assert log.whole(shape=reshaped.shape()).events == 100
    flushes = [
        (d["shape"], d["source_partition"], d["first_offset"], d["slice"], d["part"]) for d in log.deltas
    ]
    assert len(set(flushes)) == len(flushes)
