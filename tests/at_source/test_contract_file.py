"""A contract's file read at the source: the same promises as the processors read, and every mistake is one line that names its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from generated_contracts import contracts
from hypothesis import given
from hypothesis import strategies as st

from producers.at_source.contract_file import CONTRACT_FIELDS, FEATURE_FIELDS, promises_of, read_promises
from producers.at_source.promises import FeaturePromise, SourcePromises
from producers.errors import ConfigError
from stream_processors.contracts.model import Contract, Feature

ROOT = Path(__file__).parents[2]
GOOD = """
model: churn
environment: production
owner: somebody
prediction: {kind: binary}
features:
  age: {kind: numeric, required: true, minimum: 0, maximum: 120, pii: bucket, bucket: 10}
  income: {kind: numeric, pii: bucket, bucket: [0, 1000, 5000]}
  plan: {kind: categorical, values: [basic, plus], only_listed: true, drift: off}
  customer: {kind: categorical, pii: hash}
  email: {kind: categorical, pii: drop}
on_violation: reject
sampling_rate: 0.25
keep_errors: false
entity_id: hash
"""


def as_promised(contract: Contract) -> SourcePromises:
    """What a whole contract says that matters at the source."""
    return SourcePromises(
        model=contract.model,
        environment=contract.environment,
        features={
            name: FeaturePromise(
                one.kind,
                one.required,
                one.values,
                one.only_listed,
                one.minimum,
                one.maximum,
                one.pii,
                one.bucket,
            )
            for name, one in contract.features.items()
        },
        on_violation=contract.on_violation,
        sampling_rate=contract.sampling_rate,
        keep_errors=contract.keep_errors,
        entity_id=contract.entity_id,
    )


@given(contracts())
def test_both_readings_of_a_contract_are_equal(contract: Contract) -> None:
    """What the processors read in a contract's YAML and in its canonical JSON is what the source reads."""
    text = contract.to_yaml()
    assert Contract.from_yaml(text) == contract
    assert promises_of(yaml.safe_load(text), "contract") == as_promised(contract)
    assert promises_of(json.loads(contract.canonical()), "contract") == as_promised(contract)


def test_a_file_in_yaml_and_in_json(tmp_path: Path) -> None:
    """Everything that matters is read, whichever way it is written."""
    (tmp_path / "churn.yaml").write_text(GOOD)
    (tmp_path / "churn.json").write_text(Contract.from_yaml(GOOD).canonical())
    found = read_promises(tmp_path / "churn.yaml")
    assert found == read_promises(tmp_path / "churn.json") == as_promised(Contract.from_yaml(GOOD))
    assert found.features["age"] == FeaturePromise("numeric", True, None, False, 0.0, 120.0, "bucket", 10.0)
    assert found.features["income"].bucket == (0.0, 1000.0, 5000.0)
    assert (found.on_violation, found.sampling_rate, found.keep_errors, found.entity_id) == (
        "reject",
        0.25,
        False,
        "hash",
    )


def test_every_field_of_a_contract_is_known() -> None:
    """A field that only the processors' model has would be refused at the source, and the other way round."""
    assert set(Contract.model_fields) == CONTRACT_FIELDS
    assert set(Feature.model_fields) == FEATURE_FIELDS


MISTAKES = [
    (
        "kind: numeric, required: true",
        "kind: numric",
        "features.age.kind: one of numeric, categorical is wanted",
    ),
    ("pii: drop", "pii: remove", "features.email.pii: one of none, drop, hash, bucket is wanted"),
    ("pii: drop", "pi: drop", "features.email.pi: no contract has such a field"),
    ("pii: drop", "pii: true", "features.email.pii: one of"),
    ("pii: drop", "bucket: 10", "features.email.pii: `pii: bucket` and `bucket`"),
    ("pii: drop", "pii: bucket, bucket: 10", "features.email.pii: only a numeric feature has buckets"),
    ("pii: bucket, bucket: 10", "pii: bucket", "features.age.pii: `pii: bucket` and `bucket`"),
    ("pii: bucket, bucket: 10", "pii: hash", "features.age.pii: a hashed feature is categorical"),
    ("bucket: 10", "bucket: 0", "features.age.pii: a width is a finite number above 0"),
    ("bucket: [0, 1000, 5000]", "bucket: [5, 5]", "features.income.pii: edges are"),
    ("bucket: [0, 1000, 5000]", "bucket: []", "features.income.pii: edges are"),
    ("bucket: [0, 1000, 5000]", "bucket: [a]", "features.income.bucket: a number is wanted, not str"),
    ("pii: hash", "pii: hash, values: [c1]", "features.customer.pii: a hashed feature takes no list"),
    ("values: [basic, plus], ", "", "features.plan.only_listed: needs values"),
    ("values: [basic, plus]", "values: [1, 2]", "features.plan.values: a list of texts is wanted"),
    ("minimum: 0", "minimum: zero", "features.age.minimum: a number is wanted, not str"),
    ("minimum: 0", "minimum: .nan", "features.age.minimum: a finite number is wanted"),
    ("minimum: 0", f"minimum: 1{'0' * 400}", "features.age.minimum: a finite number is wanted"),
    ("required: true", 'required: "true"', "features.age.required: true or false is wanted"),
    ("  email:", "  7:", "features.7: a name is wanted"),
    ("{kind: categorical, pii: drop}", "drop", "features.email: a mapping is wanted"),
    ("on_violation: reject", "on_violation: drop", "on_violation: one of warn, reject is wanted"),
    ("sampling_rate: 0.25", "sampling_rate: 0", "sampling_rate: a number above 0 and up to 1 is wanted"),
    ("sampling_rate: 0.25", "sampling_rate: null", "sampling_rate: a number above 0"),
    ("sampling_rate: 0.25", "sample_rate: 0.25", "sample_rate: no contract has such a field"),
    ("keep_errors: false", "keep_errors: 0", "keep_errors: true or false is wanted"),
    ("entity_id: hash", "entity_id: bucket", "entity_id: one of none, drop, hash is wanted"),
    ("environment: production", "environment: 7", "environment: a text is wanted"),
    ("model: churn", "model: ''", "model: a name of 1 to 200 characters is wanted"),
    ("model: churn\n", "", "model: a name of 1 to 200 characters is wanted"),
    ("model: churn", "model: [", " line "),
    (GOOD, "just words", "contract: a mapping is wanted"),
    (GOOD, "a: 2024-13-45", ": not YAML"),
]


