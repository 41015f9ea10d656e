"""The built wheel: what is in it, what it asks for, and that it works where only it is installed."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"producers", "stream_processors", "evaluation", "hindcast"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    directory = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(directory),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Every file in it."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """Its METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel, and the packages of this one to import, but not this checkout."""
    directory = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(directory, with_pip=False)
    site = next((directory / "lib").glob("python*")) / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    # a .pth line adds a directory without running the .pth files in it, so an editable install is not seen
    (site / "packages.pth").write_text("\n".join(packages))
    return directory / "bin" / "python"


def run(python: Path, program: str) -> str:
    """What a program prints in the fresh environment, away from the checkout."""
    command = [str(python), "-c", program]
    done = subprocess.run(command, cwd=python.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def files(directory: str, pattern: str) -> set[str]:
    """Files of the checkout below a directory, as paths from there."""
    return {str(path.relative_to(ROOT / directory)) for path in (ROOT / directory).rglob(pattern)}


def test_schemas_and_sql_are_inside(names: set[str]) -> None:
    """Every schema, example and statement of the checkout is in the wheel."""
    schemas = {
        f"producers/_schemas/{path}" for path in files("schemas", "*.avsc") | files("schemas", "*.json")
    }
    sql = {f"stream_processors/_sql/{path}" for path in files("sql", "*.sql")}
    assert len(schemas) > 20
    assert len(sql) > 10
    assert schemas | sql <= names


def test_top_level_names_are_ours_only(names: set[str]) -> None:
    """Nothing called `schemas`, `sql` or `tests` lands in anybody's site-packages."""
    assert {name.partition("/")[0] for name in names} == OURS | {"hindcast-0.1.0.dist-info"}


def test_the_packages_are_typed(names: set[str]) -> None:
    """Each package says that its types may be used."""
    assert {f"{package}/py.typed" for package in OURS} <= names


def test_a_light_producer_pulls_in_three_packages(metadata: Message) -> None:
    """Without an extra there are confluent-kafka, fastavro and at most two small packages."""
    plain = [text for text in metadata.get_all("Requires-Dist") or [] if "extra ==" not in text]
    assert sorted(text.split(">")[0] for text in plain) == ["confluent-kafka", "fastavro", "uuid-utils"]
    assert set(metadata.get_all("Provides-Extra") or []) == {
        "processors",
        "embedded",
        "gateway",
        "bench-logging",
        "bench-sketches",
        "plot",
        "demo",
        "bench",
        "dev",
    }


def test_the_installed_wheel_finds_its_data(python: Path) -> None:
    """Away from the checkout, schemas and SQL are found inside the packages."""
    where = run(
        python,
        "from producers.schema_files import schema_directory, shipped; from producers.topics import topics\n"
        "from stream_processors.sql_files import sql_directory\n"
        "print(schema_directory(), sql_directory('migrations').parent, len(shipped()), len(topics()))",
    ).split()
    site = next((python.parents[1] / "lib").glob("python*")) / "site-packages"
    assert where[:2] == [str(site / "producers" / "_schemas"), str(site / "stream_processors" / "_sql")]
    assert [int(count) for count in where[2:]] == [len(files("schemas", "*.avsc")), 11]


def test_the_installed_wheel_is_light_to_import(python: Path) -> None:
    """A fresh interpreter that imports `producers` has loaded no Kafka client and no numpy."""
    loaded = run(
        python,
        "import sys, producers; producers.PredictionLogger\n"
        "print([m for m in ('confluent_kafka', 'numpy', 'pyarrow', 'faust', 'click') if m in sys.modules])",
    )
    assert loaded == "[]"


def test_the_installed_wheel_logs(python: Path) -> None:
    """The installed package encodes an event by the schemas inside it."""
    said = run(
        python,
        "from producers import PredictionLogger; from producers.testing import MemorySink\n"
        "sink = MemorySink()\n"
        "with PredictionLogger(model='m', sink=sink) as log: log.prediction(score=0.5)\n"
        "print(sink.records('predictions')[0]['score'])",
    )
    assert said == "0.5"


def test_the_installed_command_answers(python: Path) -> None:
    """`python -m hindcast --version` works from the wheel."""
    program = "import runpy, sys; sys.argv = ['hindcast', '--version']; runpy.run_module('hindcast', run_name='__main__')"
    assert run(python, program).startswith("hindcast 0.1.0")
