"""`hindcast spool`, as a person runs it; `replay` with the real Kafka."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from spooled_messages import ROOT, delivered, messages, prediction, segments
from waiting import eventually

from hindcast.__main__ import run
from producers.codec import decode
from producers.settings import KafkaSettings
from producers.spool import Spool
from producers.spool.container import HEADER_BYTES
from producers.spool.descriptors import is_held
from producers.spool.names import SEGMENT, Name
from stream_processors.kafka import Message

Say = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that HINDCAST_SPOOL names, with two segments of dead processes."""
    directory = tmp_path / "spool"
    monkeypatch.setenv("HINDCAST_SPOOL", str(directory))
    for first in (0, 10):
        spool = Spool(directory)
        spool.append([prediction(number) for number in range(first, first + 10)])
        spool.close()
    return directory


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Say:
    """Run a command line; returns what it prints, where it must end with ``code`` and say nothing of a fault."""

    def called(*arguments: str, code: int = 0) -> str:
        capfd.readouterr()
        ended = code_of(arguments)
        said = capfd.readouterr()
        assert (ended, said.err) == (code, ""), said.out
        return said.out

    return called


def code_of(arguments: tuple[str, ...]) -> int:
    """The code with which a command line ends."""
    with suppress(SystemExit):
        return run(["spool", *arguments])
    raise AssertionError("the process would have ended")


def entries(text: str) -> list[dict[str, object]]:
    """What `--json` says, a line each."""
    return [json.loads(line) for line in text.splitlines()]


def test_list_says_what_lies_there(place: Path, say: Say) -> None:
    """Oldest first, with messages and bytes, whose they are, and what does not belong there; never what is inside."""
    (place / "[bold]notes.txt").write_text("mine")
    held = Spool(place)
    held.append([prediction(99)])
    said = say("list")
    assert "[bold]notes.txt" in said
    assert "[bold]notes.txt: not named as a segment" in said
    assert "21 messages" in said
    assert said.split()[said.split().index(segments(place)[2].name) + 1] == "held"
    assert "churn" not in said
    found = entries(say("list", "--json"))
    assert [entry["messages"] for entry in found] == [10, 10, 1, 0]
    assert [entry["held"] for entry in found] == [False, False, True, False]
    assert [entry["kind"] for entry in found] == ["segment", "segment", "segment", "other"]
    assert all(entry["age_s"] >= 0 for entry in found[:3])  # type: ignore[operator]
    assert [entry["bytes"] for entry in found[:3]] == [path.stat().st_size for path in segments(place)]


