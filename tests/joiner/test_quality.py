"""Quality windows from real traffic, equal to what pandas and scikit-learn make of the same rows."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joiner import figures
from joiner.joining_road import DAY, Road, micros, said, told
from waiting import eventually

from stream_processors.contracts.model import Contract

HOUR = timedelta(hours=1)
Row = dict[str, Any]


def window_of(rows: list[Row], start: Any = DAY, slice_name: str = "") -> Row | None:
    """One window of one slice."""
    return next((row for row in rows if row["window_start"] == start and row["slice"] == slice_name), None)


def measured(road: Road, model: str, **wanted: Any) -> list[Row]:
    """The model's windows once the first whole one shows these values."""

    def there() -> list[Row]:
        rows = road.quality(model)
        seen = window_of(rows)
        assert seen is not None
        assert {name: seen[name] for name in wanted} == wanted
        return rows

    return eventually(there, within=30, saying=f"quality of {model} {wanted}")


def close_to(wanted: Row) -> Any:
    """Equal to 1e-9."""
    return pytest.approx(wanted, rel=1e-9, abs=1e-9)


def cells(row: Row) -> Row:
    """The confusion by (truth, decision)."""
    return {(cell["truth"], cell["decision"]): cell["count"] for cell in row["confusion"]}


def traffic(model: str, n: int, seed: int) -> tuple[list[Row], list[Row]]:
    """A day of binary predictions with ties, missing scores and decisions, and facts of every kind, late and corrected."""
    random = np.random.default_rng(seed)
    predictions, facts = [], []
    for place in range(n):
        at = DAY + timedelta(seconds=int(random.integers(0, 2 * 3600)))
        score = None if random.random() < 0.05 else round(float(random.random()), 2)
        decision = None if random.random() < 0.5 else str(random.choice(["late", "on_time"]))
        features = {"origin": str(random.choice(["JFK", "LGA", "EWR", "@other"])), "weight": 1.5}
        segments = {"tier": "a&b"} if random.random() < 0.5 else {}
        predictions.append(
            said(
                f"{model}-{place}",
                model,
                at,
                score=score,
                decision=decision,
                features=features,
                segments=segments,
            )
        )
        if random.random() < 0.9:
            true_at = at + timedelta(minutes=int(random.integers(1, 300)))
            first = told(
                f"{model}-{place}", model, true_at, true_at=micros(true_at), truth=truth_of(random, score)
            )
            facts.append(first)
            if random.random() < 0.2:
                kind = str(random.choice(["correction", "retraction", "void"]))
                truth = {"truth": truth_of(random, score)} if kind == "correction" else {}
                # half of them in the very moment of the truth: the kind decides
                later = true_at + HOUR * int(random.integers(0, 2))
                facts.append(
                    told(f"{model}-{place}", model, later, true_at=micros(true_at), kind=kind, **truth)
                )
    random.shuffle(facts)
    return predictions, facts


def truth_of(random: np.random.Generator, score: float | None) -> str:
    """Later is likelier at higher scores."""
    return "late" if random.random() < (0.5 if score is None else score) else "on_time"


