"""Whatever is thrown at it, the gateway answers in its own words, takes what is good, and goes on."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from running_gateway import GOOD, JSON, NDJSON, Reply, RunningGateway

from producers.gateway.examining import examine
from producers.gateway.items import STREAMS, Event
from producers.gateway.refusals import Problem

ANSWERS = {202, 400, 413, 415, 422}
STREAM = st.sampled_from(sorted(STREAMS))
FORM = st.sampled_from([JSON, NDJSON])
# what clients write, and what they should not
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        ["2026-03-01T12:30:15Z", "2026-03-01T12:30:15", "truth", "champion", 2**53 + 1, -0.0, 1e308]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
FIELDS = sorted({name for stream in STREAMS.values() for name in stream.item.__struct_fields__})
ITEMS = st.builds(
    lambda good, odd: {**good, **odd},
    st.sampled_from(
        [
            GOOD,
            {**GOOD, "role": "champion"},
            {"model": "m", "prediction_id": "p", "truth": 1, "kind": "truth"},
            {},
        ]
    ),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), VALUES, max_size=4),
)
QUIETLY = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def checked(reply: Reply) -> Reply:
    """An answer is one of ours, and adds up."""
    assert reply.status in ANSWERS, (reply.status, reply.body)
    if "error" in reply.content:
        assert reply.content["error"]
    else:
        errors = reply.content.get("errors", [])
        assert reply.content["refused"] == len(errors)
        assert all(set(one) == {"index", "field", "reason"} and one["reason"] for one in errors)
        assert (reply.status == 202) == (reply.content["accepted"] > 0)
    return reply


@QUIETLY
@given(stream=STREAM, form=FORM, body=st.binary(max_size=400), encoding=st.sampled_from(["", "gzip", "zstd"]))
@example(stream="predictions", form=JSON, body=b"\xef\xbb\xbf", encoding="")
def test_any_bytes(
    gateway: RunningGateway, stream: str, form: dict[str, str], body: bytes, encoding: str
) -> None:
    """Bytes that mean nothing, in an encoding that they may not have."""
    checked(gateway.send(stream, body, {**form, "Content-Encoding": encoding}))


@QUIETLY
@given(stream=STREAM, items=st.lists(ITEMS | VALUES, min_size=1, max_size=5), lines=st.booleans())
def test_any_json(gateway: RunningGateway, stream: str, items: list[Any], lines: bool) -> None:
    """Items of any shape: each is taken or refused at its place, whatever stands beside it."""
    if lines:
        body, form = b"\n".join(json.dumps(item).encode() for item in items), NDJSON
    else:
        body, form = json.dumps(items).encode(), JSON
    reply = checked(gateway.send(stream, body, form))
    assert reply.content["accepted"] + reply.content["refused"] == len(items)


@QUIETLY
@given(
    items=st.lists(ITEMS, min_size=1, max_size=3),
    place=st.floats(0, 1),
    cut=st.integers(0, 3),
    put=st.binary(max_size=3),
    pack=st.sampled_from([bytes, gzip.compress, zstandard.compress]),
)
def test_a_body_that_suffered_on_its_way(
    gateway: RunningGateway, items: list[Any], place: float, cut: int, put: bytes, pack: Any
) -> None:
    """A good body with a few bytes lost, changed or added, before or after compression."""
    body = pack(json.dumps(items).encode())
    at = round(place * len(body))
    encoding = {gzip.compress: "gzip", zstandard.compress: "zstd"}.get(pack, "")
    damaged = body[:at] + put + body[at + cut :]
    checked(gateway.send("predictions", damaged, {**JSON, "Content-Encoding": encoding}))


@given(items=st.lists(ITEMS, min_size=1, max_size=4), stream=STREAM)
def test_what_is_taken_can_be_sent(items: list[Any], stream: str) -> None:
    """Every event is encoded where it is examined: nothing that was accepted is dropped later because it does not fit."""
    raws = [json.dumps(item).encode() for item in items]
    for found in examine(STREAMS[stream], raws, 0, lambda _model: True):
        assert isinstance(found, Event | Problem)
        if isinstance(found, Event):
            key, before, after = found.handed
            assert key
            assert before
            assert isinstance(after, bytes)


@pytest.mark.parametrize("depth", [10, 500, 990, 1_000, 1_010, 5_000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_any_depth(gateway: RunningGateway, depth: int, opening: bytes) -> None:
    """Around the depth at which the parser gives up, and far beyond."""
    closing = b"]" if opening == b"[" else b"}"
    deep = opening * depth + b"1" + closing * depth
    checked(gateway.send("predictions", deep))
    checked(gateway.send("predictions", b'[{"model":"m","model_version":"1","features":{"f":%s}}]' % deep))
