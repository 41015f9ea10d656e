"""Identifiers carry their time, keep their order, and repeat only when their content does."""

from __future__ import annotations

import threading
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.ids import content_id, new_id, prediction_id_at, prediction_ids_at

MICROS = st.integers(min_value=0, max_value=10_413_791_999_999_999)


def milliseconds(text: str) -> int:
    """The timestamp of a UUIDv7, read by Python's own UUID, which must agree that it is one."""
    found = uuid.UUID(text)
    assert (found.version, found.variant, str(found)) == (7, uuid.RFC_4122, text)
    return found.int >> 80


@given(MICROS)
def test_an_id_carries_its_time(time: int) -> None:
    """A prediction id is a UUIDv7 with the event time's milliseconds."""
    assert milliseconds(prediction_id_at(time)) == time // 1000


@given(MICROS, st.binary())
def test_a_content_id_is_its_content(time: int, content: bytes) -> None:
    """Equal facts have equal ids, other facts and other times have others."""
    made = content_id(time, content)
    assert milliseconds(made) == time // 1000
    assert made == content_id(time, content)
    assert made != content_id(time, content + b".")
    assert made != content_id(time + 1000, content)


@given(st.lists(MICROS, max_size=50))
def test_a_column_of_ids(times: list[int]) -> None:
    """Ids made columnwise are UUIDv7s of their times, all different."""
    made = prediction_ids_at(np.array(times, dtype=np.int64)).to_pylist()
    assert [milliseconds(text) for text in made] == [time // 1000 for time in times]
    assert len(set(made)) == len(times)


def test_random_bits_come_from_the_entropy_given() -> None:
    """The same entropy gives the same column of ids: nothing else is random."""
    times = np.array([1_700_000_000_000_000] * 3)
    first, second = (prediction_ids_at(times, entropy=lambda n: bytes(range(n))) for _ in range(2))
    assert first == second
    assert first[0].as_py() == "018bcfe5-6800-7607-8809-0a0b0c0d0e0f"


@pytest.mark.parametrize("time", [-1, -2_208_988_800_000_000])
def test_before_1970_an_id_says_1970(time: int) -> None:
    """An event before 1970 has an id of 1970, which a UUIDv7 can say."""
    made = [prediction_id_at(time), content_id(time, b""), prediction_ids_at(np.array([time]))[0].as_py()]
    assert [milliseconds(text) for text in made] == [0, 0, 0]


def test_new_ids_rise_within_a_process() -> None:
    """Each thread sees its ids rise, and no two threads get the same."""
    made: list[list[str]] = [[] for _ in range(8)]
    threads = [
        threading.Thread(target=lambda mine: mine.extend(new_id() for _ in range(2000)), args=(mine,))
        for mine in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in made)
    assert len(set().union(*made)) == 16_000
