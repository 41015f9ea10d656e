"""The whole road on a year of real flights: every figure is worked out again from the input."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rich.console import Console
from road import independent
from waiting import eventually

from evaluation.history import History
from hindcast.demo import flights, run, story
from hindcast.demo.report import page, terminal
from hindcast.demo.report.figures import Figures
from hindcast.local.stack import LocalStack
from stream_processors.contracts.model import Contract
from stream_processors.settings import ClickHouseSettings

pytestmark = pytest.mark.timeout(1200)

MODEL = story.MODEL
KEY = ["month", "version", "served"]


@dataclass(frozen=True)
class Year:
    """What the demo recorded and reported, and what it should have."""

    figures: Figures
    history: History
    expected: pd.DataFrame
    resent: pd.DataFrame


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    """The demo as `make demo` runs it, kept running to be asked."""
    directory = tmp_path_factory.mktemp("demo")
    figures = run.run_demo(run.DemoOptions(directory, keep=True), Console(quiet=True))
    stack = LocalStack(directory)
    try:
        departures = flights.departures()
        told = story.tell(departures, run.SEED)
        ids = dict(zip(departures["flight_key"], story.flight_ids(departures, run.SEED), strict=True))
        expected = independent.served(independent.departures())
        expected["prediction_id"] = expected["flight_key"].map(ids)
        resent = told.predictions.iloc[told.resent]
        yield Year(
            figures, History(ClickHouseSettings.from_environment(stack.environment())), expected, resent
        )
    finally:
        stack.down()


def _frame(history: History, statement: str, parameters: Mapping[str, object] | None = None) -> pd.DataFrame:
    table: pa.Table = history.sql(statement, parameters)
    return table.to_pandas()


def _put_right(year: Year) -> None:
    """Wait until the monitor has replaced what resends had counted twice: the demo does not wait for that."""
    counts = "SELECT toInt64(sum(events)) FROM feature_windows WHERE `column` = '@events' AND slice = ''"
    statement = f"SELECT ({counts}) AS counted, (SELECT toInt64(count()) FROM predictions FINAL) AS stored"

    def agree() -> None:
        found = _frame(year.history, statement)
        assert found["counted"].tolist() == found["stored"].tolist()

    eventually(agree, within=600, saying="totals of every window with resends")


def test_counts_are_those_of_the_input(year: Year) -> None:
    """302,213 served, 57,446 shadow; 301,123 served flights labelled; half a percent corrected."""
    served = _frame(
        year.history, "SELECT served, count() AS n FROM predictions FINAL GROUP BY served ORDER BY served"
    )
    assert served["n"].tolist() == [(~year.expected["served"]).sum(), 302_213]
    labelled = _frame(year.history, "SELECT count() AS n FROM outcomes_v WHERE label_state = 'labelled'")
    assert labelled["n"].tolist() == [301_123]
    assert year.expected["served"].sum() == 302_213


def test_rows_are_the_input_once_each(year: Year) -> None:
    """Every prediction is there once, with its features, score and decision; resends are removed."""
    columns = ", ".join(
        [f"numeric_features['{name}'] AS {name}" for name in independent.NUMBERS]
        + [f"categorical_features['{name}'] AS {name}" for name in independent.WORDS]
    )
    rows = _frame(
        year.history,
        f"SELECT prediction_id, model_version AS version, served, event_time, score, decision, {columns} FROM predictions FINAL",
    ).sort_values(["prediction_id", "version"], ignore_index=True)
    wanted = year.expected.sort_values(["prediction_id", "version"], ignore_index=True)
    assert len(rows) == len(wanted)
    for name in ("prediction_id", "version", "served", "decision", *independent.WORDS):
        assert (rows[name].astype(str) == wanted[name].astype(str)).all(), name
    for name in independent.NUMBERS:
        np.testing.assert_array_equal(rows[name].to_numpy(float), wanted[name].to_numpy(float), err_msg=name)
    assert (rows["event_time"].dt.tz_convert("UTC") == wanted["at"]).all()
    np.testing.assert_allclose(rows["score"], wanted["score"], rtol=0, atol=1e-9)


def test_histograms_are_exact(year: Year) -> None:
    """Bins and counts of every number of every day, version and origin are those of the events; resends are put right by the monitor's totals."""
    _put_right(year)
    contract = Contract.from_yaml(run.CONTRACT.read_text(encoding="utf-8"))
    events = year.expected.rename(columns={"version": "model_version"}).assign(day=lambda r: r["at"].dt.date)
    found = _frame(
        year.history,
        "SELECT model_version, served, slice, window_start, `column`, bins, counts, nulls FROM feature_windows "
        "WHERE column_kind = 'numeric' AND (slice = '' OR slice LIKE 'origin=%') AND NOT startsWith(`column`, '@')",
    )
    assert len(found) > 15_000
    days = dict(iter(events.groupby(["model_version", "served", "day"])))
    for (version, served, start), windows in found.groupby(["model_version", "served", "window_start"]):
        rows = days[version, served, start.date()]
        for slice_name, column, bins, counts, nulls in windows[
            ["slice", "column", "bins", "counts", "nulls"]
        ].itertuples(index=False):
            part = rows if not slice_name else rows[rows["origin"] == slice_name.removeprefix("origin=")]
            expected = independent.histogram(part[column], contract.features[column].precision)
            assert dict(zip(bins.tolist(), counts.tolist(), strict=True)) == expected, (
                version,
                start,
                slice_name,
                column,
            )
            assert nulls == part[column].isna().sum()


