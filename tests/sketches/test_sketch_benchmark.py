"""`benchmarks/sketches.py` measures what it can, and says what it leaves out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Little data, and a machine on which two peers are not installed.
PROGRAM = """
import sys
sys.path[:0] = ["benchmarks", "."]
sys.modules["datasketches"] = sys.modules["ddsketch"] = None
import sketches
sketches.run(1_000)
"""


def test_a_peer_that_is_not_installed_is_named_and_left_out() -> None:
    """Ours is measured on every shape, merges exactly and within its bound; each missing peer is one line on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    said = {line["measure"]: line["value"] for line in map(json.loads, done.stdout.splitlines())}
    shapes = {name.split(".")[1] for name in said}
    assert len(shapes) == 6
    for precision in (5, 7):
        for shape in shapes:
            ours = f"sketches.{shape}.ours_p{precision}"
            assert said[f"{ours}.merge_changes"] == 0
            errors = [value for name, value in said.items() if name.startswith(f"{ours}.relative_error")]
            assert len(errors) == 5
            assert max(errors) <= 2.0 ** -(precision + 1)
    for name in ("kll_k200", "kll_k1000", "tdigest_k200", "ddsketch_1pct"):
        assert done.stderr.count(f"{name} is left out: no package") == 1
        assert not any(name in measure for measure in said)