def test_binary_windows_and_slices_equal_scikit_learn(road: Road) -> None:
    """Counts, confusion, figures, histograms and lags of every window and slice are those of the rows sent."""
    contract = Contract.model_validate(
        {
            "model": "binary",
            "prediction": {"positive_class": "late", "classes": ["late", "on_time"], "threshold": 0.4},
            "slices": [
                {"by": "origin", "values": ["JFK", "@other"]},
                {"by": ["origin", "tier"], "values": [["JFK", "a&b"]]},
            ],
            "windows": {"base": "1h", "rollups": []},
            "retention_days": 0,
        }
    )
    road.publish(contract)
    predictions, facts = traffic("binary", 600, seed=1)
    half = len(facts) // 2
    road.send("labels", facts[:100])
    road.send("predictions", predictions + predictions[:30])
    road.send("labels", facts[100:half])
    road.send("labels", facts[half:] + facts[:50])
    rows = figures.current(predictions, facts)
    features = rows["categorical_features"].map(lambda one: one["origin"])
    tier = rows["segments"].map(lambda one: one.get("tier"))
    slices = {
        "": rows["score"] == rows["score"],
        "origin=JFK": features == "JFK",
        "origin=%40other": features == "@other",
        "origin=@other": features.isin(["LGA", "EWR"]),
        "origin=JFK&tier=a%26b": (features == "JFK") & (tier == "a&b"),
        "origin=@other&tier=@other": ~((features == "JFK") & (tier == "a&b")),
    }
    slices[""] = pd.Series(data=True, index=rows.index)
    hour = (rows["event_time"] - micros(DAY)) // (3600 * 10**6)
    found = measured(road, "binary", **figures.counts(rows[hour == 0]))
    eventually(
        lambda: (
            window_of(road.quality("binary"), DAY + HOUR)["labelled"]
            == figures.counts(rows[hour == 1])["labelled"]
        ),
        within=20,
        saying="the second window",
    )
    found = road.quality("binary")
    assert len(found) == 2 * len(slices)
    for number in (0, 1):
        for name, inside in slices.items():
            part = rows[inside & (hour == number)]
            row = window_of(found, DAY + number * HOUR, name)
            assert row is not None, name
            assert {key: row[key] for key in ("predictions", "labelled", "void")} == figures.counts(part)
            confusion, wanted = figures.binary(part, "late", "on_time", 0.4)
            assert cells(row) == confusion
            assert dict(row["metrics"]) == close_to(wanted)
            assert dict(row["lags"]) == close_to(figures.lags(part))
            histogram = {one["truth"]: sum(one["counts"]) for one in row["score_histograms"]}
            there = part[(part["state"] == "labelled") & part["score"].notna()]
            assert histogram == there["truth"].value_counts().to_dict()
            assert row["contract"] == contract.digest()
            assert dict(row["sums"])["n_log_loss"] == len(there)


def test_equal_scores_are_as_calibrated_as_their_mean_truth(road: Road) -> None:
    """Bins that cut through equal scores add no error: exactly calibrated scores have none, and a fixed excess is told as it is."""
    shares = {
        "coin": [(0.5, 750, 1500)],
        "two": [(0.2, 200, 1000), (0.8, 400, 500)],
        "high": [(0.75, 50, 100)],
    }
    for model, said_and_true in shares.items():
        rows = [(score, k < true) for score, true, n in said_and_true for k in range(n)]
        road.send(
            "predictions", [said(f"t{k}", model, DAY, score=score) for k, (score, _) in enumerate(rows)]
        )
        road.send(
            "labels", [told(f"t{k}", model, DAY, truth=str(true).lower()) for k, (_, true) in enumerate(rows)]
        )
    for model, ece in (("coin", 0), ("two", 0), ("high", 0.25)):
        (row,) = measured(road, model, labelled=sum(n for _, _, n in shares[model]))
        figures_of = dict(row["metrics"])
        assert figures_of["ece"] == pytest.approx(ece, abs=1e-9)
        assert figures_of["roc_auc"] == pytest.approx(7 / 9 if model == "two" else 1 / 2)


def test_numbers_equal_scikit_learn(road: Road) -> None:
    """Errors of a regression, with truths of zero and missing scores among them; what is not finite is counted and in no figure."""
    road.publish(
        Contract.model_validate(
            {
                "model": "numbers",
                "prediction": {"kind": "regression"},
                "windows": {"base": "1d", "rollups": []},
            }
        )
    )
    random = np.random.default_rng(2)
    predictions, facts = [], []
    for place in range(300):
        at = DAY + timedelta(seconds=int(random.integers(0, 86400)))
        score = None if place % 20 == 0 else float(random.normal(1e6, 3))
        truth = 0.0 if place % 30 == 1 else float(random.normal(1e6, 3))
        predictions.append(said(f"n{place}", "numbers", at, score=score))
        facts.append(told(f"n{place}", "numbers", at + HOUR, truth_value=truth))
    odd = [(1.0, math.inf), (1.0, -math.inf), (math.nan, 1.0), (-math.inf, 1.0), (math.inf, math.inf)]
    road.send("predictions", predictions)
    road.send(
        "predictions", [said(f"odd{n}", "numbers", DAY, score=score) for n, (score, _) in enumerate(odd)]
    )
    road.send("labels", facts)
    road.send(
        "labels", [told(f"odd{n}", "numbers", DAY, truth_value=truth) for n, (_, truth) in enumerate(odd)]
    )
    found = window_of(measured(road, "numbers", labelled=305))
    assert found is not None
    assert dict(found["metrics"]) == close_to(figures.regression(figures.current(predictions, facts)))
    assert found["confusion"] == []