def test_categories_are_exact(year: Year) -> None:
    """Counts of every category of every day are those of the events; resends are put right."""
    _put_right(year)
    events = year.expected.rename(columns={"version": "model_version"}).assign(day=lambda r: r["at"].dt.date)
    found = _frame(
        year.history,
        "SELECT model_version, served, window_start, `column`, `values`, counts FROM feature_windows "
        "WHERE column_kind = 'categorical' AND slice = '' AND NOT startsWith(`column`, '@')",
    )
    days = dict(iter(events.groupby(["model_version", "served", "day"])))
    assert set(found["column"]) == set(independent.WORDS)
    for version, served, start, column, values, counts in found.itertuples(index=False):
        expected = days[version, served, start.date()][column].value_counts().to_dict()
        assert {v: c for v, c in zip(values.tolist(), counts.tolist(), strict=True) if c} == expected, (
            version,
            start,
            column,
        )


def test_quality_is_scikit_learns(year: Year) -> None:
    """AUC, log loss and confusion per version and month agree with scikit-learn to 1e-9, in the query and in the report."""
    expected = independent.quality(year.expected)
    found = year.history.query("quality_by_version_and_month", model=MODEL, traffic="all").to_pylist()
    areas = {
        (f"{row['month']:%Y-%m}", row["model_version"], row["served"]): row["roc_auc"]
        for row in year.history.query("roc_auc_by_month", model=MODEL, traffic="all").to_pylist()
    }
    assert len(found) == len(expected) == 14
    for row in found:
        key = f"{row['month']:%Y-%m}", row["model_version"], row["served"]
        wanted = expected[key]
        confusion = [
            [row["true_negatives"], row["false_positives"]],
            [row["false_negatives"], row["true_positives"]],
        ]
        assert (row["predictions"], row["labelled"], confusion) == (
            wanted["predictions"],
            wanted["labelled"],
            wanted["confusion"],
        )
        assert row["log_loss"] == pytest.approx(wanted["log_loss"], abs=1e-9)
        assert areas[key] == pytest.approx(wanted["auc"], abs=1e-9)
    for row in year.figures.quality:
        wanted = expected[row.month, row.version, row.served]
        assert row.auc.value == pytest.approx(wanted["auc"], abs=1e-9)
        # January 2014 is one day, from which no interval can be had
        assert row.month == "2014-01" or row.auc.low < row.auc.value < row.auc.high
        assert row.log_loss.value == pytest.approx(wanted["log_loss"], abs=1e-9)


