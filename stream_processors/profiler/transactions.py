"""Messages and the offsets they were made from, committed together or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

from producers.errors import BrokerUnavailable, TransientError
from producers.settings import KafkaSettings
from stream_processors.fencing import fatal, is_fatal
from stream_processors.kafka import KafkaError, KafkaException, offsets_of, transactional_producer

# Each call is cut short to look whether the process should stop; a call that timed out goes on where it was.
_SLICE_S = 1.0
_LIMIT_S = 30.0
_STOP_LIMIT_S = 1.5

# After a broker went away and came back, librdkafka (2.16) may keep the one that it had before as the group's coordinator, and then
# `send_offsets_to_transaction` never returns, whatever its time limit (its issues 5456 and 5511). A client that has not lost a broker does not know one.
_LOST = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}  # noqa: SLF001 - public constants


def _setting(lost: threading.Event) -> Callable[[KafkaError], None]:
    """What librdkafka tells of errors; a method in its place would keep the client, and its threads, where it could not begin and nobody can close it."""

    def heard(error: KafkaError) -> None:
        if error.code() in _LOST:
            lost.set()

    return heard


class Aborted(TransientError):
    """The transaction was rolled back: nothing of it counts, and its input must be read again."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message; ``partition`` -1 lets the key choose."""

    value: bytes
    key: bytes | None = None
    partition: int = -1


class Transactions:
    """The one transactional producer of a role and slot; a new one fences its predecessor.

    It ends with the first connection that it loses: what was under way then is not committed, or was, as the next one's committed offsets tell.

    Raises:
        BrokerUnavailable: from every method, where this producer cannot go on (a new one can).
        Fenced: a successor has begun.
    """

    def __init__(self, settings: KafkaSettings, role_and_slot: str, stop: threading.Event) -> None:
        self._stop, self._lost = stop, threading.Event()
        self._client = transactional_producer(
            settings, settings.topic(role_and_slot), error_cb=_setting(self._lost)
        )
        self._insist(lambda: self._client.init_transactions(_SLICE_S), unless_lost=False)
        self._client.poll(0)
        # lost before it was found: nothing is remembered of that one yet
        self._lost.clear()

    def close(self) -> None:
        """Let go of the producer, and of what it has under way: not by its own `close`, which waits for a broker that may be away."""
        del self._client

    def commit(
        self,
        topic: str,
        messages: Iterable[Outgoing],
        positions: Mapping[tuple[str, int], int],
        group_metadata: object,
        *,
        topic_id: str = "",
    ) -> None:
        """Send the messages and commit the positions of a consumer group, in its topic of this UUID, all in one transaction.

        Raises:
            Aborted: it was rolled back.
        """
        self._refuse_if_lost()
        try:
            self._client.begin_transaction()
            for message in messages:
                self._produce(topic, message)
            offsets = offsets_of(positions, topic_id)
            # a loss is told by poll() alone, and the messages may have taken long to make
            self._refuse_if_lost()
            self._insist(lambda: self._client.send_offsets_to_transaction(offsets, group_metadata, _SLICE_S))
            self._insist(lambda: self._client.commit_transaction(_SLICE_S))
        except KafkaException as error:
            self._give_up(error)

    def _refuse_if_lost(self) -> None:
        self._client.poll(0)
        if self._lost.is_set():
            raise BrokerUnavailable("the connection to Kafka was lost")

    def _produce(self, topic: str, message: Outgoing) -> None:
        arguments = {} if message.partition < 0 else {"partition": message.partition}
        limit = monotonic() + _LIMIT_S
        while True:
            try:
                self._client.produce(topic, message.value, message.key, **arguments)
            except BufferError:
                if monotonic() > limit or self._stop.is_set():
                    raise BrokerUnavailable("Kafka takes no sketches") from None
                self._client.poll(0.1)
            else:
                return

    def _insist(self, call: Callable[[], None], *, unless_lost: bool = True) -> None:
        """Call until it succeeds, fails for good, a broker is lost, or the time is up (less of it when the process should stop)."""
        started = monotonic()
        while True:
            try:
                return call()
            except KafkaException as error:
                limit = _STOP_LIMIT_S if self._stop.is_set() else _LIMIT_S
                if not error.args[0].retriable() or monotonic() - started > limit:
                    raise
            if unless_lost:
                self._refuse_if_lost()

    def _give_up(self, error: KafkaException) -> None:
        reason = error.args[0].str()
        if is_fatal(error.args[0]):
            raise fatal(error.args[0], "profiler") from None
        if not error.args[0].txn_requires_abort():
            raise BrokerUnavailable(f"the transaction failed: {reason}") from None
        try:
            self._insist(lambda: self._client.abort_transaction(_SLICE_S))
        except KafkaException as failure:
            raise BrokerUnavailable(
                f"the transaction could not be aborted: {failure.args[0].str()}"
            ) from None
        raise Aborted(f"the transaction was aborted: {reason}") from None
