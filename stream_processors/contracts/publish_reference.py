"""Puts the reference sketches of a contract on the topic ``contracts``: all of them or none, and once however many publish them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic, sleep
from typing import Any

from producers.codec import Registry, decode, encode, read_frame
from producers.errors import BrokerUnavailable, ConfigError, ContractError
from producers.registry import registry_of
from producers.settings import KafkaSettings
from stream_processors.contracts.follower import contract_partitions
from stream_processors.fencing import is_fenced
from stream_processors.kafka import (
    OFFSET_BEGINNING,
    KafkaException,
    TopicPartition,
    admin,
    latest_offsets,
    reader,
    transactional_producer,
    unavailable,
)

Sketches = Sequence[dict[str, Any]]

_TIMEOUT_S = 10.0
_ABORT_S = 3.0
_LOOK_S = 0.2
# A transaction that nobody ends, because its process was killed, holds up every reader of contracts until Kafka aborts it: it gets no more time
# than sending at a megabyte a second takes.
_LEAST_TRANSACTION_MS = 5_000
_BYTES_A_MS = 1_000
# Kafka's default of transaction.max.timeout.ms
_LONGEST_TRANSACTION_MS = 900_000

# that another has overtaken us is said in our words, and not by librdkafka on stderr
_SILENT = logging.getLogger(f"{__name__}.librdkafka")
_SILENT.setLevel(logging.CRITICAL + 1)


class _Overtaken(Exception):
    """Another process publishes the same reference: it began later, and Kafka takes no more of ours."""


def publish_reference(settings: KafkaSettings, model: str, digest: str, sketches: Sketches) -> None:
    """Send the sketches in one transaction, unless the reference stands on the topic; an interruption aborts it.

    Whoever finds one sketch of a reference finds all, and none is counted twice: the transaction bears the digest's name, and Kafka takes no
    more from a process that began before another did. Each begins, looks what others have committed, and sends; who is overtaken waits
    for the other.

    Raises:
        BrokerUnavailable: Kafka does not answer or did not take them, or the other process does not end.
        TransientError: the schema registry does not answer.
    """
    registry = registry_of(settings)
    values = [encode("sketch", {**record, "reference": digest}, registry) for record in sketches]
    sending = _Sending(settings, f"{settings.topic_prefix}.reference.{digest}", values)
    try:
        sending.begin()
        if not _is_published(settings, digest, registry):
            sending.send(model)
    except _Overtaken:
        _await_other(settings, digest, registry)


def require_reference(settings: KafkaSettings, digest: str) -> None:
    """Return when the reference stands on the topic: verdicts would wait for one that does not for ever.

    Raises:
        ConfigError: it does not.
    """
    if not _is_published(settings, digest, registry_of(settings)):
        raise ConfigError(
            f"the contract names the reference {digest[:12]}, which is neither beside it nor published: "
            "make it with `hindcast contract baseline`, or leave it out"
        )


def transaction_ms(size: int) -> int:
    """After how many milliseconds Kafka aborts a transaction of so many bytes that nobody ends."""
    return min(_LEAST_TRANSACTION_MS + size // _BYTES_A_MS, _LONGEST_TRANSACTION_MS)


class _Sending:
    """One attempt to send messages as one transaction; beginning it aborts what an earlier process of this name has left open.

    Raises:
        _Overtaken: from every method, where another has begun since.
        BrokerUnavailable: Kafka does not answer, or did not take them.
    """

    def __init__(self, settings: KafkaSettings, name: str, values: Sequence[bytes]) -> None:
        self._settings, self._values = settings, values
        self._lasts_ms = transaction_ms(sum(map(len, values)))
        self._client = transactional_producer(
            settings, name, transaction_timeout_ms=self._lasts_ms, logger=_SILENT
        )

    def begin(self) -> None:
        """Become the only one of this name."""
        try:
            self._client.init_transactions(_TIMEOUT_S)
        except KafkaException as fault:
            raise self._translated(fault) from None

    def send(self, model: str) -> None:
        """Send all or nothing."""
        try:
            self._client.begin_transaction()
            for value in self._values:
                self._client.produce(self._settings.topic("contracts"), value, model.encode())
                self._client.poll(0)
            limit = monotonic() + self._lasts_ms / 1000
            # a commit would wait for the broker too, but not be interrupted, nor give way to an abort
            while self._client.flush(_LOOK_S) and monotonic() < limit:
                pass
            self._client.commit_transaction(_TIMEOUT_S)
        except (KafkaException, BufferError) as fault:
            raise self._translated(fault, self._aborted()) from None
        except BaseException:
            self._aborted()
            raise

    def _aborted(self) -> KafkaException | None:
        """Abort what is under way; why not, where nothing is, or Kafka has ended it, or is away: then it ends by its time."""
        try:
            self._client.abort_transaction(_ABORT_S)
        except KafkaException as fault:
            return fault
        return None

    def _translated(
        self, fault: KafkaException | BufferError, of_abort: KafkaException | None = None
    ) -> Exception:
        """After being overtaken some calls say only that the client is of no use any more; the abort says why."""
        errors = [one.args[0] for one in (fault, of_abort) if isinstance(one, KafkaException)]
        if any(map(is_fenced, errors)):
            return _Overtaken()
        why = errors[0].str() if isinstance(fault, KafkaException) else "the client's queue is full"
        return BrokerUnavailable(
            f"Kafka at {self._settings.bootstrap} did not take the reference sketches: {why}"
        )


def _await_other(settings: KafkaSettings, digest: str, registry: Registry | None) -> None:
    limit = monotonic() + _TIMEOUT_S
    while not _is_published(settings, digest, registry):
        if monotonic() > limit:
            raise BrokerUnavailable(
                "another process publishes the same reference sketches and has not ended: try it again"
            )
        sleep(_LOOK_S)


def _is_published(settings: KafkaSettings, digest: str, registry: Registry | None) -> bool:
    """Whether the reference stands on the topic, up to the ends it has now."""
    topic = settings.topic("contracts")
    client = reader(settings)
    try:
        partitions = contract_partitions(settings)
        ends = latest_offsets(admin(settings), topic, partitions, timeout=_TIMEOUT_S)
        unread = {partition for partition, end in ends.items() if end}
        client.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in unread])
        limit = monotonic() + 4 * _TIMEOUT_S
        while unread:
            if monotonic() > limit:
                raise BrokerUnavailable(f"{topic} could not be read to its end")
            for message in client.consume(100, 0.2):
                if message.error() is None and _reference_of(message.value(), registry) == digest:
                    return True
                at = message.offset() + (message.error() is None)
                if at >= ends[message.partition()]:
                    unread.discard(message.partition())
    except KafkaException as error:
        raise unavailable(settings, error) from None
    else:
        return False
    finally:
        client.close()


def _reference_of(value: bytes | None, registry: Registry | None) -> str | None:
    try:
        if read_frame(value or b"", registry)[0].name != "sketch":
            return None
        reference: str | None = decode(value or b"", registry)[1]["reference"]
    except ContractError:
        return None
    return reference
