"""A record that moves is the same record: rows, places, accounts; whole or in part, once however often it is read in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from every_table import APRIL, DAY, HARD, MODELS, PREDICTIONS, taken_in
from moving import Hindcast
from producer_rows import arrival
from recorded_rows import Recorder, label, prediction

from hindcast.cli import move
from hindcast.move import exporting, files, reading
from hindcast.move.tables import BY_NAME, TABLES, MovedTable
from stream_processors.clickhouse import Store

ANSWERS = {
    "accounting": "SELECT * FROM accounting ORDER BY ALL",
    "gaps": "SELECT * FROM sequence_gaps ORDER BY ALL",
    "outcomes": "SELECT * EXCEPT (numeric_features) FROM outcomes_all_v ORDER BY ALL",
    "windows": "SELECT model, `column`, window_start, n, bins, counts FROM feature_windows ORDER BY ALL",
    "bytes": "SELECT offset, hex(key), hex(value), hex(headers[1].value) FROM dead_letters FINAL ORDER BY ALL",
}


def rows_of(record: Recorder, table: MovedTable, where: str = "true") -> list[dict[str, Any]]:
    """Every row that stands, bytes as hex and NaN as text, so that equal means equal."""
    columns = reading.columns_of(record.store, table.name)
    shown = ", ".join(f"hex(toString(`{name}`)) AS `hex of {name}`" for name in columns)
    return record.store.rows(f"SELECT {shown} FROM `{table.name}` FINAL WHERE {where} ORDER BY ALL")


def test_every_table_is_moved_by_its_own_key(source: Recorder) -> None:
    """A table of the record that is not in the list, or has another sort key, would be lost or read twice."""
    found = source.store.rows(
        "SELECT name, sorting_key FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " AND name != 'migrations'"
    )
    assert {one["name"]: one["sorting_key"] for one in found} == {one.name: one.sort_key for one in TABLES}


def test_days_without_the_hours_that_are_imported_are_forgotten(
    target: Recorder, hindcast: Hindcast, whole: Path
) -> None:
    """A day that was rolled up of what was there before would hide the hours: it goes, and a day of another model stays."""
    for model in ("m", "other"):
        target.store.command(
            "INSERT INTO rollups (model, model_version, environment, width, window_start, window_end, column, _rolled_at)"
            f" VALUES ('{model}', '1', 'production', 86400, '2024-03-01', '2024-03-02', '@events', now64(6))"
        )
    assert hindcast(target, "import", whole).code == 0
    days = target.store.rows("SELECT model FROM rollups FINAL WHERE width = 86400")
    assert days == [{"model": "other"}]


def test_what_is_imported_is_what_was_exported(
    source: Recorder, target: Recorder, hindcast: Hindcast, whole: Path
) -> None:
    """Each row with the place of its message, every answer, and the same again when it is imported twice."""
    assert hindcast(target, "import", whole).code == 0
    assert hindcast(target, "import", whole).code == 0
    assert hindcast(target, "verify", whole, "--against-record").code == 0
    counts = {}
    for table in TABLES:
        # what base windows that are there are made of is made anew
        there = rows_of(source, table, "alone" if table.name == "rollups" else "true")
        assert rows_of(target, table) == there
        counts[table.name] = len(there)
    assert min(counts.values()) > 0
    for question in ANSWERS.values():
        answer = source.store.rows(question)
        assert target.store.rows(question) == answer
        assert answer or "gaps" in question
    assert hindcast(source, "verify", whole, "--json").facts["rows"] == counts


def test_small_pages_and_files_hold_the_same(
    source: Recorder, hindcast: Hindcast, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of nine rows, a few days at a time, in files of one page: every row once, whatever begins or ends with it."""
    monkeypatch.setattr(reading, "FIRST_ROWS", 9)
    monkeypatch.setattr(reading, "MOST_ROWS", 9)
    monkeypatch.setattr(reading, "_SLICE_ROWS", 25)
    monkeypatch.setattr(files, "FILE_BYTES", 1)
    directory = tmp_path / "small"
    assert hindcast(source, "export", directory, "--model", "m", "--environment", "production").code == 0
    facts = hindcast(source, "verify", directory, "--against-record", "--json").facts
    assert facts["differences"] == []
    assert facts["files"] > 30
    everything = pq.read_table(whole / "predictions-00000.parquet")
    parts = [pq.read_table(path) for path in sorted(directory.glob("predictions-*"))]
    ids = [name for part in parts for name in part.column("prediction_id").to_pylist()]
    assert ids == [
        row["prediction_id"]
        for row in everything.select(["prediction_id", "model"]).to_pylist()
        if row["model"] == "m"
    ]


