"""A contract with an error is refused with file, line, field and reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from contract_command import run

from stream_processors.contracts.document import ContractFileError
from stream_processors.contracts.model import Contract

GOOD = """\
model: churn
environment: production
prediction: {kind: binary, positive_class: leave, classes: [leave, stay], threshold: 0.5}
features:
  age:
    kind: numeric
    minimum: 0
    maximum: 120
  plan: {kind: categorical, values: [basic, plus], only_listed: true, drift: {warn: 0.1, severe: 0.2}}
  income: {kind: numeric, pii: bucket, bucket: 10}
slices:
  - {by: plan, values: [basic, plus]}
windows: {base: 1h, rollups: [1d]}
label: {horizon: 60d}
drift: {warn: 0.1, severe: 0.25}
retention_days: 365
"""

LONG = "n" * 1_001

MISTAKES = [
    ("  age:", f"  ? {LONG}\n  :", f"line 5: features.{LONG[:97]}...: a name is of at most 1,000 bytes"),
    (
        "environment: production",
        f"environment: {LONG}",
        "line 2: environment: a name is of at most 1,000 bytes",
    ),
    ("environment: production", f"owner: {LONG}", "line 2: owner: a name is of at most 1,000 bytes"),
    (
        "by: plan, values: [basic",
        f"by: plan, values: [{LONG}",
        "line 12: slices.0.values.0: a name is of at most 1,000 bytes",
    ),
    ("by: plan", f"by: {LONG}", "line 12: slices.0.by: a name is of at most 1,000 bytes"),
    (
        "classes: [leave",
        f"classes: [{LONG}",
        "line 3: prediction.classes.0: a name is of at most 1,000 bytes",
    ),
    ("model: churn", "model: [", "line 3: not YAML: expected"),
    ("model: churn", "model: a: b", "line 1: not YAML: mapping values are not allowed here"),
    ("retention_days: 365", "retention_days: \x07", "line 16: not YAML: special characters are not allowed"),
    ("environment: production", "environment: 2024-13-45", "line 2: not YAML: no such date"),
    ("environment: production", "model: other", "line 2: model: stands twice, first on line 1"),
    ("  income:", "  plan:", "line 10: features.plan: stands twice, first on line 9"),
    ("    minimum: 0", "    kind: numeric", "line 7: features.age.kind: stands twice, first on line 6"),
    (
        "values: [basic, plus], only",
        "pii: none, pii: hash, only",
        "line 9: features.plan.pii: stands twice, first on line 9",
    ),
    ("    minimum: 0", "    minimun: 0", "line 7: features.age.minimun: no contract has such a field"),
    ("windows: {base", "windows: {bass", "line 13: windows.bass: no contract has such a field"),
    ("    kind: numeric\n", "", "line 5: features.age.kind: is required"),
    ("model: churn\n", "", "line 1: model: is required"),
    (
        "    kind: numeric\n",
        "    kind: numric\n",
        "line 6: features.age.kind: 'numeric' or 'categorical' is wanted",
    ),
    ("minimum: 0", "minimum: zero", "line 7: features.age.minimum: a number is wanted"),
    ("minimum: 0", "minimum: .nan", "line 7: features.age.minimum: a finite number is wanted"),
    ("minimum: 0", "minimum: 121", "line 7: features.age.minimum: is above maximum"),
    ("minimum: 0", "values: [a]", "line 7: features.age.values: only a categorical feature has a list"),
    ("minimum: 0", "precision: 21", "line 7: features.age.precision: should be less than or equal to 20"),
    ("minimum: 0", "required: maybe", "line 7: features.age.required: true or false is wanted"),
    ("values: [basic, plus], only", "values: [1], only", "line 9: features.plan.values.0: a text is wanted"),
    (
        "values: [basic, plus], only",
        "values: [a, a], only",
        "line 9: features.plan.values: a value stands twice",
    ),
    ("values: [basic, plus], only", "only", "line 9: features.plan.only_listed: needs values"),
    ("only_listed: true", "minimum: 1", "line 9: features.plan.minimum: only a numeric feature has a range"),
    ("severe: 0.2}", "severe: 0.01}", "line 9: features.plan.drift: severe is below warn"),
    (
        "drift: {warn: 0.1, severe: 0.2}",
        "drift: {warn: 0.9}",
        "line 9: features.plan.drift: severe is below warn, which is the contract's 0.25",
    ),
    ("bucket: 10", "bucket: [x]", "line 10: features.income.bucket"),
    ("bucket: 10", "bucket: 0", "line 10: features.income.bucket: a width is a finite number above 0"),
    ("{kind: numeric, pii: bucket, bucket: 10}", "numeric", "line 10: features.income: a mapping is wanted"),
    ("by: plan, values: [basic, plus]", "by: age, values: ['1']", "line 12: slices.0.by: age is numeric"),
    ("values: [basic, plus]}\nw", "values: [a, a]}\nw", "line 12: slices.0.values: a value stands twice"),
    ("by: plan", "by: [a, b, c]", "line 12: slices.0.by: a slice is by one name or by a pair"),
    ("base: 1h", "base: 7min", "line 13: windows.base: base must divide a day"),
    (
        "base: 1h",
        "base: 1min, keep_days: 364",
        "line 13: windows.keep_days: predictions are kept for 365 days (retention_days), and windows no shorter",
    ),
    ("base: 1h", "base: 1min, keep_days: -1", "line 13: windows.keep_days"),
    ("horizon: 60d", "horizon: soon", "line 14: label.horizon: a duration such as 30s"),
    ("severe: 0.25}", "severe: 0.05}", "line 15: drift.severe: is below warn"),
    ("retention_days: 365", "retention_days: 8", "line 16: retention_days: must be one of"),
    ("retention_days: 365", "retention_days: false", "line 16: retention_days: a number is wanted"),
    ("retention_days: 365", "retention_days: 1:30", "line 16: retention_days: a number is wanted"),
    (
        "retention_days: 365",
        "retention_days: " + "9" * 5000,
        "line 16: not YAML: no number, or one of thousands",
    ),
    ("maximum: 120", "maximum: true", "line 8: features.age.maximum: a number is wanted"),
    ("maximum: 120", "precision: true", "line 8: features.age.precision: a number is wanted"),
    ("maximum: 120", "precision: 010", "line 8: features.age.precision: a number is wanted"),
    ("drift: {warn: 0.1, severe: 0.2}", "drift: 0", "line 9: features.plan.drift: a mapping is wanted"),
    ("rollups: [1d]", "rollups: [1d, soon]", "line 13: windows.rollups: roll-up soon: a duration such as"),
    ("rollups: [1d]", "rollups: [90min]", "line 13: windows.rollups: roll-up 90min is not a multiple"),
    *(
        (
            "rollups: [1d]",
            f"rollups: [1d, {text}]",
            f"line 13: windows.rollups: roll-up {text}: a divisor of a day",
        )
        for text in ("3d", "2w", "7h")
    ),
    ("base: 1h", "base: 1.9", "line 13: windows.base: a duration is of whole seconds"),
    ("base: 1h", "base: .inf", "line 13: windows.base: a duration is from nothing to a century"),
    ("horizon: 60d", "horizon: .nan", "line 14: label.horizon: a duration is from nothing to a century"),
    ("horizon: 60d", "horizon: -5", "line 14: label.horizon: a duration is from nothing to a century"),
    ("horizon: 60d", "horizon: 99999999999999999999d", "line 14: label.horizon: a duration is from nothing"),
    (
        "  - {by: plan",
        "  - {by: plan, values: [a]}\n  - {by: plan",
        "line 11: slices: two slices by the same",
    ),
    (
        "values: [basic, plus], only",
        'values: ["\\udc00"], only',
        "line 9: not YAML: half of a surrogate pair",
    ),
    ("threshold: 0.5", "threshold: 50", "line 3: prediction.threshold: a probability is from 0 to 1"),
    ("threshold: 0.5", "threshold: .inf", "line 3: prediction.threshold: a finite number is wanted"),
    (
        "positive_class: leave",
        "positive_class: gone",
        "line 3: prediction.positive_class: is not among the classes",
    ),
    (
        "kind: binary",
        "kind: multiclass",
        "line 3: prediction.positive_class: only a binary prediction has one",
    ),
    ("[leave, stay]", "[leave, stay, x]", "line 3: prediction.classes: a binary prediction has two at most"),
    ("[leave, stay]", "[leave, leave]", "line 3: prediction.classes: a class stands twice"),
    (
        "kind: binary, positive_class: leave,",
        "kind: regression,",
        "line 3: prediction.classes: a regression has no classes",
    ),
    ("environment: production", "environment: ''", "line 2: environment: a name is wanted"),
    (
        "severe: 0.25}",
        "references: [training, previous]}",
        "line 15: drift.references.1: `training` is the only",
    ),
    (
        "retention_days: 365",
        "references: {last: x}",
        "line 16: references.last: `training` is the only one yet",
    ),
    (
        "retention_days: 365",
        "references: {training: nosuch}",
        "line 16: references.training: the digest of a baseline is wanted",
    ),
    (
        "retention_days: 365",
        "features2: {" + ", ".join(f"f{n}: {{kind: numeric}}" for n in range(50_000)) + "}",
        "line 16: more than 2,000 fields stand here, and a contract has 1,000 features at most",
    ),
    (
        "positive_class: leave, ",
        "",
        "line 3: prediction.positive_class: is required, as `true` is not among the classes",
    ),
    (GOOD, "", "line 1: contract: a mapping is wanted"),
    (GOOD, "&a [*a]", "line 1: contract: a mapping is wanted"),
    (GOOD, "[" * 100_000, "line 1: not YAML"),
]


def test_the_good_one_is_good() -> None:
    """What is broken below is a contract before."""
    assert Contract.from_yaml(GOOD).model == "churn"


@pytest.mark.parametrize(("words", "mistake", "said"), MISTAKES)
def test_a_mistake_is_one_line(words: str, mistake: str, said: str) -> None:
    """It names the file, the line, the field and what is wrong."""
    assert words in GOOD
    with pytest.raises(ContractFileError) as refusal:
        Contract.from_yaml(GOOD.replace(words, mistake, 1), "churn.yaml")
    assert str(refusal.value).startswith(f"churn.yaml {said}")
    assert "\n" not in str(refusal.value)


def test_all_mistakes_are_told(tmp_path: Path) -> None:
    """By line; whoever publishes hears of the first and of how many there are."""
    file = tmp_path / "churn.yaml"
    text = (
        GOOD.replace("minimum: 0", "minimum: zero").replace("60d", "soon").replace("kind: binary", "kind: b")
    )
    file.write_text(text)
    published = run("publish", file)
    assert published.exit_code == 2
    assert published.output.startswith(f"{file} line 3: prediction.kind: ")
    assert published.output.endswith(" is wanted (and 2 more)")
    checked = run("check", file)
    assert checked.exit_code == 2
    lines = checked.output.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [f"{file} line 3", "prediction.kind"],
        [f"{file} line 7", "features.age.minimum"],
        [f"{file} line 14", "label.horizon"],
    ]


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    """The first of its lines that is no UTF-8."""
    file = tmp_path / "churn.yaml"
    file.write_bytes("model: m\nowner: José\n".encode("latin-1"))
    for command in ("check", "publish"):
        refused = run(command, file)
        assert (refused.exit_code, refused.output) == (2, f"{file} line 2: not UTF-8 text: save it as UTF-8")


def test_what_is_published_is_read_whatever_a_file_may_say() -> None:
    """Rules on files that came later take no contract from its events."""
    body = (
        '{"model": "m", "references": {"training": "x", "last": "y"}, "drift": {"references": ["previous"]}}'
    )
    assert Contract.model_validate_json(body).references == {"training": "x", "last": "y"}


def test_a_key_that_is_merged_in_may_be_said_again() -> None:
    """YAML's merge keys are for that; the line is that of the own key."""
    text = "model: m\nfeatures:\n  a: &a {kind: numeric, minimum: 1}\n  b: {<<: *a, minimum: %s}\n"
    assert Contract.from_yaml(text % "2").features["b"].minimum == 2
    with pytest.raises(ContractFileError, match=r"line 4: features\.b\.minimum: a number is wanted"):
        Contract.from_yaml(text % "x")


