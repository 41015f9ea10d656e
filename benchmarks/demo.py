"""How long `make demo` takes after its installation: the whole year, or with QUICK=1 February alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Run the demo in a directory of its own and print ``demo.seconds``."""
    with tempfile.TemporaryDirectory(prefix="hindcast-bench-") as directory:
        quick = ["--until", "2013-03-01"] if os.environ.get("QUICK") == "1" else []
        began = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "hindcast",
            "demo",
            "--directory",
            directory,
            "--report",
            str(Path(directory) / "report.html"),
            *quick,
        ]
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        print(
            json.dumps(
                {"measure": "demo.seconds", "value": round(time.monotonic() - began, 1), "unit": "s", "n": 1}
            )
        )
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
