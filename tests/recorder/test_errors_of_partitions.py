"""Errors that Kafka's client hands over in the place of a message."""

from __future__ import annotations

from typing import Any

import pytest

from stream_processors.kafka import KafkaError
from stream_processors.recorder.gathering import judge


class _Complaint:
    """A message that is none: where from, if from anywhere, and what is wrong."""

    def __init__(self, topic: str | None) -> None:
        self._topic = topic

    def topic(self) -> str | None:
        return self._topic

    def error(self) -> KafkaError:
        return KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("hindcast.labels", "hindcast.labels: Kafka: TOPIC_AUTHORIZATION_FAILED"),
        (None, "Kafka: TOPIC_AUTHORIZATION_FAILED"),
    ],
)
def test_an_error_of_a_topic_names_it(topic: str | None, said: str) -> None:
    """Which of eleven topics a recorder may not read is what a person must know."""
    heard: list[str] = []
    complaint: Any = _Complaint(topic)
    judge(complaint, heard.append)
    assert heard == [said]
