"""A broker that does not say what is committed is asked again; its refusal is not taken for "nothing"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from producers.errors import BrokerUnavailable
from stream_processors.kafka import KafkaError, KafkaException, committed_offsets


@dataclass
class Place:
    """One partition's answer, as confluent-kafka gives it."""

    offset: int
    error: KafkaError | None = None
    partition: int = 0


class Coordinator:
    """A consumer whose broker gives these answers, one after the other, and then the last for ever."""

    def __init__(self, *answers: Place | KafkaException) -> None:
        self._answers = list(answers)

    def committed(self, places: list[Any], timeout: float) -> list[Place]:
        """The next answer."""
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, KafkaException):
            raise answer
        return [answer]


NOT_YET = KafkaError(KafkaError.NOT_COORDINATOR)


def test_a_broker_that_is_not_the_coordinator_yet_is_asked_again() -> None:
    """Whether it says so partition by partition or for all."""
    loading = Coordinator(Place(-1001, NOT_YET), KafkaException(NOT_YET), Place(42))
    assert committed_offsets(loading, "t", [0]) == {0: 42}


@pytest.mark.parametrize("code", [KafkaError.NOT_COORDINATOR, KafkaError.GROUP_AUTHORIZATION_FAILED])
def test_a_refusal_is_not_nothing(code: int) -> None:
    """A broker that keeps refusing is unavailable; only one that has nothing has nothing."""
    with pytest.raises(BrokerUnavailable):
        committed_offsets(Coordinator(Place(-1001, KafkaError(code))), "t", [0], timeout=0.3)
    assert committed_offsets(Coordinator(Place(-1001)), "t", [0]) == {}
