"""Runs the benchmarks: ``python -m benchmarks all`` or one by its name. Each prints one JSON object a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run the named benchmark, or all, each in a process of its own; returns the worst exit code."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    known = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    if wanted != "all" and wanted not in known:
        print(f"no benchmark {wanted!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = known if wanted == "all" else [wanted]
    return max(
        subprocess.run([sys.executable, HERE / f"{name}.py"], check=False).returncode for name in chosen
    )


if __name__ == "__main__":
    sys.exit(main())
