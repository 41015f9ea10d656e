"""ClickHouse computes the same bins and the same hashes as numpy."""

from __future__ import annotations

import urllib.request
from base64 import b64encode
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from stream_processors.sketches import bucket, hashes, histogram_bins

FORMULA = "reinterpretAsFloat64(bitAnd(reinterpretAsUInt64(x), bitNot(toUInt64(bitShiftLeft(toUInt64(1), 52 - {p}) - 1)))) + 0.0"


def answer(url: str, query: str) -> list[str]:
    """The lines that ClickHouse answers."""
    parts = urlsplit(url)
    login = f"{unquote(parts.username or 'default')}:{unquote(parts.password or '')}"
    request = urllib.request.Request(
        f"{parts.scheme}://{parts.hostname}:{parts.port}/",
        data=query.encode(),
        headers={"Authorization": "Basic " + b64encode(login.encode()).decode()},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return str(reply.read().decode()).splitlines()


@pytest.mark.parametrize("precision", [0, 1, 5, 7, 10, 20])
def test_bins_agree_on_every_kind_of_double(clickhouse: str, precision: int) -> None:
    """Random bit patterns, subnormals, zeros, the greatest double: the bin is the same to the bit."""
    rng = np.random.default_rng(precision)
    bits = rng.integers(0, 2**64, 3000, dtype=np.uint64)
    subnormal = rng.integers(0, 2**52, 300, dtype=np.uint64)
    edges = np.array([0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, 3.14159, -3.14159]).view(np.uint64)
    bits = np.concatenate((bits, subnormal, subnormal | np.uint64(1 << 63), edges))
    bits = bits[np.isfinite(bits.view(np.float64))]
    query = (
        f"SELECT reinterpretAsUInt64({FORMULA.format(p=precision)}) FROM (SELECT reinterpretAsFloat64(b) AS x"
        f" FROM (SELECT arrayJoin(CAST([{','.join(map(str, bits.tolist()))}] AS Array(UInt64))) AS b))"
        " SETTINGS max_query_size = 10000000, max_threads = 1"
    )
    expected = histogram_bins(bits.view(np.float64), precision).view(np.uint64)
    assert [int(line) for line in answer(clickhouse, query)] == expected.tolist()


def test_hashes_and_buckets_agree(clickhouse: str) -> None:
    """A value's hash and bucket are xxHash64 and its remainder in SQL, outside ASCII too."""
    words = ["", "JFK", "Zürich Süd", "東京", "x" * 200]
    listed = ",".join(f"'{word}'" for word in words)
    lines = answer(
        clickhouse, f"SELECT xxHash64(w), xxHash64(w) % 64 FROM (SELECT arrayJoin([{listed}]) AS w)"
    )
    found = [tuple(map(int, line.split("\t"))) for line in lines]
    assert found == list(zip(hashes(words).tolist(), bucket(hashes(words)).tolist(), strict=True))