def test_list_cuts_no_figure_off(place: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 80 columns a long name is wrapped: how many bytes lie there is told whole."""
    monkeypatch.setenv("COLUMNS", "80")
    kept = segments(place)[0]
    size = kept.stat().st_size
    kept.rename(place / f"damaged-{kept.name}")
    (place / f"{'long' * 15}.txt").write_text("mine")
    said = say("list")
    assert "…" not in said
    assert {"damaged", str(size)} <= set(said.split())


def test_an_empty_spool_says_so(tmp_path: Path, say: Say) -> None:
    """There is nothing, and nothing is wrong."""
    assert "nothing lies in" in say("list", "--spool", str(tmp_path))
    assert say("verify", "--spool", str(tmp_path), "--json") == ""


def test_verify_reads_everything(place: Path, say: Say) -> None:
    """Sound segments end with 0, what a crash tore off as well; a damaged byte ends with 1, and is in the file that it names."""
    first, second = segments(place)
    assert [entry["sound"] for entry in entries(say("verify", "--json"))] == [True, True]
    with second.open("ab") as file:
        file.write(b"\x14\xff")
    [_, torn] = entries(say("verify", "--json"))
    assert (torn["torn"], torn["sound"], torn["messages"]) == (2, True, 10)
    assert "torn: 2 bytes" in say("verify")
    content = bytearray(first.read_bytes())
    content[HEADER_BYTES + 100] ^= 1
    first.write_bytes(content)
    [damaged, _] = entries(say("verify", "--json", code=1))
    assert (damaged["damaged_blocks"], damaged["messages"], damaged["sound"]) == (1, 9, False)
    assert f"not sound: {first.name}" in say("verify", code=1)
    assert entries(say("list", "--json"))[0]["sound"]  # it looks at what stands around the records


def test_verify_decodes_every_message(place: Path, say: Say) -> None:
    """Bytes that are no event, though they are as they were written."""
    spool = Spool(place)
    spool.append(messages(0, 3))
    [_, _, odd] = entries(say("verify", "--json", code=1))
    assert (odd["undecodable"], odd["messages"], odd["damaged_blocks"]) == (3, 3, 0)
    assert "undecodable: 3 messages" in say("verify", code=1)


def test_what_is_named_as_a_segment_and_is_none_is_not_sound(place: Path, say: Say) -> None:
    """A directory, another version's file: said, and 1."""
    (place / str(Name(SEGMENT, 1, "x"))).mkdir()
    (place / str(Name(SEGMENT, 2, "x"))).write_bytes(b"Obj\x01" + bytes(5_000))
    found = entries(say("verify", "--json", code=1))
    assert [entry["problem"] for entry in found[:2]] == ["no regular file", "not a segment of this version"]


def told(capfd: pytest.CaptureFixture[str], line: str, code: int) -> str:
    """The one line on stderr of a command that ends with this code."""
    assert code_of(tuple(line.split())) == code
    said = capfd.readouterr().err
    assert said.startswith("hindcast: ")
    assert said.count("\n") == 1, said
    return said


@pytest.mark.parametrize("command", ["list", "verify", "replay"])
def test_a_spool_must_be_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """By the option or the variable, and be there."""
    monkeypatch.delenv("HINDCAST_SPOOL", raising=False)
    assert "no spool is named: say --spool DIR, or set HINDCAST_SPOOL" in told(capfd, command, 2)
    assert "is no directory" in told(capfd, f"{command} --spool {tmp_path}/nowhere", 2)
    monkeypatch.setenv("HINDCAST_SPOOL", f"{tmp_path}/nowhere")
    assert "is no directory" in told(capfd, command, 2)
    assert not (tmp_path / "nowhere").exists()


def test_a_kafka_that_is_away_leaves_everything(
    place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for before anything is touched."""
    monkeypatch.setenv("HINDCAST_KAFKA", "127.0.0.1:1")
    assert "no Kafka answers at 127.0.0.1:1" in told(capfd, "replay", 3)
    assert len(delivered(Spool(place))) == 20


@pytest.fixture
def environment(settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    """The variables of the real Kafka and its topics."""
    monkeypatch.setenv("HINDCAST_KAFKA", settings.bootstrap)
    monkeypatch.setenv("HINDCAST_TOPIC_PREFIX", settings.topic_prefix)
    return settings


def test_replay_delivers_it_all(
    place: Path,
    say: Say,
    environment: KafkaSettings,
    read_all: Callable[[str], list[Message]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each event once with its own bytes; what is too large is kept aside, said, and sent when the limit allows; the ledger agrees."""
    large = Spool(place)
    large.append([prediction(20, filler="x" * 5_000)])
    large.close()
    held = Spool(place)
    held.append([prediction(99)])
    properties = place.parent / "kafka.properties"
    properties.write_text("message.max.bytes=2000\n")
    monkeypatch.setenv("HINDCAST_KAFKA_PROPERTIES", str(properties))
    said = say("replay")
    assert "replayed 20 messages of 3 segments" in said
    assert "refused for good and kept aside: MSG_SIZE_TOO_LARGE: 1" in said
    assert "1 held by living processes" in said
    assert [entry["kind"] for entry in entries(say("list", "--json"))] == ["segment", "refused"]
    monkeypatch.delenv("HINDCAST_KAFKA_PROPERTIES")
    again = json.loads(say("replay", "--refused", "--json"))
    assert again == {
        "segments": 1,
        "replayed": 1,
        "refused": {},
        "damaged_blocks": 0,
        "damaged_bytes": 0,
        "unreadable": {},
        "held": 0,
    }
    assert json.loads(say("replay", "--json"))["held"] == 1
    arrived = {message.key(): message.value() for message in read_all("predictions")}
    expected = [*map(prediction, range(20)), prediction(20, filler="x" * 5_000)]
    assert arrived == {one.key: one.value for one in expected}
    assert len(read_all("predictions")) == 21
    counts: Counter[str] = Counter()
    for message in read_all("ledger"):
        record = decode(message.value())[1]
        counts[record["producer_id"]] += record["replayed"] if record["closing"] else 0
    assert sorted(counts.values()) == [1, 20]
    held.close()


def test_replay_names_what_it_passes_over(place: Path, say: Say, environment: KafkaSettings) -> None:
    """Named as a segment and not to be read as one: it stays, and is told beside the counts of the others."""
    foreign = segments(place)[0]
    foreign.write_bytes(b"x" * HEADER_BYTES)
    said = say("replay")
    assert "replayed 10 messages of 1 segments" in said
    assert f"{foreign.name} is left where it is: not a segment of this version" in said
    assert json.loads(say("replay", "--json"))["unreadable"] == {
        foreign.name: "not a segment of this version"
    }
    assert segments(place) == [foreign]


def test_missing_topics_are_said(
    place: Path,
    capfd: pytest.CaptureFixture[str],
    environment: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the command that makes them, and nothing is touched."""
    monkeypatch.setenv("HINDCAST_TOPIC_PREFIX", f"{environment.topic_prefix}-other")
    assert "`hindcast topics` creates it" in told(capfd, "replay", 2)
    assert len(delivered(Spool(place))) == 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_leaves_the_rest(
    place: Path, environment: KafkaSettings, number: signal.Signals
) -> None:
    """While messages wait in the client: they stay in the spool, the counts are said, and it ends with 130."""
    code, out, err = interrupted_replay(place, number, stderr=subprocess.PIPE)
    assert (code, err) == (130, "")
    assert "replayed 0 messages of 0 segments" in out
    assert len(delivered(Spool(place))) == 20


def test_counts_stand_on_a_line_of_their_own(place: Path, environment: KafkaSettings) -> None:
    """Behind the bar that a terminal gets, not at the end of one that is drawn anew."""
    code, out, _ = interrupted_replay(place, signal.SIGINT, stderr=subprocess.STDOUT, FORCE_COLOR="1")
    assert code == 130
    assert "replaying" in out
    *_, last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out).splitlines()
    assert last.rpartition("\r")[2] == "replayed 0 messages of 0 segments"


def interrupted_replay(
    place: Path, number: signal.Signals, *, stderr: int, **variables: str
) -> tuple[int, str, str]:
    """A replay that is ended while messages wait in the client: its code, and what it said."""
    properties = place.parent / "kafka.properties"
    properties.write_text("linger.ms=100000\n")
    known = {"HINDCAST_KAFKA_PROPERTIES": str(properties), "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(
        [sys.executable, "-m", "hindcast", "spool", "replay"],
        env={**os.environ, **known, **variables},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        eventually(lambda: is_held(segments(place)[0]), saying="the first segment is being delivered")
        running.send_signal(number)
        out, err = running.communicate(timeout=100)
    finally:
        running.kill()
        running.wait()
    return running.returncode, out, err
