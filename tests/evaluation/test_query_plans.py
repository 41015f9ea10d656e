"""No question reads more of a big table than its period and model need, or it says why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from known_history import MODEL
from query_plans import Read, reads, said_by_views, too_much
from recorded_rows import Recorder

from evaluation.queries import NamedQuery, shipped_queries

QUERIES = shipped_queries()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
# two days of three months
PERIOD = {
    "since": "2013-03-10",
    "until": "2013-03-12",
    "reference_since": "2013-03-08",
    "reference_until": "2013-03-09",
}


def bound(query: NamedQuery) -> dict[str, str]:
    """The example's parameters, of a short period."""
    names = {one.name for one in query.parameters}
    short = {name: moment for name, moment in PERIOD.items() if name in names}
    return query.bind({**query.example, **short}, NOW)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_reads_what_it_needs(recorded: Recorder, name: str) -> None:
    """Asked about two days, a query leaves parts of every big table unread and uses its sort key, or its header says why not."""
    query = QUERIES[name]
    found = reads(recorded.store, query.text, bound(query))
    assert too_much(found, [one.name for one in query.whole], said_by_views(query)) == []


@pytest.mark.parametrize(
    ("name", "of_whom", "index", "indexed"),
    [
        ("prediction_record", {"prediction_id": "p21"}, "prediction_id_bloom", 1),
        # its ids are asked for while the query is planned, which no plan shows; then each time that these ids were used, twice
        ("entity_history", {"entity": "N7"}, "prediction_id_bloom", 2),
        ("answers_to_request", {"request": "r7"}, "request_id_bloom", 1),
        ("answers_to_request", {"trace": "t7"}, "trace_id_bloom", 1),
    ],
)
def test_a_look_up_needs_no_period(
    recorded: Recorder, name: str, of_whom: dict[str, str], index: str, indexed: int
) -> None:
    """Asked about one id and no times, a query finds by an index which parts of predictions it need not read."""
    query = QUERIES[name]
    found = reads(recorded.store, query.text, query.bind({"model": MODEL, **of_whom}, NOW))
    of_predictions = [read for read in found if read.table == "predictions"]
    assert all(read.pruned and read.by_key for read in of_predictions)
    assert sum(index in read.by_index for read in of_predictions) >= indexed


@pytest.mark.parametrize("column", ["prediction_id", "entity_id", "trace_id", "request_id"])
@pytest.mark.parametrize("view", ["predictions_all_v", "predictions_v"])
def test_views_look_up_by_index(recorded: Recorder, view: str, column: str) -> None:
    """Analysts' own look-ups in the views that are exactly once use the same indexes, and find what there is."""
    of_one = f"SELECT {column} FROM {view} WHERE model = {{model:String}} AND {column} = {{asked:String}}"
    some = f"SELECT any({column}) AS asked FROM predictions_v WHERE model = {{model:String}}"
    [asked] = recorded.store.rows(some, {"model": MODEL})
    [read] = reads(recorded.store, of_one, {"model": MODEL, **asked})
    assert read.by_index == (f"{column}_bloom",)
    assert recorded.store.rows(of_one, {"model": MODEL, **asked})


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        (
            "SELECT count() FROM predictions_all_v WHERE model = {model:String}",
            ["predictions is read in all its parts"],
        ),
        (
            "SELECT count() FROM predictions_all_v WHERE score > 0.5",
            ["predictions is read without its sort key", "predictions is read in all its parts"],
        ),
        (
            "SELECT count() FROM outcomes_all_v WHERE model = {model:String}",
            ["predictions is read in all its parts"],
        ),
        ("SELECT count() FROM labels_v", ["labels is read without its sort key"]),
        (
            "SELECT count() FROM feature_windows WHERE model = {model:String}",
            ["sketches is read in all its parts"],
        ),
    ],
)
def test_the_check_bites(recorded: Recorder, statement: str, wrong: list[str]) -> None:
    """A query that bounds neither time nor model is found, also where a view may read a table once more."""
    found = reads(recorded.store, statement, {"model": MODEL})
    assert too_much(found, [], ["predictions"]) == wrong


PRUNED, WHOLE = Read("predictions", pruned=True, by_key=True), Read("predictions", pruned=False, by_key=True)


@pytest.mark.parametrize(
    ("found", "of_query", "of_views", "said"),
    [
        ([PRUNED, WHOLE], [], ["predictions"], []),
        ([PRUNED, WHOLE], [], [], ["predictions is read again in all its parts"]),
        ([WHOLE], ["predictions"], [], []),
        ([PRUNED], ["predictions"], [], ["predictions is said to be read whole and is not"]),
        ([PRUNED], ["intake"], [], ["intake is said to be read whole and is not read"]),
    ],
)
def test_excuses_are_needed(found: list[Read], of_query: Any, of_views: Any, said: list[str]) -> None:
    """An excuse that no reading needs is a fault itself."""
    assert too_much(found, of_query, of_views) == said


def test_excuses_of_views_reach_their_queries() -> None:
    """What a view's header says is found through the views that are made of it."""
    assert said_by_views(QUERIES["quality_as_known"]) == ["predictions"]
    assert said_by_views(QUERIES["volume"]) == []
