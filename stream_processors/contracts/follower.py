"""Reads the topic ``contracts``: all that is published, up to an end that is asked for now."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from producers.codec import Registry, decode, read_frame
from producers.errors import BrokerUnavailable, ContractError
from producers.registry import registry_of
from producers.settings import KafkaSettings
from producers.values import micros
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.kafka import (
    OFFSET_BEGINNING,
    KafkaError,
    Message,
    TopicPartition,
    admin,
    close_admin,
    latest_offsets,
    partition_counts,
    reader,
)

_BATCH = 500


class ContractFollower:
    """Every published contract, followed.

    Judge a batch of events only after a `catch_up` that began after the batch was consumed: then no contract that applies to any of its
    events is missing, whoever reads it and whenever (design: "Which contract applies"). Use it from one thread.

    Attributes:
        history: what was read so far.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self.history = ContractHistory()
        self._settings = settings
        self._registry = registry_of(settings)
        self._topic = settings.topic("contracts")
        self._admin = admin(settings)
        self._reader = reader(settings, fetch_wait_max_ms=100)
        self._positions: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()
        close_admin(self._admin)

    def catch_up(self, *, timeout: float = 10.0) -> bool:
        """Read every partition up to the end offset it has now; returns whether a contract was added.

        With nothing new this costs one small request to the broker.

        Raises:
            BrokerUnavailable: not there within ``timeout`` seconds; calling again goes on where this stopped.
            ConfigError: the broker refuses the credentials.
        """
        limit = monotonic() + timeout
        if not self._positions:
            self._assign(timeout)
        ends = latest_offsets(self._admin, self._topic, self._positions, timeout=timeout)
        added = False
        while any(self._positions[partition] < end for partition, end in ends.items()):
            if monotonic() > limit:
                raise BrokerUnavailable(f"{self._topic} could not be read to its end within {timeout:g} s")
            for message in self._reader.consume(_BATCH, 0.1):
                added |= self._take(message)
        return added

    def _assign(self, timeout: float) -> None:
        partitions = contract_partitions(self._settings, timeout=timeout)
        self._reader.assign([TopicPartition(self._topic, p, OFFSET_BEGINNING) for p in partitions])
        self._positions = dict.fromkeys(partitions, 0)

    def _take(self, message: Message) -> bool:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - public constant
                self._positions[message.partition()] = message.offset()
            elif error.code() not in _PASSING:
                raise BrokerUnavailable(f"{self._topic}: {error.str()}")
            return False
        self._positions[message.partition()] = message.offset() + 1
        one = published_contract(message, self._registry)
        if one is not None:
            self.history.add(one)
        return one is not None


# the client goes on by itself after these
_PASSING = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE}  # noqa: SLF001 - public constants


def contract_partitions(settings: KafkaSettings, *, timeout: float = 10.0) -> range:
    """The partitions of the topic ``contracts``.

    Raises:
        BrokerUnavailable: no answer within ``timeout`` seconds, or no such topic.
        ConfigError: the broker refuses the credentials.
    """
    topic = settings.topic("contracts")
    count = partition_counts(settings, timeout=timeout).get(topic, 0)
    if not count:
        raise BrokerUnavailable(f"topic {topic} does not exist (yet): `hindcast topics` creates it")
    return range(count)


def published_contract(message: Message, registry: Registry | None = None) -> PublishedContract | None:
    """The contract in a message of the topic; None for a reference sketch, and for bytes that are no contract (the recorder dead-letters those)."""
    value = message.value() or b""
    try:
        if read_frame(value, registry)[0].name != "contract":
            return None
        record: dict[str, Any] = decode(value, registry)[1]
        contract = Contract.model_validate_json(record["body"])
        effective_from = micros("effective_from", record["effective_from"])
    except (ContractError, ValidationError):
        return None
    return PublishedContract.of(
        contract,
        effective_from=effective_from,
        appended_at=message.timestamp()[1] * 1000,
        lead_ms=record["lead_ms"],
        partition=message.partition(),
        offset=message.offset(),
    )
