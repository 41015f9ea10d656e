"""Killed processes, full disks: what was reported as kept is there."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from spooled_messages import child, delivered, numbers, segments

from producers.spool import Spool
from producers.spool.survey import look

LARGEST_APPEND = 40
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def killed(directory: Path, seed: int) -> int:
    """Let a child append until it is killed, after some appends or none; how many messages it reported as kept."""
    one = child(f"append_for_ever({str(directory)!r}, {seed})")
    with one:
        assert one.stdout is not None
        said = [one.stdout.readline() for _ in range(random.Random(seed).randint(1, 60))]
        one.kill()
        said += one.stdout.readlines()
    return int([line for line in said if line.endswith("\n")][-1])


def check_kills(directory: Path, seeds: range) -> None:
    """After each kill, all that was reported comes back, once and in order, and at most one append that was not."""
    for seed in seeds:
        kept = killed(directory, seed)
        found = numbers(delivered(Spool(directory)))
        assert found == list(range(len(found))), seed
        assert kept <= len(found) <= kept + LARGEST_APPEND, seed
        assert list(directory.iterdir()) == []


def test_what_was_reported_before_a_kill_is_found(tmp_path: Path) -> None:
    """Twenty processes are killed while they append."""
    check_kills(tmp_path, range(20))


@pytest.mark.soak
def test_what_was_reported_before_many_kills_is_found(tmp_path: Path) -> None:
    """Two hundred."""
    check_kills(tmp_path, range(100, 300))


def test_a_full_file_is_cut_back_to_what_was_kept(tmp_path: Path) -> None:
    """The system takes a part of a block and no more: none of it stays, the spool says that it is full, and goes on in another file."""
    with child(f"fill_file({str(tmp_path)!r})") as one:
        said = one.communicate(timeout=100)[0].splitlines()
    kept = [int(line) for line in said if line.isdecimal()]
    full = [line for line in said if not line.isdecimal()]
    assert full == [f"disk full: the spool {tmp_path} takes no more"] * 3
    assert len(segments(tmp_path)) == 3
    assert all(49_000 < path.stat().st_size <= 50_000 for path in segments(tmp_path))
    assert [(entry.torn, entry.is_sound) for entry in look(tmp_path)] == [(0, True)] * 3
    assert numbers(delivered(Spool(tmp_path))) == kept
    assert len(kept) == kept[-1] + 1 - 2  # the third that found no room was the last


def test_a_full_disk_keeps_what_it_took(tmp_path: Path) -> None:
    """On a file system of one megabyte: all that was kept comes back, there is room again once there is, and a disk that is full
    now and then is not littered with segments.
    """
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets nobody mount a small file system; the test above meets a full file")
    mount = f'mount -t tmpfs -o size=1m tmpfs {tmp_path} && exec "$@"'
    with child(f"fill_disk({str(tmp_path)!r})", *NAMESPACE, "sh", "-c", mount, "sh") as one:
        said = one.communicate(timeout=100)[0].splitlines()
    assert said[-1] == "all"
    assert len(said) == 9
    assert all("disk full" in line for line in said[:-1])
    there = [int(line.split()[-1]) for line in said[:-1]]
    assert there[6] - there[0] <= 1
