"""The SQL functions against numpy and scipy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from recorded_rows import Recorder
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.metrics import roc_auc_score

from stream_processors.sketches.bins import histogram_bins, midpoint
from stream_processors.sql_files import sql_directory, sql_files

PRECISIONS = (0, 1, 4, 5, 7, 10, 20)


def hostile_doubles() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Finite doubles: random bit patterns, subnormals, both zeros, the extremes and the design's table."""
    random = np.random.default_rng(1)
    patterns = random.integers(0, 2**64, 20_000, dtype=np.uint64).view(np.float64)
    subnormal = random.integers(0, 2**52, 2_000, dtype=np.uint64).view(np.float64)
    top = np.finfo(np.float64).max
    named = np.array(
        [0.0, -0.0, 5e-324, -5e-324, top, -top, 3.14159, -3.14159, 2021.0, 288.37, 1.0, -1.0, 2.0**-1022]
    )
    every = np.concatenate([patterns, subnormal, -subnormal, named])
    finite: np.ndarray[Any, np.dtype[np.float64]] = every[np.isfinite(every)]
    return finite


@pytest.fixture(scope="module")
def doubles(recorder: Recorder) -> Iterator[np.ndarray[Any, np.dtype[np.float64]]]:
    """The hostile doubles, also in table `doubles`, in the same order, which is gone when they are."""
    values = hostile_doubles()
    recorder.store.command("CREATE TABLE doubles (n UInt32, x Float64) ENGINE = MergeTree ORDER BY n")
    numbers = pa.array(np.arange(len(values), dtype=np.uint32))
    recorder.store.insert(
        "doubles", pa.table({"n": numbers, "x": values}), query_id=f"doubles-{recorder.store.database}"
    )
    yield values
    recorder.store.command("DROP TABLE doubles SYNC")