def test_names_of_a_file_do_not_steer_the_terminal(tmp_path: Path) -> None:
    """A control character in a field is written out."""
    file = tmp_path / "steering.yaml"
    file.write_text('model: m\nfeatures:\n  "\\e[31mred": {kind: nothing}\n')
    for command in ("check", "publish"):
        asked = [sys.executable, "-m", "hindcast", "contract", command, str(file)]
        refused = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert r"features.\x1b[31mred.kind: 'numeric' or 'categorical' is wanted" in refused.stderr


def test_a_number_may_have_an_exponent() -> None:
    """Which YAML 1.1 takes for text; a category that looks so stays text, out to a file and back."""
    read = Contract.from_yaml(GOOD.replace("maximum: 120", "maximum: 1e6").replace("plus]}", "1e6]}"))
    assert read.features["age"].maximum == 1_000_000.0
    assert read.slices[0].values == (("basic",), ("1e6",))
    assert Contract.from_yaml(read.to_yaml()) == read


@pytest.mark.parametrize(
    "odd", ["a\x85b", "\x85", "a\x85", " \x85\n", "\u2028", "\u2029 ", "\ufeff", "\r", "\x00", "\x7f", "🎉"]
)
def test_a_name_of_any_character_is_written_and_read_back(odd: str) -> None:
    """Also of those that YAML takes for a line break, such as the ellipsis of a text read in the wrong encoding."""
    feature = {"kind": "categorical", "values": [odd], "only_listed": True}
    contract = Contract.model_validate(
        {
            "model": odd,
            "description": odd * 60,
            "features": {odd: feature},
            "slices": [{"by": odd, "values": [odd]}],
        }
    )
    assert Contract.from_yaml(contract.to_yaml()) == contract


def test_an_empty_list_is_another_shape_than_none() -> None:
    """With a list, be it empty, all others are counted by buckets; without one by the smallest hashes."""
    shapes = {
        Contract.from_yaml(f"model: m\nfeatures: {{a: {{kind: categorical{values}}}}}").shape()
        for values in ("", ", values: []", ", values: [x]")
    }
    assert len(shapes) == 3


@pytest.mark.parametrize(
    ("base", "rollups"),
    [("1min", ["1h", "1d"]), ("1h", ["1d"]), ("1d", []), ("8h", ["1d"]), ("40min", ["1d"])],
)
def test_roll_ups_that_are_not_named_fit_the_base(base: str, rollups: list[str]) -> None:
    """What is published is read again with its defaults written out: it must be good then too."""
    contract = Contract.from_yaml(f"model: m\nwindows: {{base: {base}}}\n")
    again = Contract.model_validate_json(contract.canonical())
    assert list(contract.windows.rollups) == rollups
    assert (again, again.digest()) == (contract, contract.digest())
    assert Contract.from_yaml(contract.to_yaml()) == contract
