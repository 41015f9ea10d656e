"""How items may be packed, and what is said of bodies that are not: a clear refusal, and no more memory than the limit."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest
import zstandard
from running_gateway import GOOD, JSON, NDJSON, Reply, RunningGateway, running_gateway

from producers.gateway.body import MOST_PARTS, decompressed
from producers.gateway.refusals import Refused
from producers.gateway.settings import MOST_VALUES, GatewaySettings

ONE = json.dumps(GOOD).encode()
KIB = 1024
PACKED = {"": lambda data: data, "gzip": gzip.compress, "x-gzip": gzip.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("encoding", [*PACKED, "GZIP"])
@pytest.mark.parametrize(
    ("body", "headers", "count"),
    [
        (ONE, JSON, 1),
        (b" \n" + ONE + b"\n", JSON, 1),
        (b"[" + ONE + b" ,\n" + ONE + b"]", JSON, 2),
        (ONE + b"\n" + ONE, NDJSON, 2),
        (ONE + b"\r\n\r\n" + ONE + b"\n", NDJSON, 2),
        (ONE, {"Content-Type": "application/json; charset=utf-8"}, 1),
        (b"\xef\xbb\xbf" + ONE, {"Content-Type": 'Application/JSON;charset="UTF-8"'}, 1),
        (ONE, {"Content-Type": "application/jsonl"}, 1),
    ],
)
def test_each_form_in_each_encoding(
    gateway: RunningGateway, body: bytes, headers: dict[str, str], count: int, encoding: str
) -> None:
    """One object, an array, lines; plain, gzip, zstd; with a byte order mark or a charset that says what is so."""
    packed = PACKED[encoding.lower()](body)
    reply = gateway.send(
        "predictions", packed, {**headers, "Content-Encoding": encoding} if encoding else headers
    )
    assert (reply.status, reply.content["accepted"]) == (202, count)


def test_several_parts_are_one_body(gateway: RunningGateway) -> None:
    """Gzip members and zstd frames follow each other, as log shippers write them."""
    for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
        reply = gateway.send(
            "labels", pack(b"") + pack(ONE + b"\n") + pack(ONE), {**NDJSON, "Content-Encoding": encoding}
        )
        assert len(reply.content["errors"]) == 2


REFUSED: list[tuple[bytes, dict[str, str], int, str]] = [
    (ONE, {}, 415, "Content-Type must be application/json or application/x-ndjson"),
    (ONE, {"Content-Type": "text/plain"}, 415, "Content-Type must be application/json or application/x-ndjson"),
    (ONE, {"Content-Type": "application/json; charset=iso-8859-1"}, 415, "the charset must be utf-8"),
    (ONE, {**JSON, "Content-Encoding": "br"}, 415, "Content-Encoding must be gzip, zstd or nothing"),
    (ONE, {**JSON, "Content-Encoding": "gzip, gzip"}, 415, "Content-Encoding must be gzip, zstd or nothing"),
    (ONE, {**JSON, "Content-Encoding": "gzip"}, 400, "the body is not whole gzip"),
    (ONE, {**JSON, "Content-Encoding": "zstd"}, 400, "the body is not whole zstd"),
    (gzip.compress(ONE, mtime=0)[:-3], {**JSON, "Content-Encoding": "gzip"}, 400, "the body is not whole gzip"),
    (zstandard.compress(ONE)[:-3], {**JSON, "Content-Encoding": "zstd"}, 400, "the body is not whole zstd"),
    (gzip.compress(ONE, mtime=0) + b"junk", {**JSON, "Content-Encoding": "gzip"}, 400, "the body is not whole gzip"),
    (zlib.compress(ONE), {**JSON, "Content-Encoding": "gzip"}, 400, "the body is not whole gzip"),
    (b"", JSON, 400, "the body is empty"),
    (b" \n ", JSON, 400, "the body is empty"),
    (b"\n\n", NDJSON, 400, "the body has no items"),
    (b"[]", JSON, 400, "the body has no items"),
    (b"null", JSON, 400, "the body is no JSON object and no array of objects"),
    (json.dumps(GOOD).encode("utf-16"), JSON, 400, "the body is no JSON object and no array of objects"),
    (b"[" + ONE, JSON, 400, "the body is not JSON: "),
    (b"[" + ONE + b"]]", JSON, 400, "the body is not JSON: "),
    (b"[" * 100_000 + b"]" * 100_000, JSON, 400, "the body is nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "status", "why"), REFUSED)
def test_what_is_no_body_is_refused(
    gateway: RunningGateway, body: bytes, headers: dict[str, str], status: int, why: str
) -> None:
    """In one sentence, with nothing taken."""
    reply = gateway.send("predictions", body, headers)
    assert (reply.status, list(reply.content)) == (status, ["error"])
    assert reply.content["error"].startswith(why)


def test_a_deep_item_costs_its_own_place_only(gateway: RunningGateway) -> None:
    """In lines, where each item stands for itself."""
    deep = b'{"model": "m", "model_version": "1", "features": {"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}"
    reply = gateway.send("predictions", ONE + b"\n" + deep, NDJSON)
    assert reply.status == 202
    assert reply.content["errors"] == [{"index": 1, "field": "", "reason": "is nested too deeply"}]


@pytest.fixture(scope="module")
def narrow() -> RunningGateway:
    """A gateway that takes 64 KiB and 100 items."""
    settings = GatewaySettings(body_bytes=64 * KIB, items=100, held_bytes=1024 * KIB)
    with running_gateway(settings) as running:
        yield running  # type: ignore[misc]


TOO_LONG = "the body is longer than 65536 bytes, as sent or decompressed: send fewer items"


def test_long_bodies_are_refused(narrow: RunningGateway) -> None:
    """By what is stated, by what comes without being stated, and by what it becomes."""
    long = b'{"model": "%s"}' % (b"x" * 70_000)
    assert refusal(narrow.send("predictions", long)) == (413, TOO_LONG)
    assert refusal(in_chunks(narrow, long)) == (413, TOO_LONG)
    # it is not kept to see how long it becomes: that would find no room
    assert refusal(in_chunks(narrow, long * 30)) == (413, TOO_LONG)
    for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
        reply = narrow.send("predictions", pack(long), {**JSON, "Content-Encoding": encoding})
        assert refusal(reply) == (413, TOO_LONG)


def in_chunks(gateway: RunningGateway, body: bytes) -> Reply:
    """Send a body whose length is not stated."""
    from http.client import HTTPConnection

    from running_gateway import reply_of

    link = HTTPConnection("127.0.0.1", gateway.port, timeout=90)
    link.request("POST", "/v1/predictions", iter([body[:1000], body[1000:]]), JSON, encode_chunked=True)
    reply = reply_of(link)
    link.close()
    return reply


def refusal(reply: Reply) -> tuple[int, str]:
    """Status and reason."""
    return reply.status, reply.content["error"]


def test_many_items_are_refused(narrow: RunningGateway) -> None:
    """One more than may be, in an array and in lines; so many are taken."""
    for count, status in ((100, 202), (101, 413)):
        array = b"[" + b",".join([ONE] * count) + b"]"
        assert narrow.send("predictions", array).status == status
        assert narrow.send("predictions", b"\n".join([ONE] * count), NDJSON).status == status
    assert (
        refusal(narrow.send("predictions", b"\n".join([ONE] * 101), NDJSON))[1]
        == "the body has more than 100 items: send fewer"
    )


def test_many_values_are_refused(gateway: RunningGateway) -> None:
    """An array of numbers takes many times its bytes once it is parsed."""
    reply = gateway.send("predictions", b"[" + b"0," * (MOST_VALUES + 1) + b"0]")
    assert refusal(reply) == (413, f"the body has more than {MOST_VALUES} values: send fewer items")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_takes_no_memory(encoding: str) -> None:
    """A gigabyte of zeros in a few kilobytes is given up at the limit."""
    bomb = PACKED[encoding](bytes(1024 * KIB * 200))
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="longer than 1048576 bytes"):
            decompressed(bomb, encoding, 1024 * KIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * KIB


def test_a_frame_that_wants_a_large_window_is_refused() -> None:
    """A zstd frame may ask its reader for 2 GiB."""
    wide = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27)
    ).compressobj()
    with pytest.raises(Refused, match="not whole zstd"):
        decompressed(wide.compress(ONE) + wide.flush(), "zstd", KIB)


def test_parts_have_an_end() -> None:
    """Empty parts beyond number would cost the square of it."""
    empty = gzip.compress(b"", mtime=0)
    assert decompressed(empty * MOST_PARTS, "gzip", KIB) == b""
    with pytest.raises(Refused):
        decompressed(empty * (MOST_PARTS + 1), "gzip", KIB)


def test_exactly_the_limit_is_taken() -> None:
    """One byte more is not."""
    for encoding, pack in PACKED.items():
        if encoding in {"gzip", "zstd"}:
            assert decompressed(pack(bytes(KIB)), encoding, KIB) == bytes(KIB)
            with pytest.raises(Refused):
                decompressed(pack(bytes(KIB + 1)), encoding, KIB)


def test_paths_parameters_and_methods_that_there_are_not(gateway: RunningGateway) -> None:
    """Each is said in the same form; a parameter with a slip of the pen is not ignored, because it may mean durable."""
    assert refusal(gateway.ask("GET", "/v1/nothing")) == (404, "not found")
    wrong = gateway.ask("GET", "/v1/predictions")
    assert (refusal(wrong), wrong.headers["allow"]) == ((405, "method not allowed"), "POST")
    assert refusal(gateway.send("predictions?durabel=true", ONE)) == (
        400,
        "the only parameter is durable=true",
    )
    for said in ("durable=maybe", "durable=true&durable=false", "durable=true&durable=true"):
        assert refusal(gateway.send(f"predictions?{said}", ONE)) == (
            400,
            "durable is true or false, said once",
        )


def test_a_web_page_may_not_send_without_a_key(gateway: RunningGateway) -> None:
    """A page in the browser of somebody on the gateway's machine reaches its loopback address."""
    reply = gateway.send("predictions", ONE, {**JSON, "Origin": "http://example.org"})
    assert refusal(reply) == (403, "without keys nothing is taken from web pages")