def bits(values: Any) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Bit patterns, which tell -0.0 from 0.0."""
    return np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)


def test_histograms_of_two_precisions_compare_once_the_finer_is_coarsened(recorder: Recorder) -> None:
    """By the expression in the header of hindcast_aligned: as they are, hardly a bin is the same, and one distribution looks like two."""
    text = (
        (sql_directory("functions") / "hindcast_aligned.sql").read_text(encoding="utf-8").replace("\n--", "")
    )
    coarsened = re.search(r"arrayReduce\('sumMap', \[arrayMap\(bin -> hindcast_bin.*?\[counts\]\)", text)
    assert coarsened is not None
    values = np.random.default_rng(1).gamma(2, 20, 4_000)
    fine, coarse = (np.unique(histogram_bins(values, p), return_counts=True) for p in (7, 5))
    bound = {
        "bins": fine[0].tolist(),
        "counts": fine[1].tolist(),
        "other": coarse[0].tolist(),
        "others": coarse[1].tolist(),
    }
    (found,) = recorder.store.rows(
        f"""
        WITH {{bins:Array(Float64)}} AS bins, {{counts:Array(UInt64)}} AS counts, 5 AS p, {coarsened[0]} AS same
        SELECT hindcast_psi(bins, counts, {{other:Array(Float64)}}, {{others:Array(UInt64)}}) AS as_they_are,
            hindcast_psi(same.1, same.2, {{other:Array(Float64)}}, {{others:Array(UInt64)}}) AS at_one_precision
        """,
        bound,
    )
    assert found["as_they_are"] > 1
    assert found["at_one_precision"] == 0


@pytest.mark.parametrize("precision", PRECISIONS)
def test_bin_agrees_with_numpy_bit_for_bit(
    recorder: Recorder, doubles: np.ndarray[Any, np.dtype[np.float64]], precision: int
) -> None:
    """Every finite double falls into the same bin, at every precision, and its bin has the same middle."""
    answer = recorder.store.arrow(
        "SELECT hindcast_bin(x, {p:UInt8}) AS bin, hindcast_midpoint(bin, {p:UInt8}) AS middle FROM doubles ORDER BY n",
        {"p": precision},
    )
    wanted = histogram_bins(doubles, precision)
    assert np.array_equal(bits(answer["bin"].to_numpy()), bits(wanted))
    assert np.array_equal(bits(answer["middle"].to_numpy()), bits(midpoint(wanted, precision)))


def test_bin_of_the_designs_table(recorder: Recorder) -> None:
    """The table of the design, with whole numbers and nullable columns as they come."""
    answer = recorder.store.arrow(
        "SELECT hindcast_bin(2021, 10), hindcast_bin(2021, 4), hindcast_bin(288.37, 7), hindcast_bin(-3.14159, 4),"
        " hindcast_bin(-0.0, 5), hindcast_bin(CAST(NULL, 'Nullable(Float64)'), 5), hindcast_bin(toFloat32(0.5), 5)"
    )
    assert [column[0].as_py() for column in answer.columns] == [2021.0, 1984.0, 288.0, -3.125, 0.0, None, 0.5]


def two_histograms(seed: int) -> tuple[list[float], list[int], list[float], list[int]]:
    """Histograms that share some bins, with an empty bin on each side."""
    random = np.random.default_rng(seed)
    bins = np.unique(np.round(random.normal(0, 30, 60)))
    sides = []
    for _ in range(2):
        kept = np.sort(random.choice(bins, len(bins) * 2 // 3, replace=False))
        counts = random.integers(0, 200, len(kept))
        counts[1] = 0
        sides += [kept.tolist(), counts.tolist()]
    return sides[0], sides[1], sides[2], sides[3]


def asked(recorder: Recorder, function: str, sides: tuple[Any, ...], kind: str = "Float64") -> Any:
    """The answer of a function of two histograms, bound as parameters."""
    names = dict(zip("abcd", sides, strict=True))
    types = {"a": f"Array({kind})", "b": "Array(Int64)", "c": f"Array({kind})", "d": "Array(Int64)"}
    arguments = ", ".join(f"{{{name}:{types[name]}}}" for name in "abcd")
    return recorder.store.arrow(f"SELECT {function}({arguments}) AS value", names)["value"][0].as_py()


def aligned(sides: tuple[list[Any], list[int], list[Any], list[int]]) -> tuple[Any, Any, Any]:
    """Both sides on the union of their bins, by numpy."""
    union = sorted({*sides[0], *sides[2]})
    ours, theirs = dict(zip(sides[0], sides[1], strict=True)), dict(zip(sides[2], sides[3], strict=True))
    return (
        np.array(union),
        np.array([ours.get(b, 0) for b in union]),
        np.array([theirs.get(b, 0) for b in union]),
    )


@pytest.mark.parametrize("seed", range(5))
def test_distances_equal_numpy_and_scipy(recorder: Recorder, seed: int) -> None:
    """PSI, Jensen-Shannon, Kolmogorov-Smirnov and Wasserstein-1 of two histograms equal an independent computation."""
    sides = two_histograms(seed)
    union, ours, theirs = aligned(sides)
    p = (ours + 0.5) / (ours.sum() + 0.5 * len(union))
    q = (theirs + 0.5) / (theirs.sum() + 0.5 * len(union))
    assert asked(recorder, "hindcast_psi", sides) == pytest.approx(((p - q) * np.log(p / q)).sum(), abs=1e-12)
    assert asked(recorder, "hindcast_js", sides) == pytest.approx(
        jensenshannon(ours, theirs, base=2), abs=1e-12
    )
    samples = np.repeat(union, ours), np.repeat(union, theirs)
    assert asked(recorder, "hindcast_ks", sides) == pytest.approx(ks_2samp(*samples).statistic, abs=1e-12)
    assert asked(recorder, "hindcast_wasserstein", sides) == pytest.approx(
        wasserstein_distance(union, union, ours, theirs), abs=1e-10
    )


def test_distances_of_categories(recorder: Recorder) -> None:
    """PSI and Jensen-Shannon take names as bins, in any order and with any letters."""
    sides = (["b'", "a", "ü"], [5, 10, 1], ["a", "\\", "b'"], [7, 3, 9])
    _, ours, theirs = aligned(sides)
    p, q = (ours + 0.5) / (ours.sum() + 2), (theirs + 0.5) / (theirs.sum() + 2)
    assert asked(recorder, "hindcast_psi", sides, "String") == pytest.approx(
        ((p - q) * np.log(p / q)).sum(), abs=1e-12
    )
    assert asked(recorder, "hindcast_js", sides, "String") == pytest.approx(
        jensenshannon(ours, theirs, base=2), abs=1e-12
    )


@pytest.mark.parametrize("function", ["hindcast_psi", "hindcast_js", "hindcast_ks", "hindcast_wasserstein"])
def test_nothing_has_no_distance(recorder: Recorder, function: str) -> None:
    """A side without a count has no distance, and equal sides have distance 0."""
    assert asked(recorder, function, ([], [], [1.0], [5])) is None
    assert asked(recorder, function, ([1.0, 2.0], [3, 4], [1.0, 2.0], [0, 0])) is None
    assert asked(recorder, function, ([1.0, 2.0], [3, 4], [1.0, 2.0], [6, 8])) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("path", sql_files("functions"), ids=lambda path: path.stem)
def test_functions_say_what_they_do_by_an_example(recorder: Recorder, path: Any) -> None:
    """Each function's header has an example whose stated result comes out."""
    text = path.read_text(encoding="utf-8")
    assert re.search(rf"CREATE OR REPLACE FUNCTION {path.stem}\{{on_cluster\}} AS", text)
    example = re.search(r"^-- example: (SELECT .*) -- (.*)$", text, re.MULTILINE)
    assert example is not None
    value = recorder.store.command(f"SELECT toString(({example[1].removeprefix('SELECT ')}))")
    assert str(value) == example[2]


