"""What the pages say of settings, exit codes, packages and contract fields is what the code has, and all of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from markdown_pages import ROOT, Page, page
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from hindcast import __main__ as front_door
from producers.settings import read_properties
from producers.spool import SpoolSettings
from stream_processors.contracts.model import Contract, Feature, Slice
from stream_processors.metrics import METRICS
from stream_processors.settings import ProcessorSettings

PACKAGES = ("producers", "stream_processors", "evaluation", "hindcast")
# fields that hold many parts
MANY: dict[str, tuple[str, type[BaseModel]]] = {
    "features": ("features.*", Feature),
    "slices": ("slices.*", Slice),
}


def variables_in(text: str) -> set[str]:
    """Names of our environment variables in a text."""
    return set(re.findall(r"HINDCAST_[A-Z_]*[A-Z]", text))


def variables_of_code() -> set[str]:
    """Every variable that the packages, the Makefile and the tests' servers read."""
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    files += [ROOT / "Makefile", ROOT / "docker-compose.yml", ROOT / "tests" / "services.py"]
    return set().union(*(variables_in(path.read_text(encoding="utf-8")) for path in files))


def described_variables(configuration: Page) -> dict[str, str]:
    """Variable to default, from the tables of the page."""
    cells = [row for row in configuration.rows() if variables_in(row[0])]
    return {row[0].strip("`"): row[1].strip("`") for row in cells}


def test_every_variable_is_described_and_every_described_one_is_read() -> None:
    """docs/configuration.md has a row for each variable of the code, and no other."""
    described = described_variables(page("docs/configuration.md"))
    assert set(described) == variables_of_code()


def test_the_check_of_variables_bites() -> None:
    """A variable is found wherever it stands, and the pattern alone (`HINDCAST_*`) is none."""
    assert variables_in('environment.get("HINDCAST_NEW_ONE") or HINDCAST_* and HINDCAST_') == {
        "HINDCAST_NEW_ONE"
    }
    assert described_variables(Page("x", "| variable | default |\n|---|---|\n| `HINDCAST_A` | `1` |\n")) == {
        "HINDCAST_A": "1"
    }


def test_defaults_are_those_of_the_code() -> None:
    """Without any variable the settings are what the page says."""
    found = ProcessorSettings.from_environment({})
    spool = SpoolSettings.from_environment({})
    assert spool.directory is None
    described = described_variables(page("docs/configuration.md"))
    defaults: dict[str, object] = {
        "KAFKA": found.kafka.bootstrap,
        "TOPIC_PREFIX": found.kafka.topic_prefix,
        "SCHEMA_REGISTRY": found.kafka.schema_registry,
        "CLICKHOUSE": found.clickhouse.url,
        "DATABASE": found.clickhouse.database,
        "CLICKHOUSE_CLUSTER": found.clickhouse.cluster,
        "SLOT": found.slot,
        "METRICS": found.metrics,
        "BATCH_MESSAGES": str(found.batch_messages),
        "BATCH_BYTES": str(found.batch_bytes),
        "FLUSH_INTERVAL": f"{found.flush_interval:g}",
        "QUALITY_INTERVAL": f"{found.quality_interval:g}",
        "ALLOWED_LATENESS": f"{found.allowed_lateness:g}",
        "CONTRACT_LEAD": f"{found.contract_lead:g}",
        "SPOOL": "",
        "SPOOL_BYTES": str(spool.limit_bytes),
        "SPOOL_SYNC": spool.sync,
    }
    assert {name: described[f"HINDCAST_{name}"] for name in defaults} == defaults


def test_exit_codes_are_those_of_the_front_door() -> None:
    """Every exit code has its row."""
    codes = {int(row[0]) for row in page("docs/configuration.md").rows() if row[0].isdecimal()}
    said = (
        front_door.FAILED,
        front_door.WRONG_USE,
        front_door.TRY_LATER,
        front_door.DAMAGED,
        front_door.INTERRUPTED,
    )
    assert codes == {0, *said}