def test_a_range_is_what_was_predicted_in_it_and_what_is_known_of_that(
    source: Recorder, hindcast: Hindcast, tmp_path: Path, target: Recorder
) -> None:
    """April's predictions of one model: with truths told in May, the reference from January, contract and deployment; no stretch."""
    directory = tmp_path / "april"
    chosen = ("--model", "m", "--since", "2024-04-01", "--until", "2024-05-01T00:00")
    assert hindcast(source, "export", directory, *chosen).code == 0
    rows = hindcast(source, "verify", directory, "--against-record", "--json").facts["rows"]
    days = PREDICTIONS - 31
    expected = dict.fromkeys(
        ("predictions", "intake", "labels", "outcomes", "rollups", "quality", "drift", "alerts"), days
    )
    once = dict.fromkeys(("contracts", "deployments"), 1)
    assert rows == {**expected, **once, "sketches": days + 1, "ledger": 0, "dead_letters": 0}
    assert hindcast(target, "import", directory).code == 0
    for name in ("predictions", "outcomes"):
        assert rows_of(target, BY_NAME[name]) == rows_of(
            source, BY_NAME[name], f"model = 'm' AND event_time >= '{APRIL:%Y-%m-%d}'"
        )
    labelled = target.store.rows("SELECT label_state, count() AS n FROM outcomes_all_v GROUP BY label_state")
    assert labelled == [{"label_state": "labelled", "n": days}]


def test_truths_of_expired_predictions_go_along(target: Recorder, hindcast: Hindcast, tmp_path: Path) -> None:
    """A merge deletes predictions, and nothing else of them: a part has their labels as it has their outcomes, and those of no other."""
    made = [
        *(prediction(name, APRIL, retention_days=1) for name in ("expired", "expired too")),
        prediction("of another", APRIL, model="n", retention_days=1),
        prediction("of another time", APRIL - DAY, retention_days=1),
        prediction("of another environment", APRIL, environment="test", retention_days=1),
    ]
    target.insert("predictions", made)
    for row in made:
        target.insert("intake", taken_in(target, [row], environment=row["environment"]))
    target.insert("labels", [label(row["prediction_id"], APRIL, model=row["model"]) for row in made])
    target.insert("labels", [label("expired", APRIL + DAY, kind="correction"), label("of nothing", APRIL)])
    target.store.command("OPTIMIZE TABLE predictions FINAL")
    assert target.store.command("SELECT count() FROM predictions") == 0
    chosen = ("--model", "m", "--environment", "production", "--since", f"{APRIL:%Y-%m-%d}")
    assert hindcast(target, "export", tmp_path / "part", *chosen).code == 0
    facts = hindcast(target, "verify", tmp_path / "part", "--against-record", "--json").facts
    assert (facts["rows"]["predictions"], facts["rows"]["intake"], facts["rows"]["labels"]) == (0, 2, 3)
    assert facts["differences"] == []


def test_dead_letters_go_with_the_intake_that_knows_them(
    target: Recorder, hindcast: Hindcast, tmp_path: Path
) -> None:
    """A letter that says no model and came at another time is of the prediction that was in its message; else the copy's accounts miss it."""
    places = [{"_topic_id": "t", "_partition": 0, "_offset": offset} for offset in range(3)]
    hours = [
        (APRIL, {}),
        (APRIL - DAY, {}),
        (APRIL, {"model": "n", "environment": "production"}),
    ]
    for place, (at, more) in zip(places, hours, strict=True):
        target.insert("intake", [arrival(None, dead=True, at=at, **more, **place)])
    letters = [
        {"topic_id": "t", "partition": 0, "offset": offset, "appended_at": APRIL + 60 * DAY}
        for offset in range(3)
    ]
    target.insert("dead_letters", letters)
    chosen = ("--model", "m", "--since", f"{APRIL:%Y-%m-%d}", "--until", f"{APRIL + DAY:%Y-%m-%d}")
    assert hindcast(target, "export", tmp_path / "part", *chosen).code == 0
    facts = hindcast(target, "verify", tmp_path / "part", "--against-record", "--json").facts
    assert (facts["rows"]["intake"], facts["rows"]["dead_letters"], facts["differences"]) == (1, 1, [])
    target.store.command("TRUNCATE TABLE dead_letters")
    assert hindcast(target, "import", tmp_path / "part").code == 0
    assert target.store.rows("SELECT offset FROM dead_letters") == [{"offset": 0}]