def test_many_classes_equal_scikit_learn(road: Road) -> None:
    """Macro and weighted F1, log loss and Brier score of three classes, one of which is never true; probabilities that are none count for nothing."""
    prediction = {"kind": "multiclass", "classes": ["a", "b", "c", "d"]}
    road.publish(
        Contract.model_validate(
            {"model": "classes", "prediction": prediction, "windows": {"base": "1d", "rollups": []}}
        )
    )
    random = np.random.default_rng(3)
    predictions, facts = [], []
    for place in range(300):
        p = random.dirichlet(np.ones(4)).round(6)
        p[3] = round(1 - p[:3].sum(), 6)
        decision = None if place % 25 == 0 else "abcd"[int(p.argmax())]
        probabilities = dict(zip("abcd", p.tolist(), strict=True))
        predictions.append(said(f"c{place}", "classes", DAY, probabilities=probabilities, decision=decision))
        facts.append(told(f"c{place}", "classes", DAY, truth="abc"[int(random.integers(0, 3))]))
    road.send("predictions", predictions)
    road.send("labels", facts)
    for odd in (math.nan, math.inf):
        probabilities = {"a": 0.5, "b": odd, "c": 0.5}
        for truth in "ab":
            road.send("predictions", [said(f"{odd}{truth}", "classes", DAY, probabilities=probabilities)])
            road.send("labels", [told(f"{odd}{truth}", "classes", DAY, truth=truth)])
    found = window_of(measured(road, "classes", labelled=304))
    assert found is not None
    rows = figures.current(predictions, facts)
    assert sum(cells(found).values()) == 288
    wanted = figures.multiclass(rows)
    for name in ("log_loss", "brier"):
        wanted[name] = figures.multiclass(rows.assign(decision="a"))[name]
    assert dict(found["metrics"]) == close_to(wanted)


def test_without_a_contract_windows_are_hours(road: Road) -> None:
    """Booleans are judged at one half, and a window has the rows of its hour."""
    road.send("predictions", [said(f"x{k}", "bare", DAY + k * HOUR / 4, score=k / 8) for k in range(8)])
    road.send(
        "labels",
        [told(f"x{k}", "bare", DAY + 3 * HOUR, truth="true" if k % 2 else "false") for k in range(8)],
    )
    rows = measured(road, "bare", predictions=4, labelled=4)
    assert cells(rows[0]) == {("true", "false"): 2, ("false", "false"): 2}
    assert cells(rows[1]) == {("true", "true"): 2, ("false", "true"): 2}
    assert [row["window_end"] - row["window_start"] for row in rows] == [HOUR, HOUR]
    assert rows[0]["contract"] == ""


def test_a_window_without_any_label_has_a_row_once_it_closes(road: Road) -> None:
    """Nobody labels it; when the profilers' stretches have passed its end it is counted, and says that it closed."""
    road.send("predictions", [said("silent", "unlabelled", DAY)])
    road.joined()
    road.close_windows()
    rows = measured(road, "unlabelled", predictions=1, labelled=0, closed=True)
    assert rows[0]["coverage"] == 0
    assert rows[0]["metrics"] == []


