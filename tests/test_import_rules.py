"""The rules that hold the house together bite: on a copy without code, one bad import at a time is found."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RULES: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS, PURE = RULES["contracts"]
CLOCK_CALLS = {"now", "today", "utcnow"}


def files_of(modules: list[str]) -> list[Path]:
    """Every file of these modules and packages."""
    found = []
    for name in modules:
        place = ROOT / name.replace(".", "/")
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return found


def clock_calls(text: str) -> list[str]:
    """Calls that ask what time it is, such as ``datetime.now(UTC)``, which no linter of imports sees."""
    calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [
        ast.unparse(call) for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCK_CALLS
    ]


@pytest.fixture
def hollow(tmp_path: Path) -> Path:
    """Our packages with the modules that the rules name, all empty, under the rules of pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    ours = [name for name in PURE["forbidden_modules"] if name.partition(".")[0] in RULES["root_packages"]]
    for name in [*RULES["root_packages"], *PURE["source_modules"], *ours]:
        write(tmp_path, name, "")
    for ignored in PURE["ignore_imports"]:
        importer, _, imported = ignored.partition(" -> ")
        write(tmp_path, importer, f"import {imported}\n")
    return tmp_path


def write(root: Path, module: str, text: str) -> None:
    """Give a module of the copy this text: packages above it are made, and what is a package here is one there."""
    place = root / module.replace(".", "/")
    for package in place.relative_to(root).parents:
        if package != Path():
            (root / package).mkdir(exist_ok=True)
            (root / package / "__init__.py").touch()
    if (ROOT / module.replace(".", "/")).is_dir():
        place.mkdir(exist_ok=True)
        (place / "__init__.py").write_text(text)
    else:
        place.with_suffix(".py").write_text(text)


def checked(root: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports` in that directory."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)


def test_a_copy_without_imports_keeps_the_rules(hollow: Path) -> None:
    """What the next tests find is what they put there."""
    done = checked(hollow)
    assert done.returncode == 0, done.stdout


def test_every_forbidden_import_is_found(hollow: Path) -> None:
    """Broker, database, file, clock: each is refused, and every pure module is watched."""
    forbidden, pure = PURE["forbidden_modules"], PURE["source_modules"]
    pairs = list(zip(pure, cycle(forbidden), strict=False)) + list(zip(cycle(pure), forbidden, strict=False))
    lines: dict[str, list[str]] = {}
    for importer, imported in pairs:
        lines.setdefault(importer, []).append(f"import {imported}\n")
    for importer, text in lines.items():
        write(hollow, importer, "".join(text))
    done = checked(hollow)
    assert done.returncode == 1
    seen = " ".join(done.stdout.split())
    assert [pair for pair in pairs if f"{pair[0]} -> {pair[1]} (l." not in seen] == []


def test_a_detour_is_found(hollow: Path) -> None:
    """A pure module may not reach the broker through another module of ours either."""
    write(hollow, "stream_processors.windows", "import stream_processors.detour\n")
    write(hollow, "stream_processors.detour", "import confluent_kafka\n")
    done = checked(hollow)
    assert done.returncode == 1
    assert "stream_processors.detour -> confluent_kafka" in done.stdout


def test_an_import_against_the_layers_is_found(hollow: Path) -> None:
    """What stands below imports nothing from above."""
    write(hollow, "producers.settings", "import hindcast\n")
    done = checked(hollow)
    assert done.returncode == 1
    assert "producers.settings -> hindcast" in done.stdout


def test_pure_modules_do_not_ask_for_the_time() -> None:
    """`datetime` is a type there; what time it is comes in as an argument."""
    files = files_of(PURE["source_modules"])
    assert len(files) > len(PURE["source_modules"])
    assert {str(file): found for file in files if (found := clock_calls(file.read_text()))} == {}


def test_a_question_for_the_time_is_seen() -> None:
    """However it is written."""
    assert clock_calls("from datetime import UTC, datetime\nx = datetime.now(UTC)") == ["datetime.now"]
    assert clock_calls("import datetime as d\nd.date.today()\nnow = 1") == ["d.date.today"]
