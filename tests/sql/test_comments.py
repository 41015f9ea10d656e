"""Whatever an analyst meets in ClickHouse says there what it is."""

from __future__ import annotations

import re

from callable_rows import VIEW, callables, with_rows
from recorded_rows import Recorder

from stream_processors.clickhouse import Store
from stream_processors.sql_files import sql_directory, sql_files


def undocumented(store: Store) -> list[str]:
    """Tables, views, columns and functions of a database about which nothing is said in it."""
    bound = {"database": store.database, "functions": [path.stem for path in sql_files("functions")]}
    rows = store.rows(
        """
        SELECT what FROM (
        SELECT name AS what FROM system.tables WHERE database = {database:String} AND comment = ''
        UNION ALL
        SELECT concat(table, '.', name) FROM system.columns WHERE database = {database:String} AND comment = ''
        UNION ALL
        SELECT name FROM system.functions
        WHERE name IN {functions:Array(String)} AND name NOT IN (SELECT name FROM functions_v WHERE meaning != '')
        UNION ALL
        SELECT name FROM system.tables
        WHERE database = {database:String}
            AND name NOT IN (SELECT table FROM system.columns WHERE database = {database:String})
            AND name NOT IN (SELECT name FROM functions_v WHERE meaning != '')
        ) ORDER BY what
        """,
        bound,
    )
    return [row["what"] for row in rows]


def test_nothing_is_without_its_comment(recorder: Recorder) -> None:
    """Every table, view and column has a comment; what can have none is told in functions_v."""
    assert undocumented(recorder.store) == []
    count = recorder.store.command(
        "SELECT count() FROM system.columns WHERE database = {d:String}", {"d": recorder.store.database}
    )
    assert count > 500


def test_what_says_nothing_is_found(recorder: Recorder) -> None:
    """A table without a comment, a column without one, and a view with a parameter that nobody tells of."""
    recorder.store.command("CREATE TABLE silent (a Int8 COMMENT 'said', b Int8) ENGINE = Memory")
    recorder.store.command("CREATE VIEW silent_of AS SELECT {t:Int8} AS a COMMENT 'said'")
    try:
        assert undocumented(recorder.store) == ["silent", "silent.b", "silent_of"]
    finally:
        recorder.store.command("DROP TABLE silent SYNC")
        recorder.store.command("DROP TABLE silent_of")


def test_functions_are_told_as_their_files_do(recorder: Recorder) -> None:
    """functions_v holds the headers of the files: `python tests/sql/callable_rows.py` makes it anew."""
    text = (sql_directory("views") / VIEW).read_text(encoding="utf-8")
    assert with_rows(text) == text
    assert recorder.store.rows("SELECT * FROM functions_v ORDER BY kind, name") == [
        vars(one) for one in sorted(callables(), key=lambda one: (one.kind, one.name))
    ]
    assert all(one.meaning and one.call.startswith(one.name) for one in callables())


def test_only_headers_are_told() -> None:
    """A remark inside the SQL is nobody's documentation: every meaning stands above its file's first statement."""
    files = [*sql_files("functions"), *sql_files("views")]
    told = [path.read_text(encoding="utf-8").partition("\nCREATE ")[0].replace("\n--", "") for path in files]
    headers = " ".join(" ".join(told).split())
    assert [one.name for one in callables() if " ".join(one.meaning.split()[-6:]) not in headers] == []


def test_views_with_parameters_have_the_columns_that_their_headers_tell(recorder: Recorder) -> None:
    """ClickHouse keeps no columns of them, so that nobody could see one that is told and not there, or there and not told."""

    def columns(source: str) -> list[str]:
        return [row["name"] for row in recorder.store.rows(f"DESCRIBE TABLE {source}")]

    meanings = {one.name: one.meaning for one in callables()}
    for name in ("labels_as_of", "quality_as_of"):
        told = re.sub(r"\([^()]*\)", "", meanings[name].partition("columns: ")[2])
        assert sorted(columns(f"{name}(t = now64())")) == sorted(told.replace(" ", "").split(","))
    period = "model = '', environment = '', since = '2024-01-01', until = '2024-01-02', widest = 0"
    between = columns(f"feature_windows_between({period})")
    assert between == [name for name in columns("feature_windows") if name not in {"mean", "deviation"}]
    of_entity = columns("outcomes_all_of(t = now64(), model = '', entity = '')")
    assert of_entity == columns("outcomes_v") == columns("outcomes_all_as_of(t = now64())")
