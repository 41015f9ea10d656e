"""Messages become rows by the column, and a step per row would give the same."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from recording_road import example

from producers.codec import encode
from stream_processors.contracts.effect import ContractHistory
from stream_processors.recorder.messages import Messages
from stream_processors.recorder.sorting import SortedMessages, TableRows, sort_messages
from stream_processors.recorder.table_partitions import MOST, pieces

NOW = time.time_ns() // 1000


class Sent:
    """A message that was never in Kafka."""

    def __init__(self, value: bytes | None, partition: int = 0, offset: int = 0) -> None:
        self._value, self._partition, self._offset = value, partition, offset

    def topic(self) -> str:
        """Any."""
        return "any"

    def partition(self) -> int:
        """As given."""
        return self._partition

    def offset(self) -> int:
        """As given."""
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        """Now."""
        return 2, NOW // 1000

    def key(self) -> bytes:
        """Any."""
        return b"key"

    def value(self) -> bytes | None:
        """As given."""
        return self._value

    def headers(self) -> None:
        """None."""


def sorted_out(topic: str, values: list[bytes | None]) -> SortedMessages:
    """What becomes of values on a topic, without any contract."""
    messages = Messages.of(topic, "topic-id", [Sent(value, 0, place) for place, value in enumerate(values)])
    return sort_messages(messages, ContractHistory(), recorded_at=NOW)


def sketch(part: int, numeric: int, categorical: int) -> dict[str, Any]:
    """A sketch of so many columns."""
    whole = example("sketch")
    return example(
        "sketch",
        part=part,
        numeric=[{**whole["numeric"][0], "column": f"n{i}", "nulls": i} for i in range(numeric)],
        categorical=[{**whole["categorical"][0], "column": f"c{i}", "absent": i} for i in range(categorical)],
    )


shapes = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=6)


@given(shapes)
def test_a_sketch_makes_one_row_per_column_and_one_for_events(made: list[tuple[int, int, int]]) -> None:
    """Part 0 has a row @events, each column a row of its own; rows are numbered from 0 within their message."""
    [table] = sorted_out("sketches", [encode("sketch", sketch(*shape)) for shape in made]).tables
    found = table.rows.select(
        ["_offset", "_row", "_rows", "column", "column_kind", "nulls", "absent"]
    ).to_pylist()
    expected = []
    for offset, (part, numeric, categorical) in enumerate(made):
        columns = [("@events", "events", 0, 0)] if part == 0 else []
        columns += [(f"n{i}", "numeric", i, None) for i in range(numeric)]
        columns += [(f"c{i}", "categorical", None, i) for i in range(categorical)]
        expected += [(offset, row, len(columns), *column) for row, column in enumerate(columns)]
    shown = sorted(tuple(row.values()) for row in found)
    assert [row[:5] for row in shown] == [row[:5] for row in expected]
    for row, want in zip(shown, expected, strict=True):
        assert want[5] is None or row[5] == want[5]
        assert want[6] is None or row[6] == want[6]


def test_an_events_row_has_no_bins_and_a_column_row_no_events() -> None:
    """What a row of a sketch does not have is empty, zero or null."""
    [table] = sorted_out("sketches", [encode("sketch", sketch(0, 1, 1))]).tables
    events, numeric, categorical = sorted(table.rows.to_pylist(), key=lambda row: row["_row"])
    assert (events["bins"], events["values"], events["min"], events["sum"]) == ([], [], None, 0.0)
    assert (events["events"], numeric["events"], categorical["events"]) == (5, 0, 0)
    assert numeric["bins"] == example("sketch")["numeric"][0]["bins"]
    assert (categorical["bins"], categorical["max"]) == ([], None)
    assert numeric["min_event_time"] is None


def test_sketches_and_stretches_of_one_topic_go_to_their_own_tables() -> None:
    """Messages of two schemas on one topic make rows in two tables, with their own offsets."""
    values = [encode("stretch", example("stretch")), encode("sketch", sketch(0, 1, 0)), b"bad"]
    found = sorted_out("sketches", values)
    offsets = {rows.table: sorted(set(rows.numbers("_offset").tolist())) for rows in found.tables}
    assert offsets == {"stretches": [0], "sketches": [1]}
    assert [letter.facts.offset for letter in found.dead] == [2]
    assert found.dead_places().tolist() == [False, False, True]


def test_leaving_messages_out_leaves_their_rows_and_letters_out() -> None:
    """Of the messages that are kept, all rows and dead letters are kept, and of the others none."""
    good = encode("prediction", example("prediction", event_time=NOW))
    found = sorted_out("predictions", [good, b"bad", good, b"bad"])
    kept = found.only(np.array([True, True, False, False]))
    assert len(kept.messages) == 2
    assert {rows.table: rows.rows.num_rows for rows in kept.tables if rows.rows.num_rows} == {
        "intake": 1,
        "predictions": 1,
    }
    assert [letter.facts.offset for letter in kept.dead] == [1]


def test_intake_notes_for_how_long_a_row_is_kept() -> None:
    """Accounting tells by it what has expired: 90 days without a contract, for ever what is loaded later."""
    live = encode("prediction", example("prediction", event_time=NOW))
    loaded = encode("prediction", example("prediction", event_time=NOW - 10**13, known_at=NOW - 10**13))
    found = sorted_out("predictions", [live, loaded, b"bad"])
    kept: dict[str, list[tuple[int, int]]] = {}
    for rows in found.tables:
        places = zip(rows.numbers("_offset").tolist(), rows.numbers("retention_days").tolist(), strict=True)
        kept.setdefault(rows.table, []).extend(places)
    assert kept == {"intake": [(0, 90), (1, 0), (2, 0)], "predictions": [(0, 90), (1, 0)]}


def test_an_insert_of_a_year_is_split_below_the_limit() -> None:
    """Rows of 365 days become four inserts of at most 100 table partitions each; every row is in one of them."""
    day = 86_400_000_000
    times = np.random.default_rng(1).permutation(np.arange(365) * day)
    rows = TableRows(
        "predictions",
        pa.table(
            {
                "event_time": pa.array(times).view(pa.timestamp("us")),
                "retention_days": np.zeros(365, np.int64),
            }
        ),
    )
    parts = list(pieces(rows))
    assert [part.rows.num_rows for part in parts] == [MOST, MOST, MOST, 65]
    assert sorted(np.concatenate([part.numbers("event_time") for part in parts])) == sorted(times)
