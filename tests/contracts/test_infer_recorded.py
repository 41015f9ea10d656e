"""`hindcast contract infer --from-recorded`: a contract, or better precisions, from what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract_command import Ended, run
from recorded_rows import Recorder, migrated_record, prediction

from evaluation.history import History
from evaluation.recorded_events import Asked, RecordedEvents
from stream_processors.contracts.baseline_file import read_baseline
from stream_processors.contracts.infer import precision_of
from stream_processors.contracts.model import Contract
from stream_processors.contracts.recorded_data import RecordedData

MODEL = 'it\'s \\ "kelvin" é'
NOW = datetime.now(UTC).replace(microsecond=0)
KELVIN = np.random.default_rng(3).normal(288, 5, 3_000)


def _event(n: int) -> dict[str, Any]:
    """Temperatures in kelvin; every third knows its `city`, every fifth fails, and one carries `both` as a text."""
    categorical = {"city": f"c{n % 7}"} if n % 3 == 0 else {}
    numeric = {"kelvin": float(KELVIN[n]), "both": 1.0}
    if n == 3:
        numeric, categorical = {"kelvin": float(KELVIN[n])}, categorical | {"both": "x"}
    more = {"status": "error", "numeric_features": {}} if n % 5 == 4 else {"numeric_features": numeric}
    return prediction(
        f"p{n}",
        NOW - timedelta(seconds=20 * n),
        model=MODEL,
        categorical_features=categorical,
        segments={"plan": ("basic", "plus")[n % 2]},
        score=(n % 100) / 100,
        decision=("no", "yes")[n % 100 // 50],
        **more,
    )


@pytest.fixture(scope="module")
def record(clickhouse: str) -> Iterator[Recorder]:
    """A database with some thousand predictions."""
    with migrated_record(clickhouse) as made:
        made.insert("predictions", [_event(n) for n in range(3_000)])
        yield made


@pytest.fixture
def environment(record: Recorder, contracts_topic: dict[str, str]) -> dict[str, str]:
    """Both servers."""
    return {
        **contracts_topic,
        "HINDCAST_CLICKHOUSE": record.store.settings.url,
        "HINDCAST_DATABASE": record.store.database,
    }


def inferred(output: Path, environment: dict[str, str], *more: object) -> Ended:
    """The command."""
    return run("infer", "--from-recorded", MODEL, "--output", output, *more, **environment)


def test_a_first_contract_and_its_baseline(tmp_path: Path, environment: dict[str, str]) -> None:
    """Of answered predictions: what all carry is required, segments may be sliced by, and the baseline counts them."""
    output = tmp_path / "k.yaml"
    done = inferred(output, environment, "--slice-by", "plan", "--base-window", "1h", "--exclude", "both")
    assert done.exit_code == 0, done.output
    contract = Contract.from_yaml(output.read_text())
    assert contract.model == MODEL
    features = {name: (one.kind, one.required) for name, one in contract.features.items()}
    assert features == {"city": ("categorical", False), "kelvin": ("numeric", True)}
    answered = np.array([kelvin for n, kelvin in enumerate(KELVIN) if n % 5 != 4])
    assert contract.features["kelvin"].precision == precision_of(answered)
    assert (contract.prediction.classes, contract.prediction.positive_class) == (("no", "yes"), "yes")
    assert "positive_class is yes, of no and yes that with the higher mean score" in done.output
    assert contract.slices[0].values == (("basic",), ("plus",))
    sketches = read_baseline(tmp_path / "k.baseline.avro")
    assert sum(one["events"] for one in sketches if one["slice"] == "") == answered.size
    assert run("check", output, "--recent", "1d", **environment).exit_code == 0


def test_better_precisions_for_the_contract_in_effect(tmp_path: Path, environment: dict[str, str]) -> None:
    """All else stays as it is published."""
    text = f"model: {Contract(model=MODEL).model_dump_json(include={'model'}).partition(':')[2][:-1]}\nowner: me\n"
    text += (
        "features: {kelvin: {kind: numeric, precision: 5, minimum: 100}}\nprediction: {score_precision: 20}\n"
    )
    (tmp_path / "now.yaml").write_text(text)
    assert run("publish", tmp_path / "now.yaml", **environment).exit_code == 0
    output = tmp_path / "better.yaml"
    done = inferred(output, environment)
    assert done.exit_code == 0, done.output
    better = Contract.from_yaml(output.read_text())
    chosen = better.features["kelvin"].precision
    assert chosen > 5
    assert f"kelvin: precision 5 -> {chosen}" in done.output
    assert (better.owner, better.features["kelvin"].minimum, better.prediction.score_precision) == (
        "me",
        100.0,
        20,
    )
    assert not (tmp_path / "better.baseline.avro").exists()
    assert run("publish", output, **environment).exit_code == 0
    sliced = inferred(tmp_path / "never.yaml", environment, "--slice-by", "plan")
    assert (sliced.exit_code, "--slice-by is for a first contract" in sliced.output) == (2, True)
    again = inferred(tmp_path / "never.yaml", environment)
    assert "the precisions of the contract in effect fit the 2,400 predictions looked at" in again.output
    assert not (tmp_path / "never.yaml").exists()


def test_a_baseline_of_what_is_recorded(tmp_path: Path, environment: dict[str, str]) -> None:
    """A contract without training data can be edited: the same predictions make the baseline of its new shape."""
    output, made = tmp_path / "k.yaml", tmp_path / "k.baseline.avro"
    assert inferred(output, environment, "--environment", "production").exit_code == 0
    first = read_baseline(made)
    made.unlink()
    again = run("baseline", output, "--from-recorded", **environment)
    assert again.exit_code == 0, again.output
    assert read_baseline(made) == first
    edited = Contract.from_yaml(output.read_text())
    plan = {"by": ["plan"], "values": [["basic"], ["plus"]]}
    more = {"slices": [plan], "features": {**edited.model_dump()["features"], "new": {"kind": "numeric"}}}
    edited = Contract.model_validate({**edited.model_dump(exclude_unset=True), **more})
    output.write_text(edited.to_yaml())
    assert run("baseline", output, "--from-recorded", "--rows", "100", **environment).exit_code == 0
    sketches = read_baseline(made)
    assert {one["shape"] for one in sketches} == {edited.shape()}
    whole = [one for one in sketches if one["slice"] == ""]
    parts = [one for one in sketches if one["slice"].startswith("plan=")]
    assert sum(one["events"] for one in whole) == sum(one["events"] for one in parts) == 80
    absent = [column["absent"] for one in whole for column in one["numeric"] if column["column"] == "new"]
    assert sum(absent) == 80
    kelvin = {"kelvin": {"kind": "categorical"}}
    output.write_text(Contract.model_validate({"model": MODEL, "features": kelvin}).to_yaml())
    refused = run("baseline", output, "--from-recorded", **environment)
    assert (refused.exit_code, "feature kelvin came as numeric" in refused.output) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "either a file or --from-recorded is wanted"),
        (("x.parquet", "--from-recorded"), "either a file or --from-recorded is wanted"),
        (("--from-recorded", "--score-column", "s"), "--score-column is for a file"),
    ],
)
def test_wrong_use_of_baseline(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    """It is said what is wrong."""
    (tmp_path / "c.yaml").write_text("model: m\n")
    done = run("baseline", tmp_path / "c.yaml", *arguments)
    assert (done.exit_code, says in done.output) == (2, True), done.output


def test_only_the_newest(tmp_path: Path, environment: dict[str, str]) -> None:
    """As many rows as asked for, of the time asked for."""
    output = tmp_path / "k.yaml"
    assert inferred(output, environment, "--rows", "100").exit_code == 0
    sketches = read_baseline(tmp_path / "k.baseline.avro")
    assert sum(one["events"] for one in sketches if one["slice"] == "") == 80


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "either a file or --from-recorded MODEL is wanted"),
        (("x.parquet", "--from-recorded", "m"), "either a file or --from-recorded MODEL is wanted"),
        (("--from-recorded", "m", "--model", "m"), "--model is for a file"),
        (("--from-recorded", "m", "--score-column", "s"), "--score-column is for a file"),
        (("--from-recorded", "m", "--rows", "0"), "is not in the range"),
        (("--from-recorded", "m", "--since", "x"), "a duration such as 30s"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], says: str) -> None:
    """It is said what is wrong."""
    done = run("infer", *arguments, "--output", "/tmp/never.yaml")
    assert done.exit_code == 2
    assert says in done.output


def test_a_model_of_which_nothing_is_recorded(tmp_path: Path, environment: dict[str, str]) -> None:
    """Is named, with the time."""
    done = run("infer", "--from-recorded", "nobody", "--output", tmp_path / "x.yaml", **environment)
    assert (done.exit_code, "no predictions of model nobody are recorded since" in done.output) == (2, True)


def test_columns_are_those_of_a_table_of_the_same_rows(record: Recorder) -> None:
    """However the record is cut into blocks: what is inferred from it is what is inferred from the rows in one table."""
    since = NOW - timedelta(days=1)
    with History(record.store.settings) as history:
        recorded = RecordedEvents(history, Asked(MODEL, None, since, NOW + timedelta(hours=1)))
        whole, parts = RecordedData(), RecordedData()
        for block in recorded.blocks:
            batch = recorded.read(block)
            whole.add(batch)
            for start in range(0, batch.num_rows, 37):
                parts.add(batch.slice(start, 37))
    assert whole.rows == parts.rows == 2_400
    assert whole.features == parts.features == ["both", "city", "kelvin"]
    assert list(parts.numeric) == ["both", "kelvin"]
    assert list(parts.categorical) == ["city", "plan"]
    for name, column in parts.numeric.items():
        assert column.equals(whole.numeric[name])
    for name, column in parts.categorical.items():
        assert column.equals(whole.categorical[name])
    assert parts.numeric["both"].null_count == 1
    assert sorted(parts.numeric["kelvin"].to_pylist()) == sorted(
        k for n, k in enumerate(KELVIN) if n % 5 != 4
    )