def test_a_prediction_that_comes_after_an_export_is_no_difference(
    target: Recorder, hindcast: Hindcast, tmp_path: Path
) -> None:
    """Its label waited for it in the record when a range was exported: it was about no prediction then, and stays out."""
    early, late = prediction("early", APRIL), prediction("late", APRIL)
    target.insert("predictions", [early])
    target.insert("intake", taken_in(target, [early]))
    target.insert("labels", [label(name, APRIL) for name in ("early", "late")])
    directory = tmp_path / "export"
    assert hindcast(target, "export", directory, "--since", f"{APRIL:%Y-%m-%d}").code == 0
    recorded = {"_recorded_at": datetime.now(UTC)}
    target.insert("predictions", [{**late, **recorded}])
    target.insert("intake", taken_in(target, [late], **recorded))
    facts = hindcast(target, "verify", directory, "--against-record", "--json").facts
    assert (facts["rows"]["labels"], facts["differences"]) == (1, [])


def test_what_a_record_holds_besides_is_no_difference(
    target: Recorder, hindcast: Hindcast, whole: Path
) -> None:
    """Rows of another topic stay beside the imported ones; a row too few or another value is found."""
    target.insert("predictions", [prediction("own", APRIL, _topic_id="another topic")])
    assert hindcast(target, "import", whole).code == 0
    assert hindcast(target, "verify", whole, "--against-record").code == 0
    target.store.command(
        "ALTER TABLE predictions DELETE WHERE prediction_id = 'm3'", settings={"mutations_sync": 2}
    )
    target.store.command(
        "ALTER TABLE outcomes UPDATE score = 1 WHERE prediction_id = 'm3'", settings={"mutations_sync": 2}
    )
    told = hindcast(target, "verify", whole, "--against-record", "--json")
    assert told.code == 1
    many = len(MODELS) * PREDICTIONS
    assert told.facts["differences"] == [
        {"table": "predictions", "rows": many, "recorded": many - 1, "expired": 0},
        {"table": "outcomes", "rows": many, "recorded": many, "expired": 0},
    ]
    assert (
        "holds as many rows (80), but not the same"
        in hindcast(target, "verify", whole, "--against-record").out
    )


