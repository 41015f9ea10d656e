"""What keeps a stack from starting: one clear line, an exit code, and nothing left running."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from left_running import processes_of

from hindcast.local.directories import explain, prepare_directory
from hindcast.local.java import find_java, java_version
from hindcast.local.stack import LocalStack
from hindcast.local.startup import StackOptions
from producers.errors import ConfigError

NOBODY = 65534


def up(directory: Path, *options: str, environment: Mapping[str, str] | None = None) -> str:
    """Run `hindcast up` that must fail; returns its one line."""
    done = subprocess.run(
        [sys.executable, "-m", "hindcast", "up", "--directory", str(directory), "--detach", *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("hindcast: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert not processes_of(directory)
    assert not LocalStack(directory).running() if directory.is_dir() else True
    return done.stderr


@contextmanager
def listening() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


@pytest.mark.parametrize("server", ["kafka", "clickhouse"])
def test_a_port_in_use_is_named(tmp_path: Path, server: str) -> None:
    """With the server that wanted it."""
    with listening() as port:
        said = up(tmp_path / "s", f"--{server}-port", str(port))
    assert f"port {port}" in said
    assert server in said.lower()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    """A path that exists as something else is named."""
    (tmp_path / "file").write_text("")
    assert "is not a directory" in up(tmp_path / "file")
    assert "is not a directory" in up(tmp_path / "file" / "below")


def test_too_few_open_files_are_said_with_their_number(tmp_path: Path) -> None:
    """Before anything is written: supervisord's own words for it name files that nobody has."""
    line = f"ulimit -n 256; {sys.executable} -m hindcast up --detach --directory {tmp_path / 's'}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=False)
    said = "hindcast: only 256 files may be open at once, and 1024 are needed: raise the hard limit (`ulimit -n`)\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("name", "character"),
    [
        ("what?", "?"),
        ("a,1", ","),
        ("semi ;x", " ;"),
        ("hash #x", " #"),
        ("no-break\u00a0#x", "\xa0#"),
        ("${env:HOME}", "${"),
        ("50%", "%"),
        ('a"b', '"'),
        ("a\\b", "\\"),
        ("a\tb", "\t"),
        (os.fsdecode(b"caf\xe9"), "\udce9"),
    ],
)
def test_a_path_that_a_server_would_take_for_another_is_refused(
    tmp_path: Path, name: str, character: str
) -> None:
    """By the character, before anything is written, also where only a directory above or a link has it."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / name)
    for directory in (tmp_path / name, tmp_path / name / "below", link, link / "below"):
        with pytest.raises(ConfigError, match=re.escape(f"has {character!r} in its name")):
            LocalStack(directory).up()
    assert list(tmp_path.iterdir()) == [link]


def test_the_door_refuses_a_path_that_the_engine_would_take_for_another(tmp_path: Path) -> None:
    """Also where no stack starts it."""
    done = subprocess.run(
        [sys.executable, "-m", "hindcast.local.clickhouse_door", f"--directory={tmp_path}/q?1", "--port=1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "has '?' in its name" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_unreadable_directory_is_named(tmp_path: Path) -> None:
    """A directory of another user is refused before anything starts."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(NOBODY)
    else:
        closed.chmod(0)
    try:
        with pytest.raises(ConfigError, match="may not be read and written by this user"):
            prepare_directory(closed)
    finally:
        if superuser:
            os.seteuid(0)
        closed.chmod(0o700)


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """On a file system of two megabytes nothing is started."""
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets nobody mount a small file system; the next test meets the same error")
    command = f"mount -t tmpfs -o size=2m tmpfs {tmp_path} && exec {sys.executable} -m "
    program = f"hindcast up --directory {tmp_path}/s --detach"
    done = subprocess.run(
        [*namespace, "sh", "-c", command + program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("hindcast: disk full: "), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not processes_of(tmp_path)


def test_a_disk_that_fills_is_named(tmp_path: Path) -> None:
    """The system's own word for it becomes the same line."""
    with pytest.raises(OSError, match="No space left") as full, Path("/dev/full").open("w") as device:
        device.write("x")
    assert isinstance(full.value, OSError)
    assert explain(tmp_path, full.value) == f"disk full: cannot write in {tmp_path}"


def test_no_java_is_named(tmp_path: Path) -> None:
    """Neither JAVA_HOME nor PATH nor a package: the line says what to install; nothing runs."""
    stack = LocalStack(tmp_path, environment={"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path)})
    with pytest.raises(ConfigError, match="no Java 17 or newer"):
        stack.up(StackOptions(bundled_java=False))
    assert not processes_of(tmp_path)


def test_an_old_java_is_passed_over(tmp_path: Path) -> None:
    """A Java before 17 on the PATH is said to be one, and the packaged Java is taken instead."""
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    old.chmod(0o755)
    assert java_version(old) == 8
    with pytest.raises(ConfigError, match="is Java 8"):
        find_java({"PATH": str(tmp_path)}, bundled=False)
    packaged = find_java({"PATH": str(tmp_path)})
    assert packaged != old
    version = java_version(packaged)
    assert version is not None
    assert version >= 17


def test_jars_that_cannot_be_downloaded_are_named(tmp_path: Path) -> None:
    """Without a network and with an empty cache."""
    nowhere = "http://127.0.0.1:9"
    said = up(
        tmp_path / "s",
        environment={
            "HINDCAST_CACHE": str(tmp_path / "cache"),
            "HTTPS_PROXY": nowhere,
            "https_proxy": nowhere,
            "NO_PROXY": "",
            "no_proxy": "",
        },
    )
    assert "Maven Central" in said


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """Kafka's own last words come up, and ClickHouse does not stay behind."""
    stack = LocalStack(tmp_path)
    stack.up(StackOptions(processors={}, lay_road=lambda _: None))
    stack.down()
    meta = tmp_path / "kafka" / "data" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=2"))
    said = up(tmp_path)
    assert "kafka stopped at its start" in said
    assert "kafka.log" in said


def test_a_processor_that_does_not_start_says_why(tmp_path: Path) -> None:
    """After a second attempt everything is stopped again."""
    stack = LocalStack(tmp_path)
    program = (sys.executable, "-c", "raise SystemExit('error: no luck today')")
    with pytest.raises(
        ConfigError, match=r"joiner stopped at its start \(exit status 1\): error: no luck today"
    ):
        stack.up(StackOptions(processors={"joiner": program}, lay_road=lambda _: None))
    assert not processes_of(tmp_path)
