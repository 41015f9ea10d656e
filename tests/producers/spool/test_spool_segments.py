"""What is appended comes back, in order, from files that any Avro tool reads."""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import pytest
from spooled_messages import HOUR, delivered, message, messages, numbers, segments

from producers.errors import ConfigError, SpoolUnavailable
from producers.spool import Spool, Spooled, SpoolFull, SpoolSettings
from producers.spool.container import AROUND_BYTES, HEADER, HEADER_BYTES
from producers.spool.message import Unpacker, pack
from producers.spool.names import Name, bytes_of, parsed


def test_everything_comes_back_in_order(tmp_path: Path) -> None:
    """Over many segments, byte for byte, and nothing is left in the directory."""
    spool = Spool(tmp_path, segment_bytes=3_000)
    said = [Spooled("labels", b"", b"\xc3\x01" * number, "m", "", -number * HOUR) for number in range(200)]
    for number in range(200):
        spool.append(said[number : number + 1])
    assert len(segments(tmp_path)) > 10
    assert delivered(spool) == said
    assert list(tmp_path.iterdir()) == []


def test_a_segment_is_an_avro_file(tmp_path: Path) -> None:
    """An intact one is read by fastavro: the fields are those of `Spooled`, with the hour as a time, and the checksum."""
    spool = Spool(tmp_path)
    spool.append(messages(0, 3))
    spool.append(messages(3, 5))
    [path] = segments(tmp_path)
    with path.open("rb") as file:
        records = list(fastavro.reader(file))
    hour = datetime.fromtimestamp(HOUR / 1e6, UTC)
    for record in records:
        del record["crc"]
    assert records == [{**asdict(one), "hour": hour} for one in messages(0, 5)]


def test_the_format_is_frozen() -> None:
    """Files of years ago are read: header and records are, byte for byte, what they were."""
    digest = hashlib.sha256(HEADER).hexdigest()
    assert (len(HEADER), digest[:16]) == (HEADER_BYTES - 16, "0bb09010f1908360")
    record = pack(Spooled("labels", b"key", b"\xc3\x01value", "modèle", "", HOUR))
    assert record.hex() == "0c6c6162656c730e6d6f64c3a86c65008090aceac0ada006066b65790ec30176616c756562ba547c"
    assert Unpacker().unpack(record, 0)[1] == len(record)


def test_files_are_private(tmp_path: Path) -> None:
    """Features are inside: the directory is made for its owner alone, and so is every file, whatever the umask."""
    before = os.umask(0)
    try:
        spool = Spool(tmp_path / "deep" / "spool")
        spool.append(messages(0, 1))
        spool.set_aside(messages(1, 2))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "deep" / "spool").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep" / "spool").iterdir()}
    assert modes == {0o600}


def test_an_append_is_one_block_in_one_segment(tmp_path: Path) -> None:
    """However large: it is never divided, so that it is kept whole or not at all."""
    spool = Spool(tmp_path, segment_bytes=1_000)
    spool.append(messages(0, 500))
    spool.append(messages(500, 501))
    first, second = segments(tmp_path)
    assert first.stat().st_size > 1_000 > second.stat().st_size
    with first.open("rb") as file:
        assert [block.num_records for block in fastavro.block_reader(file)] == [500]


def test_names_order_segments_by_time_even_if_the_clock_is_set_back(tmp_path: Path) -> None:
    """Each begins after the one before; names say when, and by whom."""
    times = iter([5_000_000, 1_000_000, 9_000_000])
    spool = Spool(tmp_path, segment_bytes=1, owner="pod-1", clock=lambda: next(times))
    for number in range(3):
        spool.append(messages(number, number + 1))
    names = [path.name for path in segments(tmp_path)]
    assert names == [f"19700101T0000000{moment}Z-pod-1.avro" for moment in ("05000", "05001", "09000")]
    assert [parsed(name) for name in names] == [
        Name("segment", moment, "pod-1") for moment in (5_000, 5_001, 9_000)
    ]
    assert numbers(delivered(spool)) == [0, 1, 2]


@pytest.mark.parametrize(
    "name",
    [
        "x.avro",
        "20260231T000000000000Z-a.avro",
        "20260101T000000000000Z-.avro",
        "20260101T000000000000Z-a.avro~",
    ],
)
def test_other_names_are_none_of_ours(name: str) -> None:
    """A day that there is not, no owner, an editor's copy."""
    assert parsed(name) is None


def test_the_own_open_segment_comes_last(tmp_path: Path) -> None:
    """It is sealed when it is the only thing left, and appends begin another one."""
    spool = Spool(tmp_path, segment_bytes=1_000)
    spool.append(messages(0, 20))
    spool.append(messages(20, 21))
    first = spool.claim()
    second = spool.claim()
    assert first is not None
    assert second is not None
    assert spool.claim() is None
    assert [numbers(list(one.messages())) for one in (first, second)] == [list(range(20)), [20]]
    spool.append(messages(21, 22))
    second.release()
    assert numbers(delivered(spool)) == [20, 21]


def test_a_released_segment_is_claimed_again(tmp_path: Path) -> None:
    """Untouched; and what was done is gone, also if it is done or released once more."""
    spool = Spool(tmp_path)
    spool.append(messages(0, 3))
    segment = spool.claim()
    assert segment is not None
    assert spool.claim() is None
    segment.release()
    segment = spool.claim()
    assert segment is not None
    assert numbers(list(segment.messages())) == numbers(list(segment.messages())) == [0, 1, 2]
    segment.done()
    segment.release()
    segment.done()
    assert spool.claim() is None


