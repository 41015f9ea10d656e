"""Between a body and the queue: places that are kept, turns that are given, writers that forget, and faults that show nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running_gateway import GOOD, running_gateway
from test_bad_json import VALUES

from producers.channel import Channel
from producers.encoder import handed_by_record
from producers.errors import InvalidEvent
from producers.gateway import writers as writers_module
from producers.gateway.items import STREAMS
from producers.gateway.outlet import Outlet
from producers.gateway.taking import TURN, Taking
from producers.gateway.writers import Writers
from producers.limits import Limits
from producers.prediction_writer import PredictionSaid, PredictionWriter
from producers.testing import MemorySink

NAMES = st.text(max_size=5)
MIB = 1024 * 1024


@pytest.fixture
def channel() -> Iterator[Channel]:
    """A channel with ten places, from which nothing goes."""
    sink = MemorySink(capacity=1)
    sink.away = True
    made = Channel(sink, None, Limits(events=10))
    yield made
    made.close(0)


def test_places_are_kept_for_one_request(channel: Channel) -> None:
    """While a request's items are examined nobody else gets the places that it needs; then they are free again."""
    outlet = Outlet(channel)
    with outlet.keep(6) as first:
        with outlet.keep(6) as second:
            assert (first, second) == (True, False)
        with outlet.keep(4) as third:
            assert third
            assert outlet.trouble()
        assert not outlet.trouble()
    with outlet.keep(10) as again:
        assert again


def test_others_get_their_turn() -> None:
    """A long request lets what else there is to do be done, every so many items."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def take() -> None:
        other = asyncio.create_task(count())
        outlet = Outlet(Channel(MemorySink(), None))
        taking = Taking(STREAMS["predictions"], outlet, lambda _model: True, durable=False)
        await taking.take([json.dumps(GOOD).encode()] * (5 * TURN), 0)
        other.cancel()
        assert taking.result()[1].accepted == 5 * TURN

    asyncio.run(take())
    assert turns >= 5


def test_a_fault_of_ours_shows_nothing_of_a_client(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500, and a line in the log that says where, without a word of what was sent; the next request is answered."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError("features of customer 17")

    with running_gateway() as gateway, caplog.at_level(logging.WARNING):
        monkeypatch.setattr(gateway.channel, "say_handed", fail)
        reply = gateway.send("predictions", GOOD)
        assert (reply.status, reply.content) == (500, {"error": "the gateway failed; its log says where"})
        monkeypatch.undo()
        assert gateway.send("predictions", GOOD).status == 202
    assert "a request failed: ValueError at " in caplog.text
    assert "customer" not in caplog.text


def said(**more: object) -> PredictionSaid:
    """A prediction of which only this is of interest."""
    fields = {"prediction_id": "p", "model_version": "1", "environment": "e", "event_time": 0, "features": {}}
    return PredictionSaid(**{**fields, **more})  # type: ignore[arg-type]


writers = Writers()


@given(
    features=st.dictionaries(NAMES, VALUES, max_size=6),
    segments=st.dictionaries(NAMES, VALUES, max_size=3),
    categorical=st.lists(NAMES, max_size=2),
    model=st.sampled_from(["a", "b", "c" * 300]),
)
def test_writers_write_what_the_record_would(
    features: dict[str, object], segments: dict[str, object], categorical: list[str], model: str
) -> None:
    """Whatever they remember of events before: the same bytes, or the same refusal."""
    event = said(features=features, segments=segments)
    of = tuple(categorical)
    assert outcome(lambda: writers.handed(model, of, event)) == outcome(
        lambda: handed_by_record("predictions", PredictionWriter(model, of).record(event))
    )


def outcome(make: Callable[[], object]) -> object:
    """What is made, or the field that is at fault."""
    try:
        return make()
    except InvalidEvent as refusal:
        return refusal.field


@pytest.mark.parametrize(
    "odd",
    [
        lambda number: ("m", said(features={f"{number}-{place}": 1.0 for place in range(5_000)})),
        lambda number: ("m", said(features={"f" * MIB + str(number): 1.0})),
        lambda number: ("m", said(model_version="v" * MIB + str(number))),
        lambda number: ("m" * MIB + str(number), said()),
    ],
)
def test_writers_forget(odd: Callable[[int], tuple[str, PredictionSaid]]) -> None:
    """Names, words and models that nobody has seen before, without end: what is remembered has a bound."""
    mine = Writers()
    mine.handed("m", (), said(features={"f": 1.0}))
    tracemalloc.start()
    try:
        for number in range(60):
            model, event = odd(number)
            mine.handed(model, (), event)
        del model, event
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 20 * MIB


def test_models_are_forgotten_too() -> None:
    """A writer each, and no more than so many."""
    mine = Writers()
    for number in range(3 * writers_module.MODELS):
        mine.handed(f"m{number}", (), said())
        assert len(mine._writers) <= writers_module.MODELS
