"""A fault of ClickHouse or Kafka delays the record and loses nothing; settings at fault are said in one line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
from gate import Gate
from recording_road import REPOSITORY, Road, example
from waiting import eventually

from producers.codec import encode

NOW = time.time_ns() // 1000


def prediction(number: int) -> bytes:
    """One of many predictions."""
    return encode("prediction", example("prediction", prediction_id=f"p{number}", event_time=NOW + number))


def test_clickhouse_goes_away_and_comes_back(road: Road, clickhouse: str) -> None:
    """While ClickHouse is away the recorder lives, says so, holds little, and records everything once it is back."""
    with Gate(clickhouse) as gate:
        recorder = road.start(HINDCAST_CLICKHOUSE=gate.url)
        road.send("predictions", [prediction(0)])
        road.recorded("predictions")
        gate.close()
        for start in range(1, 3_001, 1_000):
            road.send("predictions", [prediction(number) for number in range(start, start + 1_000)])
        eventually(
            lambda: "ClickHouse does not answer" in road.heartbeat()["last_error"],
            within=30,
            saying="it says so",
        )
        road.send("predictions", [prediction(3_001)])
        eventually(
            lambda: len(road.heartbeat()["paused"]) == 44, within=30, saying="its partitions are held back"
        )
        assert recorder.poll() is None
        gate.open()
        road.recorded("predictions")
        ids = {row["prediction_id"] for row in road.rows("SELECT prediction_id FROM predictions FINAL")}
        assert ids == {f"p{number}" for number in range(3_002)}
        eventually(lambda: road.heartbeat()["last_error"] == "", saying="the error is over")


def test_what_it_holds_meanwhile_is_bounded(road: Road, clickhouse: str) -> None:
    """While ClickHouse is away 800 MB come, and the recorder holds no more of them than two batches, what it makes of them and what it fetches ahead."""
    text = "x" * 40_000

    def large(number: int) -> bytes:
        return encode(
            "prediction",
            example(
                "prediction", prediction_id=f"p{number}", event_time=NOW, categorical_features={"text": text}
            ),
        )

    with Gate(clickhouse) as gate:
        process = psutil.Process(road.start(HINDCAST_CLICKHOUSE=gate.url).pid)
        road.send("predictions", [large(0)])
        road.recorded("predictions")
        gate.close()
        sizes = []
        for start in range(1, 20_001, 1_000):
            road.send("predictions", [large(number) for number in range(start, start + 1_000)])
            sizes.append(process.memory_info().rss // 1_000_000)
        eventually(
            lambda: "ClickHouse does not answer" in road.heartbeat()["last_error"],
            within=30,
            saying="it says so",
        )
        assert road.heartbeat()["pid"] == process.pid
        assert max(sizes) - sizes[0] < 450, sizes
        gate.open()
        road.recorded("predictions", within=120)
    assert road.count("predictions") == 20_001


def test_clickhouse_is_away_at_the_start(road: Road, clickhouse: str) -> None:
    """A recorder that starts before ClickHouse waits for it."""
    with Gate(clickhouse) as gate:
        gate.close()
        road.send("predictions", [prediction(0)])
        road.start(HINDCAST_CLICKHOUSE=gate.url)
        eventually(
            lambda: "ClickHouse does not answer" in road.heartbeat().get("last_error", ""),
            within=30,
            saying="it says so",
        )
        gate.open()
        road.recorded("predictions")
    assert road.count("predictions") == 1


def test_a_missing_table_dead_letters_nothing(road: Road) -> None:
    """A table that is not there is the database's fault, not a row's: the recorder says so and waits."""
    road.store.command("RENAME TABLE labels TO elsewhere")
    road.send_records("labels", "label", [example("label")])
    road.start()
    eventually(
        lambda: "hindcast migrate" in road.heartbeat().get("last_error", ""), within=30, saying="it says so"
    )
    road.store.command("RENAME TABLE elsewhere TO labels")
    road.recorded("labels")
    assert road.count("labels") == 1
    assert road.count("dead_letters") == 0


def test_sigterm_ends_it_within_seconds(road: Road) -> None:
    """SIGTERM ends the recorder at once with exit code 0, even while it waits for topics."""
    recorder = road.start()
    road.recorded("labels")
    before = time.monotonic()
    recorder.send_signal(signal.SIGTERM)
    assert recorder.wait(10) == 0
    assert time.monotonic() - before < 5
    waiting = road.start(HINDCAST_TOPIC_PREFIX=f"{road.kafka.topic_prefix}-none")
    eventually(
        lambda: "does not exist" in road.heartbeat().get("last_error", ""), within=20, saying="it waits"
    )
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(10) == 0


def test_two_recorders_of_one_slot_are_refused(road: Road) -> None:
    """Of two recorders with one slot, which push each other out, one ends with exit code 2, and the other records on."""
    both = [road.start()]
    road.recorded("labels")
    both.append(road.start())
    eventually(lambda: any(one.poll() is not None for one in both), within=60, saying="one ends")
    assert sorted([str(one.poll()) for one in both]) == ["2", "None"]
    road.send_records("labels", "label", [example("label")])
    road.recorded("labels")
    assert "HINDCAST_SLOT" in road.said()


def test_a_wrong_password_is_one_line(road: Road) -> None:
    """Wrong credentials end the start with exit code 2 and one line, without a traceback."""
    url = road.store.settings.url.split("@")[-1]
    ended = subprocess.run(
        [sys.executable, "-m", "stream_processors.recorder"],
        env={**road.environment, "HINDCAST_CLICKHOUSE": f"http://nobody:wrong@{url}"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("recorder: ")
    assert len(ended.stderr.splitlines()) == 1