def test_closing_gives_back_what_is_claimed(tmp_path: Path) -> None:
    """Another spool finds all of it."""
    spool = Spool(tmp_path, segment_bytes=1)
    spool.append(messages(0, 1))
    spool.append(messages(1, 2))
    assert spool.claim() is not None
    other = Spool(tmp_path)
    assert other.claim() is None
    spool.close()
    assert numbers(delivered(other)) == [0, 1]


def filled(spool: Spool) -> int:
    """Append three messages at a time until the spool is full; how many it keeps."""
    for kept in itertools.count(0, 3):
        try:
            spool.append(messages(kept, kept + 3))
        except SpoolFull:
            return kept
    raise AssertionError("never full")


def test_the_limit_is_exact_for_one_process(tmp_path: Path) -> None:
    """What would go beyond is refused whole, and there is room again as soon as a segment is done."""
    spool = Spool(tmp_path, limit_bytes=20_000, segment_bytes=4_000)
    kept = filled(spool)
    size = bytes_of(tmp_path)
    one_append = sum(len(pack(one)) for one in messages(kept, kept + 3)) + AROUND_BYTES
    assert 20_000 - one_append - HEADER_BYTES < size <= 20_000
    segment = spool.claim()
    assert segment is not None
    first = numbers(list(segment.messages()))
    with pytest.raises(SpoolFull, match="limit of 20000 bytes"):
        spool.append(messages(kept, kept + 3))
    segment.done()
    spool.append(messages(kept, kept + 3))
    assert first + numbers(delivered(spool)) == list(range(kept + 3))


def test_several_processes_share_the_limit_but_for_a_segment_each(tmp_path: Path) -> None:
    """One that wrote nothing yet sees what others wrote; a full one looks again after a second, and only then."""
    now = [0.0]
    first = Spool(tmp_path, limit_bytes=30_000, segment_bytes=5_000)
    second = Spool(tmp_path, limit_bytes=30_000, segment_bytes=5_000, seconds=lambda: now[0])
    second.append(messages(0, 1))
    for spool in (first, second):
        filled(spool)
    assert 30_000 - 1_000 < bytes_of(tmp_path) < 35_000
    delivered(first)
    with pytest.raises(SpoolFull):
        second.append(messages(0, 10))
    now[0] += 1.0
    second.append(messages(0, 10))


def test_a_spool_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A file in its place: at once where it is asked, and else in the append."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "spool"):
        with pytest.raises(ConfigError, match="cannot be made"):
            Spool(place).open()
        with pytest.raises(SpoolUnavailable, match=r"the spool .* cannot be"):
            Spool(place).append(messages(0, 1))
    Spool(tmp_path / "new").open()
    assert Spool(tmp_path / "nowhere").claim() is None


@pytest.mark.parametrize("sync", ["never", "segment", "always"])
def test_every_policy_keeps_everything(tmp_path: Path, sync: str) -> None:
    """They differ in what a power cut takes."""
    spool = Spool(tmp_path, segment_bytes=1_000, sync=sync)
    for number in range(50):
        spool.append(messages(number, number + 1))
    assert numbers(delivered(spool)) == list(range(50))


@pytest.mark.parametrize(
    "wrong",
    [{"sync": "sometimes"}, {"limit_bytes": 0}, {"segment_bytes": 0}, {"owner": "a/b"}, {"owner": ""}],
)
def test_wrong_arguments_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    """With a line that says what is wanted."""
    with pytest.raises(ConfigError, match="the spool's"):
        Spool(tmp_path, **wrong)  # type: ignore[arg-type]


def test_an_append_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    """No directory, no file."""
    spool = Spool(tmp_path / "spool")
    spool.append([])
    spool.close()
    assert not (tmp_path / "spool").exists()


def test_a_cleared_directory_takes_new_segments(tmp_path: Path) -> None:
    """Somebody deletes it all under a running service: what comes then is kept."""
    spool = Spool(tmp_path / "spool")
    spool.append(messages(0, 1))
    claimed = Spool(tmp_path / "spool", segment_bytes=1)
    for path in (tmp_path / "spool").iterdir():
        path.unlink()
    (tmp_path / "spool").rmdir()
    spool.append(messages(1, 2))
    claimed.append(messages(2, 3))
    assert numbers(delivered(spool)) == [1]


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    """A value that cannot be one is named by its variable."""
    assert SpoolSettings.from_environment({}) == SpoolSettings()
    said = {"HINDCAST_SPOOL": str(tmp_path), "HINDCAST_SPOOL_BYTES": "1e6", "HINDCAST_SPOOL_SYNC": "always"}
    assert SpoolSettings.from_environment(said) == SpoolSettings(tmp_path, 1_000_000, "always")
    for name, value in (("HINDCAST_SPOOL_BYTES", "1 GiB"), ("HINDCAST_SPOOL_SYNC", "often")):
        with pytest.raises(ConfigError, match=name):
            SpoolSettings.from_environment({name: value})


def test_a_message_is_small_beside_its_value() -> None:
    """What the spool adds to a value is its key, its account and a few bytes."""
    one = message(7, size=600)
    assert len(pack(one)) < 600 + len(one.key) + len(one.stream) + len(one.model) + len(one.environment) + 25