def test_the_horizon_decides_what_is_due(road: Road) -> None:
    """A window older than the label horizon is not provisional: voids leave the denominator of its coverage."""
    for model, horizon in (("young", "30d"), ("old", "1d")):
        road.publish(
            Contract.model_validate(
                {"model": model, "label": {"horizon": horizon}, "windows": {"base": "1h", "rollups": []}}
            )
        )
        road.send("predictions", [said(f"{model}{k}", model, DAY) for k in range(4)])
        road.send(
            "labels", [told(f"{model}{k}", model, DAY, **({} if k else {"kind": "void"})) for k in range(3)]
        )
    (young,) = measured(road, "young", labelled=2, void=1)
    (old,) = measured(road, "old", labelled=2, void=1)
    assert (young["provisional"], young["due"], young["coverage"]) == (True, 0, 2 / 4)
    assert (old["provisional"], old["due"], old["coverage"]) == (False, 4, 2 / 3)


def test_the_longest_horizon_of_its_predictions_decides_when_a_window_is_due(road: Road) -> None:
    """Predictions of a later contract with a shorter horizon settle no window that holds others still due, as `quality_as_of` says."""
    for horizon in ("30d", "1d"):
        road.publish(
            Contract.model_validate(
                {"model": "both", "label": {"horizon": horizon}, "windows": {"base": "1h", "rollups": []}}
            )
        )
        road.send("predictions", [said(f"{horizon}-{k}", "both", DAY) for k in range(4)])
        road.joined()
    road.send("labels", [told(f"1d-{k}", "both", DAY) for k in range(4)])
    (row,) = measured(road, "both", predictions=8, labelled=4)
    assert (row["due"], row["provisional"], row["coverage"]) == (4, True, 4 / 8)
    (of_view,) = road.store.rows(
        "SELECT due, provisional, coverage FROM quality_as_of(t = {t:DateTime64(6, 'UTC')}) WHERE model = 'both'",
        {"t": row["revision"]},
    )
    assert of_view == {"due": 4, "provisional": True, "coverage": 4 / 8}


def test_late_predictions_reach_a_closed_window(road: Road) -> None:
    """A prediction without a fact that comes after its window closed is counted in a later revision."""
    road.send("predictions", [said("one", "latecomer", DAY)])
    road.joined()
    road.close_windows()
    measured(road, "latecomer", predictions=1, closed=True)
    road.send("predictions", [said("two", "latecomer", DAY)])
    measured(road, "latecomer", predictions=2, closed=True)


def test_a_heartbeat_says_when_nothing_waits(road: Road) -> None:
    """While a window has facts that no revision holds, or is past and has not closed, the joiner says that it waits."""
    road.send("predictions", [said("w", "waiting", DAY)])
    eventually(lambda: road.heartbeat()["waiting"] > 0, within=20, saying="it waits for the window to close")
    road.close_windows()
    measured(road, "waiting", predictions=1, closed=True)
    eventually(lambda: road.heartbeat()["waiting"] == 0, within=20, saying="nothing waits")


def test_revisions_are_kept_and_told_by_the_grid(road: Road) -> None:
    """Every revision stays; each lies on the grid, and holds no fact that was appended after it."""
    road.send("predictions", [said(f"r{k}", "revised", DAY) for k in range(2)])
    road.send("labels", [told("r0", "revised", DAY)])
    measured(road, "revised", labelled=1)
    road.send("labels", [told("r1", "revised", DAY)])
    measured(road, "revised", labelled=2)
    revisions = road.store.rows(
        "SELECT revision, labelled FROM quality FINAL WHERE model = 'revised' ORDER BY revision"
    )
    facts = road.store.rows("SELECT _appended_at AS at FROM labels FINAL WHERE model = 'revised'")
    assert len(revisions) >= 2
    for row in revisions:
        assert micros(row["revision"]) % 500_000 == 0
        assert row["labelled"] == sum(fact["at"] <= row["revision"] for fact in facts)


def test_messages_are_keyed_by_model_and_environment(road: Road) -> None:
    """All rows of a model and environment are in one partition of `quality`, in order."""
    road.send("predictions", [said("k", "keyed", DAY)])
    road.send("labels", [told("k", "keyed", DAY)])
    measured(road, "keyed", labelled=1)
    partitions = road.store.rows("SELECT DISTINCT _partition FROM quality WHERE model = 'keyed'")
    assert len(partitions) == 1
    assert json.dumps(["keyed", "production"], separators=(",", ":")) == '["keyed","production"]'