def test_quantile_is_the_least_value_that_is_enough(recorder: Recorder) -> None:
    """Equal weights, whatever they are, give the value of that rank; one heavy value takes the share that it weighs."""
    random = np.random.default_rng(11)
    for n in (1, 2, 99, 100, 101, 700):
        values = np.round(random.normal(size=n), 2)
        for weight in (1.0, 1 / 0.3, 1e9 / 7):
            asked = {"values": values.tolist(), "weights": [weight] * n}
            for percent in (1, 5, 50, 95, 99, 100):
                [row] = recorder.store.rows(
                    f"SELECT hindcast_quantile({asked['values']}, {asked['weights']}, {percent}) AS q"
                )
                assert row["q"] == np.sort(values)[-(-n * percent // 100) - 1]
    [row] = recorder.store.rows("SELECT hindcast_quantile([3., 1., 2.], [1, 1, 0.1], 50) AS q")
    assert row["q"] == 2
    [row] = recorder.store.rows("SELECT hindcast_quantile(emptyArrayFloat64(), emptyArrayFloat64(), 50) AS q")
    assert row["q"] is None


@pytest.mark.parametrize("rates", [(1.0,), (0.3,), (1.0, 0.5, 0.1)])
def test_area_equals_scikit_learn(recorder: Recorder, rates: tuple[float, ...]) -> None:
    """With ties, both zeros, infinities' neighbours and weights; unknown without both classes."""
    random = np.random.default_rng(12)
    scores = np.concatenate([np.round(random.normal(size=300), 1), [0.0, -0.0, -0.0, 1e300, -1e300]])
    truth = random.random(len(scores)) < 0.4
    weights = 1 / random.choice(rates, len(scores))
    statement = "SELECT hindcast_roc_auc({}, {}, {}) AS area"
    [row] = recorder.store.rows(
        statement.format(scores.tolist(), truth.astype(int).tolist(), weights.tolist())
    )
    assert row["area"] == pytest.approx(roc_auc_score(truth, scores, sample_weight=weights), abs=1e-12)
    [row] = recorder.store.rows(statement.format([0.1, 0.2], [1, 1], [1, 2]))
    assert row["area"] is None


def test_distances_of_weighed_histograms(recorder: Recorder) -> None:
    """Counts that are estimates keep their fractions."""
    [row] = recorder.store.rows("SELECT hindcast_aligned([1., 2.], [0.75, 2.5], [2.], [3.25]) AS a")
    assert list(row["a"].values()) == [[1, 2], [0.75, 2.5], [0, 3.25]]
