"""What `infer` says of the model's answer, and what it asks a person where the data do not tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_command import Ended, run

from stream_processors.contracts.infer import infer
from stream_processors.contracts.model import Contract, Prediction
from stream_processors.joiner.quality.judging import Judged

SCORES = np.random.default_rng(5).random(1_000)
STAY_OR_LEAVE = np.where(SCORES >= 0.5, "leave", "stay")


def prediction(scores: Any = None, decisions: Any = None) -> Prediction:
    """What is inferred of these answers."""
    columns = {"x": pa.array(np.zeros(1_000))}
    roles = {}
    for role, column in (("score", scores), ("decision", decisions)):
        if column is not None:
            columns[role] = pa.array(column)
            roles[f"{role}_column"] = role
    return infer(pa.table(columns), model="m", **roles)[0].prediction


def inferred(folder: Path, *roles: str) -> Ended:
    """How the command ended, with scores and decisions beside a feature."""
    table = pa.table({"x": np.zeros(1_000), "score": SCORES, "decision": STAY_OR_LEAVE})
    pq.write_table(table, folder / "data.parquet")
    return run("infer", folder / "data.parquet", "--model", "m", "--output", folder / "m.yaml", *roles)


@pytest.mark.parametrize("rising", [True, False])
def test_the_positive_class_has_the_higher_scores(rising: bool) -> None:
    """Whatever it is called, and whatever the alphabet says; scores that are none decide nothing."""
    scores = np.where(np.arange(1_000) == 3, np.inf, SCORES if rising else 1 - SCORES)
    scores[STAY_OR_LEAVE.tolist().index("stay")] = np.nan
    found = prediction(scores, STAY_OR_LEAVE)
    assert (found.kind, found.classes) == ("binary", ("leave", "stay"))
    assert found.positive_class == ("leave" if rising else "stay")
    judged = Judged("", Contract(model="m", prediction=found))
    assert {judged.positive, judged.negative} == {"leave", "stay"}


def test_the_command_says_which_class_it_took(tmp_path: Path) -> None:
    """A person who knows better edits one word."""
    done = inferred(tmp_path, "--score-column", "score", "--decision-column", "decision")
    assert done.exit_code == 0
    assert "positive_class is leave, of leave and stay that with the higher mean score" in done.output
    assert "positive_class: leave" in (tmp_path / "m.yaml").read_text()
    assert run("check", tmp_path / "m.yaml").exit_code == 0


def test_a_positive_class_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    """And no contract without it is published, which would count every prediction as negative."""
    done = inferred(tmp_path, "--decision-column", "decision", "--exclude", "score")
    assert done.exit_code == 0
    assert "positive_class cannot be told from scores and decisions (leave and stay)" in done.output
    for command in ("check", "publish"):
        refused = run(command, tmp_path / "m.yaml")
        assert refused.exit_code == 2
        assert "prediction.positive_class: is required, as `true` is not among the classes" in refused.output
    assert prediction(np.full(1_000, 0.5), STAY_OR_LEAVE).positive_class is None
    assert prediction(SCORES, ["stay"] * 1_000).positive_class is None


def test_classes_that_no_decision_tells_are_asked_for(tmp_path: Path) -> None:
    """With truths of other names, such as yes and no, all of them would count as negative without a sign."""
    done = inferred(tmp_path, "--score-column", "score", "--exclude", "decision")
    assert done.exit_code == 0
    assert "a truth is positive where it is `true`, and any other is negative" in done.output
    assert (
        "no decisions"
        not in inferred(
            tmp_path, "--score-column", "score", "--decision-column", "decision", "--force"
        ).output
    )


def test_true_needs_no_word(tmp_path: Path) -> None:
    """It is the positive class where none is named."""
    file = tmp_path / "m.yaml"
    file.write_text('model: m\nprediction: {classes: ["false", "true"]}\n')
    assert run("check", file).exit_code == 0
    assert prediction(None, STAY_OR_LEAVE == "leave").classes == ("false", "true")


def test_a_published_contract_without_a_positive_class_is_still_read() -> None:
    """What is on the topic applies to its events, whatever a file may say today."""
    body = Contract(model="m", prediction=Prediction(classes=("leave", "stay"))).canonical()
    assert Contract.model_validate_json(body).prediction.positive_class is None


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_probability_with_an_odd_score_is_still_one(odd: float) -> None:
    """One row of thousands does not make a regression; numbers beyond 0 and 1 do."""
    assert prediction(np.where(np.arange(1_000) == 3, odd, SCORES)) == Prediction()
    assert prediction(np.where(np.arange(1_000) == 3, 1.5, SCORES)).kind == "regression"
