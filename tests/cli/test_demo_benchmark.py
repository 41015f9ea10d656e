"""`benchmarks/demo.py` around a demo that ends as told: a figure only for a demo that came to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "demo.py"


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A directory in which `python -m hindcast` ends with the code of `ENDS_WITH` and leaves its arguments behind."""
    (tmp_path / "hindcast").mkdir()
    (tmp_path / "hindcast" / "__init__.py").touch()
    (tmp_path / "hindcast" / "__main__.py").write_text(
        "import os, pathlib, signal, sys\n"
        "pathlib.Path('arguments').write_text(' '.join(sys.argv[1:]))\n"
        "code = int(os.environ['ENDS_WITH'])\n"
        "os.kill(os.getpid(), -code) if code < 0 else sys.exit(code)\n"
    )
    return tmp_path


def measured(directory: Path, *, ends_with: int, quick: str) -> subprocess.CompletedProcess[str]:
    """The benchmark, run in that directory."""
    environment = {**os.environ, "ENDS_WITH": str(ends_with), "QUICK": quick}
    return subprocess.run(
        [sys.executable, BENCHMARK],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("ends_with", "code"), [(3, 3), (-9, 1)])
def test_a_demo_that_failed_is_no_measure(stand_in: Path, ends_with: int, code: int) -> None:
    """No figure on stdout, one line on stderr, and the failure is passed on."""
    done = measured(stand_in, ends_with=ends_with, quick="")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert "nothing was measured" in done.stderr


def test_the_whole_year_is_the_measure(stand_in: Path) -> None:
    """Without QUICK nothing is left out."""
    done = measured(stand_in, ends_with=0, quick="")
    assert done.returncode == 0
    assert json.loads(done.stdout)["measure"] == "demo.seconds"
    assert "--until" not in (stand_in / "arguments").read_text()


def test_a_part_of_the_year_has_a_name_of_its_own(stand_in: Path) -> None:
    """A quick run is never taken for the whole: another measure, which says until when."""
    done = measured(stand_in, ends_with=0, quick="1")
    said = json.loads(done.stdout)
    assert (said["measure"], said["unit"]) == ("demo.quick_seconds", "s")
    assert f"--until {said['until']}" in (stand_in / "arguments").read_text()
