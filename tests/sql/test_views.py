"""The views of what is stored: versions live, last revisions, alerts."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from recorded_rows import Recorder, prediction, utc

from stream_processors.sql_files import sql_files

DAY = timedelta(days=1)
START = utc("2024-03-01")
VIEWS = [(path.stem[3:], path.read_text(encoding="utf-8")) for path in sql_files("views")]
NAMES = [name for name, _ in VIEWS]


@pytest.mark.parametrize(("name", "text"), VIEWS, ids=NAMES)
def test_each_view_is_documented_and_its_example_runs(recorder: Recorder, name: str, text: str) -> None:
    """A view has a header with an example that runs, a comment, and a comment on each column."""
    assert f"CREATE OR REPLACE VIEW {name}{{on_cluster}}" in text
    assert text.startswith(f"-- {name}")
    example = re.search(r"^-- example: (SELECT .*)$", text, re.MULTILINE)
    assert example is not None
    recorder.store.arrow(example[1])
    where = "database = {database:String} AND table = {name:String}"
    bound = {"database": recorder.store.database, "name": name}
    comment = recorder.store.command(
        "SELECT comment FROM system.tables WHERE database = {database:String} AND name = {name:String}", bound
    )
    assert comment
    columns = recorder.store.rows(f"SELECT name, comment FROM system.columns WHERE {where}", bound)
    # ClickHouse keeps no columns of a parametrised view: its header lists them
    assert columns or "-- columns:" in text or "Columns as in" in text
    assert [column["name"] for column in columns if not column["comment"]] == []


@pytest.mark.parametrize("name", [name for name, text in VIEWS if "-- columns:" in text])
def test_parametrised_views_list_their_columns(recorder: Recorder, name: str) -> None:
    """What a parametrised view gives is named in its header, or is what another one gives and more."""
    header = dict(VIEWS)[name].split("CREATE", 1)[0]
    called = re.search(rf"^-- example: .*(\b{name}\([^()]*\))", header, re.MULTILINE)
    assert called is not None
    given = recorder.store.arrow(f"SELECT * FROM {called[1]} LIMIT 0").column_names
    if "as predictions_all_v" in header:
        given = given[given.index("label_state") :]
    missing = [column for column in given if not re.search(rf"\b{column}\b", header)]
    assert missing == []


def deployed(version: str, role: str, at: Any, **more: Any) -> dict[str, Any]:
    """A row of deployments."""
    return {
        "model": "m",
        "model_version": version,
        "environment": "production",
        "role": role,
        "valid_from": at,
        "known_at": at,
        "_appended_at": at,
        **more,
    }


def test_a_champion_ends_when_another_begins(record: Recorder) -> None:
    """Roles follow one another without gap or overlap; a champion ends its predecessor, a shadow nobody; retired is not live."""
    record.insert(
        "deployments",
        [
            deployed("1", "champion", START),
            deployed("2", "shadow", START + DAY),
            deployed("2", "champion", START + 2 * DAY),
            deployed("3", "challenger", START + 2 * DAY),
            deployed("3", "retired", START + 3 * DAY),
            deployed("9", "champion", START, environment="staging"),
        ],
    )
    rows = record.store.rows(
        "SELECT model_version, role, valid_from, valid_to FROM live_versions WHERE environment = 'production' ORDER BY ALL"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("1", "champion", START, START + 2 * DAY),
        ("2", "champion", START + 2 * DAY, None),
        ("2", "shadow", START + DAY, START + 2 * DAY),
        ("3", "challenger", START + 2 * DAY, START + 3 * DAY),
    ]


def test_the_deployment_appended_last_holds(record: Recorder) -> None:
    """Of two statements about one version and moment the later one counts, and a repeated one changes nothing."""
    record.insert(
        "deployments",
        [deployed("1", "shadow", START), deployed("1", "champion", START, _appended_at=START + DAY)],
    )
    record.insert("deployments", [deployed("1", "champion", START, _appended_at=START + DAY)])
    assert record.store.rows("SELECT role, valid_to FROM live_versions") == [
        {"role": "champion", "valid_to": None}
    ]


def test_prediction_carries_the_role_of_its_moment(record: Recorder) -> None:
    """The role is that of event_time: none before the first deployment, the new one from its first microsecond, none once superseded."""
    record.insert(
        "deployments",
        [
            deployed("1", "champion", START),
            deployed("2", "champion", START + DAY),
            deployed("2", "retired", START + 2 * DAY),
        ],
    )
    tick = timedelta(microseconds=1)
    record.insert(
        "predictions",
        [
            prediction("a", START - tick),
            prediction("b", START),
            prediction("c", START + DAY - tick),
            prediction("d", START + DAY),
            prediction("e", START + DAY, model_version="2"),
            prediction("f", START + 2 * DAY, model_version="2", served=False),
            prediction("b", START, _appended_at=START + DAY),
        ],
    )
    rows = record.store.rows("SELECT prediction_id, role FROM predictions_all_v ORDER BY prediction_id")
    assert {row["prediction_id"]: row["role"] for row in rows} == {
        "a": "",
        "b": "champion",
        "c": "champion",
        "d": "",
        "e": "champion",
        "f": "",
    }
    assert len(rows) == 6
    assert record.store.command("SELECT count() FROM predictions_v") == 5


def test_last_revision_of_verdicts_and_quality(record: Recorder) -> None:
    """drift_v and quality_v hold the last revision of each verdict and window, whichever was recorded last."""
    verdict = {
        "model": "m",
        "model_version": "1",
        "environment": "production",
        "served": True,
        "reference": "training",
        "column": "x",
    }
    window = {"window_start": START, "window_end": START + DAY}
    record.insert(
        "drift",
        [
            {**verdict, **window, "revision": revision, "psi": psi}
            for revision, psi in [(7, 0.7), (9, None), (8, 0.8)]
        ],
    )
    record.insert("drift", [{**verdict, **window, "slice": "o=JFK", "revision": 1, "psi": 0.1}])
    rows = record.store.rows("SELECT slice, revision, psi FROM drift_v ORDER BY slice")
    assert [tuple(row.values()) for row in rows] == [("", 9, None), ("o=JFK", 1, 0.1)]
    figures = {"model": "m", "model_version": "1", "environment": "production", "served": True, **window}
    revisions = [(START + DAY, 0.5, 3), (START + 3 * DAY, None, 4), (START + 2 * DAY, 0.7, 5)]
    record.insert(
        "quality",
        [{**figures, "revision": at, "coverage": share, "labelled": n} for at, share, n in revisions],
    )
    rows = record.store.rows("SELECT revision, coverage, labelled FROM quality_v")
    assert [tuple(row.values()) for row in rows] == [(START + 3 * DAY, None, 4)]


def test_a_verdict_that_a_later_revision_of_its_window_no_longer_gives_is_left_out(record: Recorder) -> None:
    """Once the whole was judged at a later revision, columns that were judged only at an earlier one are not shown; other windows' are."""
    verdict = {"model": "m", "model_version": "1", "environment": "production", "served": True}
    week = {**verdict, "window_start": START, "window_end": START + 7 * DAY}
    day = {**verdict, "window_start": START, "window_end": START + DAY}
    record.insert(
        "drift",
        [
            {**week, "reference": "training", "column": "x", "revision": 3, "state": "drifted"},
            {**week, "reference": "training", "column": "@model", "revision": 3, "state": "drifted"},
            {**day, "reference": "training", "column": "x", "revision": 2, "state": "ok"},
            {**day, "reference": "training", "column": "@model", "revision": 2, "state": "ok"},
            {**week, "reference": "", "column": "@model", "revision": 5, "state": "no_reference"},
        ],
    )
    shown = record.store.rows("SELECT `column`, window_end, revision FROM drift_v WHERE `column` = 'x'")
    assert [tuple(row.values()) for row in shown] == [("x", START + DAY, 2)]