def test_predictions_that_would_expire_are_refused(
    target: Recorder, hindcast: Hindcast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge would delete them without a word; they are left out on demand, and others are kept."""
    made = datetime.now(UTC)
    target.insert(
        "predictions",
        [
            prediction("old", made, retention_days=30),
            prediction("for ever", made, retention_days=0),
            prediction("longer", made, retention_days=90),
        ],
    )
    directory = tmp_path / "old"
    assert hindcast(target, "export", directory).code == 0
    target.store.command("TRUNCATE TABLE predictions SYNC")
    in_two_months = int((made + timedelta(days=60)).timestamp() * 1e6)
    monkeypatch.setattr(move, "_now", lambda: in_two_months)
    assert "1 predictions are older than they are kept" in hindcast(target, "import", directory).line
    assert target.store.command("SELECT count() FROM predictions") == 0
    told = hindcast(target, "import", directory, "--skip-expired", "--json").facts
    assert (told["rows"]["predictions"], told["skipped"]) == (2, 1)
    assert target.store.command("SELECT count() FROM predictions WHERE prediction_id = 'old'") == 0
    told = hindcast(target, "verify", directory, "--against-record")
    few = "predictions: the record holds 2 rows, the export 3, 1 of them older than they are kept"
    assert (told.code, told.out.strip()) == (1, few)
    assert hindcast(target, "verify", directory, "--against-record", "--json").facts["differences"] == [
        {"table": "predictions", "rows": 3, "recorded": 2, "expired": 1}
    ]


@pytest.mark.parametrize("times", [1, 5])
def test_rows_that_come_while_they_are_read_are_not_passed_over(
    target: Recorder, hindcast: Hindcast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Inserts that were on their way when the export began: their rows are in it, or the export says that it is not done."""
    target.insert("labels", [{"label_id": HARD, "model": "m"}])
    finish, late = exporting.TableWriter.finish, []

    def finished_late(writer: Any) -> Any:
        done = finish(writer)
        if done is not None and done.name.startswith("labels") and len(late) < times:
            late.append({"label_id": f"late {len(late)}", "model": "m"})
            target.insert("labels", late[-1:])
        return done

    monkeypatch.setattr(exporting.TableWriter, "finish", finished_late)
    directory = tmp_path / "export"
    told = hindcast(target, "export", directory)
    if times > 1:
        assert told.code == 3
        assert "labels: rows came or went while they were read (3 read, 4 there now)" in told.line
        told = hindcast(target, "export", directory)
    assert told.code == 0
    assert hindcast(target, "verify", directory, "--json").facts["rows"]["labels"] == 1 + times


def test_a_database_without_a_record_is_named(
    source: Recorder, hindcast: Hindcast, whole: Path, tmp_path: Path, database: str
) -> None:
    """With the command that makes one: somebody named another database, or did not migrate it."""
    source.store.command(f"CREATE DATABASE {database}")
    elsewhere = Recorder(Store(source.store.settings, database=database))
    for command in (["export", tmp_path / "new"], ["import", whole], ["verify", "--against-record", whole]):
        told = hindcast(elsewhere, *command)
        assert told.code == 2
        assert told.line == f"hindcast: database {database} holds no record: `hindcast migrate` makes it"
    elsewhere.store.close()


def test_an_export_of_nothing_says_so(target: Recorder, hindcast: Hindcast, tmp_path: Path) -> None:
    """A record without rows is no failure; but nobody takes it for another."""
    told = hindcast(target, "export", tmp_path / "none", "--json")
    assert told.code == 0
    assert not any(json.loads(told.out)["rows"].values())
    assert told.line == "hindcast: the record has nothing of that: the export is empty"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--model mistyped", "no model mistyped is recorded: there are m, n"),
        ("--environment mistyped", "no environment mistyped is recorded: there are production"),
        ("--model n --environment mistyped", "no environment mistyped of model n is recorded: there are production"),
    ],
)  # fmt: skip
def test_an_export_of_what_is_not_recorded_is_refused(
    source: Recorder, hindcast: Hindcast, tmp_path: Path, asked: str, said: str
) -> None:
    """Labels may be of every environment, so that a mistyped one would be exported with all of them; nothing is written."""
    told = hindcast(source, "export", tmp_path / "none", *asked.split())
    assert (told.code, told.line) == (2, f"hindcast: {said}")
    assert not any((tmp_path / "none").iterdir())


def test_a_range_may_reach_to_the_ends_of_the_calendar(
    source: Recorder, hindcast: Hindcast, whole: Path, tmp_path: Path
) -> None:
    """From year 1 to 9999 is the whole range; what an offset puts beyond is refused in one line, before a directory is made."""
    ends = ("--since", "0001-01-01", "--until", "9999-12-31")
    told = hindcast(source, "export", tmp_path / "ends", *ends, "--json")
    assert told.code == 0
    everything = hindcast(source, "verify", whole, "--json").facts["rows"]
    assert told.facts["rows"]["predictions"] == everything["predictions"] > 0
    for option, beyond in (("--since", "0001-01-01T00:00+05:00"), ("--until", "9999-12-31T23:00-05:00")):
        told = hindcast(source, "export", tmp_path / "beyond", option, beyond)
        assert told.code == 2
        assert f"'{option}': '{beyond}' is not in the years 1 to 9999 in UTC" in told.line
    assert not (tmp_path / "beyond").exists()


def test_an_export_tells_of_rows_that_a_clock_ahead_recorded(
    target: Recorder, hindcast: Hindcast, tmp_path: Path
) -> None:
    """They are recorded after its moment and so not in it: an export that was silent about them would be a backup with a hole."""
    ahead = {"_recorded_at": datetime.now(UTC) + timedelta(hours=5)}
    target.insert("predictions", [prediction("then", APRIL), prediction("ahead", APRIL, **ahead)])
    told = hindcast(target, "export", tmp_path / "export", "--json")
    assert (told.code, told.facts["rows"]["predictions"]) == (0, 1)
    assert "1 rows say that they were recorded later than now" in told.err
