"""How long `make demo` takes after its installation: the whole year, or with QUICK=1 February alone, under a name of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUICK_UNTIL = "2013-03-01"


def main() -> int:
    """Run the demo in a directory of its own; print ``demo.seconds`` or ``demo.quick_seconds``, and nothing when it failed."""
    quick = os.environ.get("QUICK") == "1"
    part = ["--until", QUICK_UNTIL] if quick else []
    with tempfile.TemporaryDirectory(prefix="hindcast-bench-") as directory:
        where = ["--directory", directory, "--report", str(Path(directory) / "report.html")]
        began = time.monotonic()
        command = [sys.executable, "-m", "hindcast", "demo", *where, *part]
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        taken = time.monotonic() - began
    if done.returncode:
        print(f"demo: it failed with exit code {done.returncode}, so nothing was measured", file=sys.stderr)
        return done.returncode if done.returncode > 0 else 1
    measured = {"value": round(taken, 1), "unit": "s", "n": 1}
    if quick:
        print(json.dumps({"measure": "demo.quick_seconds", **measured, "until": QUICK_UNTIL}))
    else:
        print(json.dumps({"measure": "demo.seconds", **measured}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
