"""When a partition stops: more than a tenth of its last 10,000 messages are dead letters."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_processors.recorder.brake import LIMIT, WINDOW, Brake


def by_the_message(dead: list[bool]) -> int | None:
    """The place at which the limit is passed, found one message after the other."""
    for place in range(len(dead)):
        if sum(dead[max(0, place + 1 - WINDOW) : place + 1]) > LIMIT:
            return place
    return None


@given(
    st.lists(st.tuples(st.integers(1, 6_000), st.floats(0, 0.3)), min_size=1, max_size=8),
    st.integers(0, 2**32),
    st.integers(1, 9_000),
)
def test_any_batches_stop_where_single_messages_would(
    stretches: list[tuple[int, float]], seed: int, batch: int
) -> None:
    """However the messages are cut into batches, the partition stops at the same message."""
    chance = np.random.default_rng(seed)
    dead = np.concatenate([chance.random(length) < share for length, share in stretches])
    cumulative = np.concatenate([[0], np.cumsum(dead)])
    ends = np.arange(1, len(dead) + 1)
    over = np.flatnonzero(cumulative[ends] - cumulative[np.maximum(ends - WINDOW, 0)] > LIMIT)
    expected = int(over[0]) if len(over) else None
    brake, found = Brake(), None
    for start in range(0, len(dead), batch):
        pressed = brake.pressed_at(dead[start : start + batch])
        if pressed is not None:
            found = start + pressed
            break
    assert found == expected


def test_a_handful_of_bad_messages_stops_nobody() -> None:
    """A quiet partition whose first 1,000 messages are all bad goes on; the next bad one stops it."""
    brake = Brake()
    assert brake.pressed_at(np.ones(LIMIT, dtype=np.bool_)) is None
    assert brake.pressed_at(np.ones(1, dtype=np.bool_)) == 0


def test_a_released_partition_counts_anew() -> None:
    """After a person has let it go on, a partition takes another 1,000 dead letters."""
    brake = Brake()
    assert brake.pressed_at(np.ones(5_000, dtype=np.bool_)) == LIMIT
    brake.release()
    assert brake.pressed_at(np.ones(LIMIT, dtype=np.bool_)) is None


def test_refused_rows_count_too() -> None:
    """Messages that ClickHouse refuses after they were taken are counted among the last ones."""
    brake = Brake()
    brake.pressed_at(np.zeros(2_000, dtype=np.bool_))
    assert not brake.refused(LIMIT)
    assert brake.refused(1)


def test_the_plain_rule_is_the_rule() -> None:
    """The rule, spelled out message by message, agrees on a stretch that passes the limit within a window."""
    chance = np.random.default_rng(7)
    dead = np.concatenate([np.zeros(3_000, dtype=np.bool_), chance.random(9_000) < 0.2])
    assert Brake().pressed_at(dead) == by_the_message(dead.tolist())
