"""Apache Kafka's published jars, resolved by jgo from Maven Central once and then kept.

`python -m hindcast.local.jars` fetches them ahead of the first start.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hindcast.local.directories import cache_directory, explain, prepare_directory
from producers.errors import ConfigError

KAFKA_VERSION = "4.3.1"
# kafka-clients is named because jgo otherwise takes an older one, with which the broker does not start.
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
)
NEEDED_MIB = 120
_REPOSITORY_TIMEOUT_S = 60


def kafka_jars(cache: Path) -> list[Path]:
    """All jars of the broker's class path, downloaded into `cache` when they are not there yet.

    Several processes may ask at once: one downloads, the others wait.

    Raises:
        ConfigError: jgo is not installed, the cache cannot be written, or the jars cannot be resolved.
    """
    record = cache / f"kafka-{KAFKA_VERSION}.json"
    known = _recorded(record)
    if known:
        return known
    prepare_directory(cache, free_mib=NEEDED_MIB)
    with _one_at_a_time(cache / "jars.lock"):
        known = _recorded(record)
        if not known:
            known = _resolve(cache)
            record.write_text(json.dumps([str(jar) for jar in known], indent=1))
    return known


def _recorded(record: Path) -> list[Path]:
    """The jars of an earlier resolution, or none when any of them is gone."""
    try:
        jars = [Path(name) for name in json.loads(record.read_text())]
    except (OSError, ValueError):
        return []
    return jars if all(jar.is_file() for jar in jars) else []


def _resolve(cache: Path) -> list[Path]:
    # jgo takes a quarter of a second to import, and is needed once in the life of a cache.
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.env import EnvironmentBuilder, LinkStrategy
        from jgo.maven import MavenContext
    except ImportError:
        raise ConfigError("the package jgo is missing: pip install 'hindcast[embedded]'") from None
    # A user's own mirrors stand in jgo's settings file and come on top of Maven Central.
    repositories = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    context = MavenContext(
        repo_cache=cache / "maven", remote_repos=repositories, timeout=_REPOSITORY_TIMEOUT_S
    )
    builder = EnvironmentBuilder(context=context, cache_dir=cache / "jgo", link_strategy=LinkStrategy.AUTO)
    try:
        jars = builder.from_endpoint("+".join(COORDINATES)).all_jars
    except OSError as problem:
        raise ConfigError(_why_unresolved(cache, problem)) from None
    except Exception as problem:  # noqa: BLE001 - jgo raises RuntimeError, ValueError and its clients' errors
        raise ConfigError(_why_unresolved(cache, problem)) from None
    return [Path(jar) for jar in jars]


def _why_unresolved(cache: Path, problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.filename is not None:
        return explain(cache, problem)
    # a client's own text is a chain of addresses, retries and causes
    reason = type(problem).__name__
    if not isinstance(problem, OSError) and str(problem).strip():
        reason = str(problem).strip().splitlines()[0][:200]
    return (
        f"the jars of Apache Kafka {KAFKA_VERSION} could not be downloaded from Maven Central ({reason}): "
        "check the network, or set HINDCAST_CACHE to a directory that has them"
    )


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Fetch the jars into the cache that the environment names; an error is one line and exit code 1."""
    try:
        kafka_jars(cache_directory(os.environ))
    except ConfigError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
