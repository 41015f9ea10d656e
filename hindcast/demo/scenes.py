"""What the demo says to Kafka, month by month, as a serving service, a label source and a careless neighbour would."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from hindcast.demo.flights import FEATURES
from hindcast.demo.story import MODEL, SECOND_FROM, SERVING_FROM, SHADOW_FROM, Story
from producers import PredictionLogger
from producers.settings import KafkaSettings
from stream_processors.kafka import producer

# no schema decodes these: a foreign frame, a frame cut short, a frame with another body
GARBAGE = (
    b"not avro at all",
    b"\xc3\x01short",
    b"\xc3\x01" + bytes(8) + b"nobody shipped this schema",
    b"\x00\x00\x00\x00\x07x",
    b"",
)
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Sent:
    """What went out: every delivery counts, resends and garbage too."""

    predictions: int
    labels: int
    garbage: int


def deployments(log: PredictionLogger) -> None:
    """Say which version took which part when; known at the time, as a backfill."""
    for at, version, role, share in (
        (SERVING_FROM, "1", "champion", 1.0),
        (SHADOW_FROM, "2", "shadow", 0.0),
        (SECOND_FROM, "1", "retired", 0.0),
        (SECOND_FROM, "2", "champion", 1.0),
    ):
        log.deployment(
            role=role,
            model_version=version,
            valid_from=at,
            known_at=at,
            traffic_share=share,
            actor="hindcast demo",
        )


def send(story: Story, kafka: KafkaSettings, moved: Callable[[int], None], *, step: str = "7D") -> Sent:
    """Send the whole story in order, ``step`` of its time at once; ``moved`` hears of every chunk's size.

    Raises:
        BrokerUnavailable: not everything was delivered within two minutes of the last chunk.
    """
    sent_predictions = sent_labels = 0
    with PredictionLogger(
        model=MODEL, kafka=kafka, categorical=("carrier", "origin", "dest", "weekday")
    ) as log:
        deployments(log)
        for predictions, resent, labels in _chunks(story, step):
            for rows in (predictions, resent):
                sent_predictions += len(rows)
                _predict(log, rows)
            sent_labels += len(labels)
            _tell(log, labels)
            moved(len(predictions) + len(resent) + len(labels))
        waiting = log.flush(TIMEOUT_S)
        _check(waiting, log)
    _litter(kafka)
    return Sent(sent_predictions, sent_labels, len(GARBAGE))


def total(story: Story) -> int:
    """How many events and labels `send` sends."""
    return len(story.predictions) + len(story.resent) + len(story.labels)


def _chunks(story: Story, step: str) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """In the order of the story: what was predicted in a step of time, what of it was sent again, what was told."""
    resent = story.predictions.iloc[story.resent]
    first = story.predictions["event_time"].min().floor("D")
    last = max(story.predictions["event_time"].max(), story.labels["reported_at"].max())
    starts = pd.date_range(first, last, freq=step)
    for start, end in itertools.pairwise([*starts, last + pd.Timedelta(days=1)]):
        yield (
            _between(story.predictions, "event_time", start, end),
            _between(resent, "event_time", start, end),
            _between(story.labels, "reported_at", start, end),
        )


def _between(rows: pd.DataFrame, column: str, start: datetime, end: datetime) -> pd.DataFrame:
    return rows[(rows[column] >= start) & (rows[column] < end)]


def _predict(log: PredictionLogger, rows: pd.DataFrame) -> None:
    if len(rows):
        columns = {"entity_id": "tailnum", "known_at": "event_time"}
        log.predictions(rows, features=list(FEATURES), columns=columns, wait=TIMEOUT_S)


def _tell(log: PredictionLogger, rows: pd.DataFrame) -> None:
    if len(rows):
        log.labels(rows, columns={"known_at": "reported_at"}, wait=TIMEOUT_S, source="arrivals desk")


def _check(waiting: int, log: PredictionLogger) -> None:
    from producers import BrokerUnavailable  # the door is light; this is only for the one line below

    lost = waiting + log.stats.failed + sum(log.stats.dropped.values())
    if lost:
        raise BrokerUnavailable(f"{lost:,} events of the demo were not delivered: is the disk full?")


def _litter(kafka: KafkaSettings) -> None:
    """A neighbour writes to the wrong topic."""
    client = producer(kafka)
    for value in GARBAGE:
        client.produce(kafka.topic("predictions"), key=b"litter", value=value)
    client.flush(TIMEOUT_S)
