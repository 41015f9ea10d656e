"""Commits that Kafka never answers: librdkafka waits for ever where a broker went, came back, and is held still some seconds later, and its `close` after that.

Seen with librdkafka 2.16: a third of clients still waited minutes after the broker was well again (`close` alone: librdkafka, issue 3740). So both are called
beside the caller, who begins anew with another client where there is no answer. The thread is a daemon: nobody waits for it who must end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from producers.errors import BrokerUnavailable
from stream_processors.kafka import Consumer, TopicPartition

R = TypeVar("R")

# a group gives up a silent member after ten seconds, and Kafka answers within one
COMMIT_S = 30.0
CLOSE_S = 10.0


class Unanswered(BrokerUnavailable):
    """The client is of no more use, and whether Kafka took the commit is not known."""


def commit(client: Consumer, places: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Commit, and return what Kafka says of each place.

    Raises:
        KafkaException: it was not taken.
        Unanswered: no answer for half a minute.
    """

    def taken() -> list[TopicPartition]:
        answers: list[TopicPartition] = client.commit(offsets=list(places), asynchronous=False)
        return answers

    try:
        return _beside(taken, COMMIT_S)
    except TimeoutError:
        raise Unanswered(f"Kafka did not answer a commit for {COMMIT_S:g} s") from None


def close(client: Consumer, *, within: float = CLOSE_S) -> None:
    """Close a consumer, or leave it behind after ``within`` seconds."""
    try:
        _beside(client.close, within)
    except TimeoutError:
        return


def _beside(call: Callable[[], R], within: float) -> R:
    future: Future[R] = Future()
    threading.Thread(target=_run, args=(call, future), name="kafka-call", daemon=True).start()
    return future.result(within)


def _run(call: Callable[[], R], future: Future[R]) -> None:
    try:
        future.set_result(call())
    except BaseException as fault:  # noqa: BLE001 - whoever waits for it ends with it
        future.set_exception(fault)
    finally:
        # what was raised knows this frame
        del call, future
