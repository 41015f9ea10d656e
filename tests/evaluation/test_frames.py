"""The same answers in the form of the library that their reader works with, from an address alone."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from known_history import MODEL
from recorded_rows import Recorder

import evaluation
from evaluation.frames import as_frame
from evaluation.history import READ_LIMITS, History
from producers.errors import ConfigError
from stream_processors.clickhouse import QueryRefused


def test_one_answer_in_three_forms(history: History) -> None:
    """Arrow, pandas and polars hold the same rows, of named questions and of own SQL."""
    asked = {"model": MODEL, "every": "month"}
    table = history.query("volume", **asked)
    frame, polar = (
        history.query("volume", as_="pandas", **asked),
        history.query("volume", as_="polars", **asked),
    )
    assert isinstance(table, pa.Table)
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(polar, pl.DataFrame)
    assert list(frame.predictions) == polar["predictions"].to_list() == table["predictions"].to_pylist()
    assert list(frame.columns) == polar.columns == table.column_names
    assert (
        history.sql("SELECT 7 AS n", as_="pandas").n[0]
        == history.sql("SELECT 7 AS n", as_="polars")["n"][0]
        == 7
    )


def test_nested_values(history: History) -> None:
    """A map of features is a dictionary in pandas and what polars has for one; times keep their zone."""
    asked = {"model": MODEL, "entity": "N7", "most": 1}
    frame = history.query("entity_history", as_="pandas", **asked)
    assert set(frame.categorical_features[0]) == {"carrier", "origin"}
    assert str(frame.event_time.dt.tz) == "UTC"
    polar = history.query("entity_history", as_="polars", **asked)
    pairs = polar["categorical_features"][0]
    # polars before 2 knows no maps, and has pairs of key and value
    assert set(pairs if isinstance(pairs, dict) else [pair["key"] for pair in pairs]) == {"carrier", "origin"}


def test_a_form_that_there_is_not(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown form is refused before the question is asked; a package that is missing is named in one line."""
    with pytest.raises(ConfigError, match="as_ is one of arrow, pandas, polars, not 'csv'"):
        history.query("volume", as_="csv")  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="no parameter as_"):
        history.answer("volume", {"as_": "csv"})
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ConfigError, match="needs the package polars: pip install polars"):
        as_frame(pa.table({"n": [1]}), "polars")


def test_columns_of_one_name(history: History) -> None:
    """Arrow and pandas take them; polars does not, and one line says what to do."""
    assert history.sql("SELECT 7, 7").column_names == ["7", "7"]
    assert list(history.sql("SELECT 7, 7", as_="pandas").loc[0]) == [7, 7]
    with pytest.raises(ConfigError, match="2 columns are named '7': name them apart with AS"):
        history.sql("SELECT 7, 7", as_="polars")


def test_no_library_is_loaded_unasked() -> None:
    """Neither the package nor its door loads pandas or polars, and the package alone loads nothing."""
    lines = (
        "import sys, evaluation; assert 'pyarrow' not in sys.modules",
        "import sys; from evaluation import History; assert not {'pandas', 'polars'} & set(sys.modules)",
    )
    for line in lines:
        subprocess.run([sys.executable, "-c", line], check=True, timeout=120)


def test_an_address_is_enough(recorded: Recorder) -> None:
    """A URL and a database, or settings; neither is more than a name."""
    settings = recorded.store.settings
    with evaluation.History(settings.url, database=settings.database) as door:
        assert door.query("live_when", model=MODEL).num_rows == 3
    with pytest.raises(ConfigError, match="letters, digits and underscores"):
        History(settings.url, database="a; DROP DATABASE b")
    with pytest.raises(ConfigError, match="http://user:password@host:port"):
        History("clickhouse:9000")
    with pytest.raises(AttributeError, match="no attribute 'Future'"):
        _ = evaluation.Future


def test_an_analyst_asks_through_the_same_door(recorded: Recorder, analyst: str) -> None:
    """A user whom the server limits can ask: what the server fixed is not sent again, and cannot be lifted."""
    with History(analyst, database=recorded.store.database) as door:
        assert door.query("volume", model=MODEL).num_rows > 0
        with pytest.raises(QueryRefused):
            door.sql("SELECT 1 SETTINGS max_execution_time = 0")
        assert not any(door._store.may_set(name) for name in READ_LIMITS)
    assert all(recorded.store.may_set(name) for name in READ_LIMITS)