def test_whether_enough_truths_are_in_is_told_by_the_windows_contract(record: Recorder) -> None:
    """`covered` compares a window's coverage with what its own contract asks for; without one nothing is asked."""
    for digest, body in [("c1", {"label": {"minimum_coverage": 0.9}}), ("c2", {"label": {}})]:
        record.insert(
            "contracts", [{"model": "m", "digest": digest, "body": json.dumps(body), "_appended_at": START}]
        )
    asked = {("c1", 0.89): False, ("c1", 0.9): True, ("c2", 0.01): True, ("", 0.01): True, ("c1", None): None}
    record.insert(
        "quality",
        [
            {
                "model": "m",
                "model_version": str(number),
                "environment": "production",
                "served": True,
                "window_start": START,
                "window_end": START + DAY,
                "revision": START + DAY,
                "contract": contract,
                "coverage": coverage,
            }
            for number, (contract, coverage) in enumerate(asked)
        ],
    )
    rows = record.store.rows("SELECT contract, coverage, covered FROM quality_v")
    assert {(row["contract"], row["coverage"]): row["covered"] for row in rows} == asked


def test_an_alert_is_one_row(record: Recorder) -> None:
    """The last message tells how an alert stands; evidence is that of its last firing one; a withdrawn one says so."""
    common = {
        "model": "m",
        "environment": "production",
        "served": True,
        "metric": "drift",
        "started_at": START,
    }

    def said(alert: str, state: str, severity: str, day: int, summary: str) -> dict[str, Any]:
        window = {
            "window_start": START + day * DAY,
            "window_end": START + (day + 1) * DAY,
            "_appended_at": START + (day + 1) * DAY,
        }
        return {
            **common,
            **window,
            "alert_id": alert,
            "state": state,
            "severity": severity,
            "summary": summary,
        }

    record.insert(
        "alerts", [said("a", "firing", "warn", 0, "moved"), said("a", "firing", "severe", 1, "moved far")]
    )
    record.insert(
        "alerts", [said("b", "firing", "warn", 0, "moved"), said("b", "withdrawn", "warn", 1, "not so")]
    )
    seen = "SELECT alert_id, state, severity, summary, resolved_at FROM alerts_v ORDER BY alert_id"
    assert [tuple(row.values()) for row in record.store.rows(seen)] == [
        ("a", "firing", "severe", "moved far", None),
        ("b", "withdrawn", "warn", "moved", None),
    ]
    record.insert("alerts", [said("a", "resolved", "severe", 2, "as before")])
    assert tuple(record.store.rows(seen)[0].values()) == (
        "a",
        "resolved",
        "severe",
        "moved far",
        START + 3 * DAY,
    )