@pytest.mark.parametrize(("words", "mistake", "said"), MISTAKES)
def test_a_mistake_is_one_line_that_names_its_place(
    tmp_path: Path, words: str, mistake: str, said: str
) -> None:
    """A word nobody knows is refused where it stands: misspelt, it would protect nothing."""
    assert words in GOOD
    file = tmp_path / "churn.yaml"
    file.write_text(GOOD.replace(words, mistake))
    with pytest.raises(ConfigError) as refusal:
        read_promises(file)
    assert str(refusal.value).startswith(str(file))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("words", "mistake", "line"),
    [
        ("pii: drop", "pi: drop", "line 11: features.email.pi: "),
        ("minimum: 0", "minimum: zero", "line 7: features.age.minimum: "),
        ("  email:", "  7:", "line 11: features.7: "),
        ("values: [basic, plus], ", "", "line 9: features.plan.only_listed: "),
        ("sampling_rate: 0.25", "sampling_rate: 0", "line 13: sampling_rate: "),
        ("model: churn\n", "", "line 2: model: "),
    ],
)
def test_a_mistake_in_yaml_is_found_by_its_line(tmp_path: Path, words: str, mistake: str, line: str) -> None:
    """The line of the field is told, and of a field that is missing the line of what it would stand in."""
    file = tmp_path / "churn.yaml"
    file.write_text(GOOD.replace(words, mistake))
    with pytest.raises(ConfigError) as refusal:
        read_promises(file)
    assert str(refusal.value).startswith(f"{file} {line}")


PROTECTIONS = [
    (words, mistake) for words, mistake, said in MISTAKES if ".pii: " in said or ".bucket: " in said
]


@pytest.mark.parametrize(("words", "mistake"), PROTECTIONS)
def test_what_cannot_be_protected_cannot_be_published(words: str, mistake: str) -> None:
    """`hindcast contract check` and `publish` refuse what a service with the same file would refuse."""
    with pytest.raises(ConfigError):
        Contract.from_yaml(GOOD.replace(words, mistake))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", " line 1: not JSON"),
        ('{"model": "m", "sampling_rate": NaN}', "sampling_rate: a finite number is wanted"),
        ("[" * 100_000, ": not JSON"),
    ],
)
def test_json_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    """The same for JSON, however deep it is nested."""
    file = tmp_path / "churn.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_promises(file)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """No file, no text, or an ending that says nothing."""
    with pytest.raises(ConfigError, match="No such file"):
        read_promises(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match=r"ending in \.yaml, \.yml, \.json"):
        read_promises(tmp_path / "contract.txt")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="not text"):
        read_promises(tmp_path / "binary.yaml")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(CONTRACT_FIELDS)), inner)
        ),
    )
)
def test_anything_else_is_refused_in_words(body: object) -> None:
    """Whatever YAML or JSON holds, it is a contract or a ConfigError."""
    try:
        promises_of(body, "contract")
    except ConfigError as refusal:
        assert str(refusal).startswith("contract: ")  # noqa: PT017 - some bodies are contracts


def run(program: str, *arguments: str) -> str:
    """What a program prints in a fresh interpreter."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_json_needs_no_package(tmp_path: Path) -> None:
    """A light service gives its contract as JSON: neither PyYAML nor pydantic nor Arrow is loaded for it."""
    file = tmp_path / "churn.json"
    file.write_text(Contract.from_yaml(GOOD).canonical())
    program = (
        "import sys; from pathlib import Path; from producers.at_source.source_contract import SourceContract\n"
        "SourceContract.from_file(Path(sys.argv[1]), {'HINDCAST_PII_KEY': '00' * 16})\n"
        "print([m for m in ('yaml', 'pydantic', 'numpy', 'pyarrow', 'confluent_kafka', 'fastavro') if m in sys.modules])"
    )
    assert run(program, str(file)) == "[]"


def test_yaml_without_its_package_is_said(tmp_path: Path) -> None:
    """Where PyYAML is not installed, a YAML file says what to install or to give instead."""
    file = tmp_path / "churn.yaml"
    file.write_text(GOOD)
    program = (
        "import sys; sys.modules['yaml'] = None\n"  # what an import of a package that is not there does
        "from pathlib import Path; from producers.at_source.contract_file import read_promises\n"
        "try: read_promises(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = run(program, str(file))
    assert said.startswith("ConfigError")
    assert "pip install pyyaml" in said
    assert "hindcast contract show" in said