def test_streamed_quality_agrees_with_the_rows(year: Year) -> None:
    """The joiner's daily counts, added up, are the confusion matrix of the rows."""
    streamed = _frame(
        year.history,
        "SELECT formatDateTime(window_start, '%Y-%m') AS month, model_version, served, sum(predictions) AS predictions, "
        "sum(labelled) AS labelled, sum(sums['log_loss']) AS log_loss FROM quality_v WHERE slice = '' GROUP BY ALL",
    )
    expected = independent.quality(year.expected)
    assert len(streamed) == len(expected)
    for row in streamed.itertuples():
        wanted = expected[row.month, row.model_version, row.served]
        assert (row.predictions, row.labelled) == (wanted["predictions"], wanted["labelled"])
        assert row.log_loss / row.labelled == pytest.approx(wanted["log_loss"], abs=1e-9)


def test_the_kilometre_day_alone_alerts_on_distance(year: Year) -> None:
    """A severe alert for distance in slice JFK of both versions at work that day; on no other day any for distance."""
    alerts = [row for row in year.figures.alerts if row["column"] == "distance"]
    assert {f"{row['started_at']:%Y-%m-%d}" for row in alerts} == {"2013-08-14"}
    at_jfk = [row for row in alerts if row["slice"] == "origin=JFK"]
    assert sorted((row["model_version"], row["severity"]) for row in at_jfk) == [
        ("1", "severe"),
        ("2", "severe"),
    ]
    assert {row["slice"] for row in alerts} <= {"", "origin=JFK"}


def test_carriers_are_insufficient(year: Year) -> None:
    """No carrier has 200 departures on a day, and without roll-ups none is judged."""
    states = _frame(year.history, "SELECT DISTINCT state FROM drift_v WHERE slice LIKE 'carrier=%'")
    assert states["state"].tolist() == ["insufficient"]


def test_every_event_is_accounted_for(year: Year) -> None:
    """Accepted is recorded plus duplicates removed; the garbage lies in the dead letters; nothing is in flight."""
    (row,) = year.figures.accounting
    assert (
        row["accepted"]
        == row["recorded"] + row["duplicates_removed"]
        == len(year.expected) + len(year.resent)
    )
    assert (row["recorded"], row["duplicates_removed"]) == (len(year.expected), len(year.resent))
    assert row["dropped"] == row["failed"] == row["spooled"] == row["in_flight"] == 0
    assert sum(one["messages"] for one in year.figures.dead_letters) == 5


def test_a_month_is_known_better_later(year: Year) -> None:
    """June as known on 1 July has fewer labels than on 8 July, and in September all that will ever come."""
    first, second, last = year.figures.as_known
    assert first.labelled < second.labelled < last.labelled
    june = year.expected[(year.expected["at"].dt.strftime("%Y-%m") == "2013-06") & year.expected["served"]]
    assert last.labelled == june["truth"].notna().sum()
    assert last.predictions == len(june)


def test_the_page_needs_nothing_from_elsewhere(year: Year) -> None:
    """The report is one page with its pictures inside and no script, font or picture from a network."""
    text = page.render(year.figures)
    assert text.count("<svg") == 5
    assert "<script" not in text
    assert not re.search(r'(src|href)="https?:', text)
    assert "2013-08-14" in text


def _alike(quoted: str, printed: str) -> bool:
    """Equal texts and counts; shares and scores may differ a little, as versions of scikit-learn do."""
    decimals = r"\d+\.\d+"
    if re.sub(decimals, "#", quoted.strip()) != re.sub(decimals, "#", printed.strip()):
        return False
    pairs = zip(re.findall(decimals, quoted), re.findall(decimals, printed), strict=True)
    return all(abs(float(one) - float(other)) < 0.01 for one, other in pairs)


def test_the_readme_quotes_this_report(year: Year) -> None:
    """Every line of the report that the README shows is one that the report prints."""
    printed = io.StringIO()
    terminal.show(year.figures, Console(file=printed, width=80))
    lines = printed.getvalue().splitlines()
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    quoted = re.findall(r"```text\n( month .*?)```", readme, re.DOTALL)[0].splitlines()
    assert len(quoted) > 10
    assert [one for one in quoted if one and not any(_alike(one, line) for line in lines)] == []
