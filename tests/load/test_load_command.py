"""`hindcast load` as somebody types it: what it says of a file before anything is sent, and a load into a real Kafka."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from kafka_topics import read_topic
from loaded_history import history
from waiting import eventually

from hindcast.__main__ import run
from producers.codec import decode
from producers.settings import KafkaSettings
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish
from stream_processors.kafka import end_offsets, reader

ROOT = Path(__file__).parents[2]
OPTIONS = [
    *("--model", "churn", "--map", "event_time=scored_at", "--map", "score=p"),
    *("--features", "tenure,plan,zip", "--categorical", "zip"),
]
LABELS = ["--model", "churn", "--labels", "--map", "truth=churned", "--map", "reported_at=scored_at"]


@pytest.fixture
def environment(settings: KafkaSettings) -> dict[str, str]:
    """What a shell has set."""
    return {
        **os.environ,
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
        "PYTHONPATH": str(ROOT),
    }


def ended(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """`hindcast load` with these arguments, run to its end."""
    command = [sys.executable, "-m", "hindcast", "load", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def records(settings: KafkaSettings, stream: str) -> list[dict[str, Any]]:
    """All events of a topic."""
    return [decode(message.value())[1] for message in read_topic(settings, stream)]


def test_a_dry_run_shows_the_first_event(history_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent and no Kafka asked: the columns and the first event are shown, for people and for programs."""
    assert run(["load", str(history_file), *OPTIONS, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "event_time is column scored_at\nscore is column p\nknown_at is column scored_at\n"
    )
    assert '"event_time": "2025-06-01T00:00:00Z"' in said
    assert run(["load", str(history_file), *OPTIONS, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["columns"] == {"event_time": "scored_at", "score": "p", "known_at": "scored_at"}
    assert set(told["event"]["categorical_features"]) == {"plan", "zip"}
    assert not list(history_file.parent.glob("*.load-*"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Missing option '--model': see `hindcast load --help`"),
        (
            ["--model", "m"],
            2,
            "history.parquet has no column event_time: --map event_time=COLUMN names it; there are",
        ),
        (
            [*OPTIONS, "--map", "score=q"],
            2,
            "Invalid value for '--map': score is given twice: see `hindcast load --help`",
        ),
        ([*OPTIONS, "--map", "score"], 2, "Invalid value for '--map': 'score' is not FIELD=COLUMN"),
        ([*OPTIONS, "--features", "zip"], 2, "Invalid value for '--features': zip is named twice"),
        ([*OPTIONS, "--set", "served=perhaps"], 2, "--set served=perhaps: true or false is wanted"),
        ([*LABELS, "--features", "plan"], 2, "labels have no features"),
        (LABELS, 2, "history.parquet has no column prediction_id: --map prediction_id=COLUMN names it, or,"),
    ],
)
def test_what_does_not_fit_is_one_line(
    arguments: list[str], code: int, said: str, history_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that does not fit the file is named, before anything is read or sent."""
    assert run(["load", str(history_file), *arguments]) == code
    error = capsys.readouterr().err
    assert error.startswith(f"hindcast: {said}")
    assert error.count("\n") == 1


def test_a_broker_that_is_away_is_one_line(history_file: Path) -> None:
    """Without Kafka nothing is begun."""
    done = ended(
        {**os.environ, "HINDCAST_KAFKA": "127.0.0.1:1", "PYTHONPATH": str(ROOT)}, history_file, *OPTIONS
    )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("hindcast: ")
    assert "127.0.0.1:1" in done.stderr.splitlines()[-1]
    assert not list(history_file.parent.glob("*.load-*"))


def test_history_is_loaded_once(
    history_file: Path, environment: dict[str, str], settings: KafkaSettings
) -> None:
    """Predictions and truths of one file are loaded; the same command again sends nothing, `--again` the same events."""
    done = ended(environment, history_file, *OPTIONS, "--model-version", "7", "--set", "served=false")
    assert (done.returncode, done.stdout) == (0, "5,000 predictions of churn loaded\n"), done.stderr
    sent = records(settings, "predictions")
    assert len(sent) == len({one["prediction_id"] for one in sent}) == 5_000
    assert {(one["model"], one["model_version"], one["served"]) for one in sent} == {("churn", "7", False)}
    assert all(one["known_at"] == one["event_time"] for one in sent)
    same = [history_file, *OPTIONS, "--model-version", "7", "--set", "served=false"]
    done = ended(environment, *same)
    assert (
        done.stdout == f"{history_file} is loaded already, 5,000 rows; --again loads it from the first row\n"
    )
    assert len(records(settings, "predictions")) == 5_000
    done = ended(environment, *same, "--again", "--json")
    told = json.loads(done.stdout)
    assert told.pop("seconds") > 0
    assert told == {
        "file": str(history_file), "events": "predictions", "model": "churn", "rows": 5_000, "loaded": 5_000,
        "loaded_before": 0, "refused": 0, "skipped": 0,
    }  # fmt: skip
    again = records(settings, "predictions")
    assert len(again) == 10_000
    assert {one["prediction_id"] for one in again} == {one["prediction_id"] for one in sent}
    done = ended(environment, history_file, *LABELS, "--map", "predicted_at=scored_at", "--skip-unlabelled")
    told_truths = 5_000 - history(5_000)["churned"].null_count
    left_out = 5_000 - told_truths
    assert (
        done.stdout
        == f"{told_truths:,} labels of churn loaded; {left_out:,} labels without a truth left out\n"
    )
    assert {one["prediction_id"] for one in records(settings, "labels")} < {
        one["prediction_id"] for one in sent
    }


def test_a_published_contract_is_asked(
    history_file: Path, environment: dict[str, str], settings: KafkaSettings
) -> None:
    """A backfill older than the contract of its model keeps is refused before a row is sent, and no state says otherwise."""
    publish(settings, Contract(model="churn", retention_days=7), lead=0)
    done = ended(environment, history_file, *OPTIONS)
    assert done.returncode == 2
    assert "older than what the contract of churn keeps" in done.stderr.splitlines()[-1]
    assert records(settings, "predictions") == []
    done = ended(environment, history_file, *OPTIONS, "--skip-expired")
    assert done.stdout == "0 predictions of churn loaded; 5,000 expired ones left out\n"


def test_an_interrupted_load_says_how_to_go_on(
    tmp_path: Path, environment: dict[str, str], settings: KafkaSettings
) -> None:
    """Ctrl-C ends it in good order with a line; the same command sends the rest, and no row that had arrived again."""
    path, states = tmp_path / "large.parquet", tmp_path / "states"
    pyarrow.parquet.write_table(history(600_000), path)
    states.mkdir()
    command = [sys.executable, "-m", "hindcast", "load", str(path), *OPTIONS, "--state-dir", str(states)]
    # the whole load takes seconds: who looks must have a connection before it begins
    client, topic = reader(settings), settings.topic("predictions")
    end_offsets(client, topic, range(4))
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:

        def begun() -> bool:
            return sum(end_offsets(client, topic, range(4)).values()) > 0 or running.poll() is not None

        eventually(begun, within=60, saying="the first rows arrive")
        running.send_signal(signal.SIGINT)
        client.close()
        assert running.stderr is not None
        said = running.stderr.read()
        assert running.wait(60) == 130, said
    line = said.splitlines()[-1]
    assert line.startswith("hindcast: interrupted after row ")
    assert line.endswith("; the same command goes on from there")
    assert "Traceback" not in said
    done = ended(environment, path, *OPTIONS, "--state-dir", states)
    assert done.returncode == 0, done.stderr
    assert "of them before" in done.stdout
    sent = read_topic(
        settings, "predictions"
    )  # keyed by prediction_id, and decoding so many takes half a minute
    assert len(sent) == len({message.key() for message in sent}) == 600_000