def test_the_properties_example_is_read(tmp_path: Path) -> None:
    """The file of librdkafka properties that the page shows is one."""
    (example,) = [one for one in page("docs/configuration.md").blocks if one.language == "properties"]
    file = tmp_path / "kafka.properties"
    file.write_text(example.text)
    assert read_properties(file)["security.protocol"] == "SASL_SSL"


def requirement_names(requirements: list[str]) -> set[str]:
    """Names of packages, ours left out."""
    names = {re.split(r"[\[<>=; ]", text, maxsplit=1)[0] for text in requirements}
    return names - {"hindcast"}


def test_every_dependency_has_its_reason() -> None:
    """docs/dependencies.md names, part by part, the packages of pyproject.toml and no others, each with a reason."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {"core": requirement_names(project["dependencies"])}
    wanted |= {extra: requirement_names(names) for extra, names in project["optional-dependencies"].items()}
    found = {}
    for part in page("docs/dependencies.md").text.split("\n## ")[1:]:
        rows = Page("", part).rows()
        assert all(row[1] for row in rows)
        found[re.split(r"[:\n]", part.lower(), maxsplit=1)[0]] = {
            name for row in rows for name in re.findall(r"`([^`]+)`", row[0])
        }
    assert found == wanted


def contract_fields(model: type[BaseModel] = Contract, prefix: str = "") -> dict[str, Any]:
    """Every field of a contract by its dotted path, with its default; parts are followed, ``*`` stands for a name."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        path, part = MANY.get(prefix + name, (name, field.annotation))
        if isinstance(part, type) and issubclass(part, BaseModel):
            fields |= contract_fields(part, f"{prefix}{path}.")
        else:
            fields[prefix + path] = None if field.default is PydanticUndefined else field.default
    return fields


def as_described(default: Any) -> set[str]:
    """A default in the words of docs/contracts.md."""
    if default is None:
        return {"none", "required"}
    if default in ((), {}):
        return {"empty"}
    if isinstance(default, bool):
        return {str(default).lower()}
    if isinstance(default, float):
        return {f"{default:g}"}
    return {", ".join(default) if isinstance(default, tuple) else str(default)}


def test_every_field_of_a_contract_is_described() -> None:
    """docs/contracts.md has a row for each field with its default, and no other."""
    described = {}
    for row in page("docs/contracts.md").rows():
        for name in re.findall(r"`([^`]+)`", row[0]):
            described[name] = row[1].replace("`", "")
    fields = contract_fields()
    assert set(described) == set(fields)
    assert [name for name, default in fields.items() if described[name] not in as_described(default)] == []


def test_every_metric_is_described() -> None:
    """docs/operations.md has a row for each metric of a processor, with its meaning, and no other."""
    described = {
        row[0].strip("`"): row[1]
        for row in page("docs/operations.md").rows()
        if row[0].startswith("`hindcast_")
    }
    assert described == {
        metric.name + "_total" * (metric.kind == "counter"): metric.meaning for metric in METRICS
    }


def test_each_measure_has_its_benchmark() -> None:
    """A benchmark prints measures of the name with which those in docs/performance.md begin."""
    named = [row[0].strip("`") for row in page("docs/performance.md").rows() if row[0].startswith("`")]
    assert len(named) >= 6
    printing = "\n".join(one.read_text(encoding="utf-8") for one in (ROOT / "benchmarks").glob("*.py"))
    assert [name for name in named if f'"{name.partition(".")[0]}.' not in printing] == []


@pytest.mark.parametrize("name", ["docs/contracts.md"])
def test_contract_examples_are_contracts(name: str) -> None:
    """A contract shown on a page is one."""
    shown = [one for one in page(name).blocks if one.language == "yaml"]
    assert shown
    for one in shown:
        assert Contract.from_yaml(one.text).model == "churn"
