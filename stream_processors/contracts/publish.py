"""Puts a contract, and before it the reference sketches it names, on the topic ``contracts``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep

from producers.codec import encode
from producers.errors import BrokerUnavailable, ConfigError
from producers.registry import registry_of
from producers.settings import KafkaSettings
from producers.values import micros
from stream_processors.contracts.follower import contract_partitions
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish_reference import Sketches, publish_reference, require_reference
from stream_processors.contracts.values import CENTURY_S
from stream_processors.kafka import KafkaError, KafkaException, Message, producer, unavailable

_TIMEOUT_S = 10.0
# what the client says of a broker that went away in between
_SILENCE = {KafkaError._MSG_TIMED_OUT, KafkaError._TIMED_OUT, KafkaError._TRANSPORT}  # noqa: SLF001 - public constants
# no wish: append time + lead decides
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Published:
    """What `publish` did.

    Attributes:
        contract: as published, with the reference's digest filled in.
        digest: the contract's.
        in_effect_from: microseconds since the epoch on the broker's clock.
        in_effect: whether it is in effect now (False only with ``wait=False`` or a start in the future).
    """

    contract: Contract
    digest: str
    in_effect_from: int
    in_effect: bool


def reference_digest(sketches: Sketches) -> str:
    """SHA-256 (hex) of reference sketches, whatever digest they carry now."""
    digest = hashlib.sha256()
    for record in sketches:
        digest.update(encode("sketch", {**record, "reference": None}))
    return digest.hexdigest()


def with_reference(contract: Contract, baseline: Sketches) -> Contract:
    """The contract naming ``baseline`` as its training reference.

    Raises:
        ConfigError: the baseline is of another model or shape, or the contract names another one.
    """
    if any(record["model"] != contract.model for record in baseline):
        raise ConfigError(f"the baseline is not of model {contract.model}")
    if any(record["shape"] != contract.shape() for record in baseline):
        raise ConfigError(
            "the baseline was made before features, slices or base window changed: "
            "make it again with `hindcast contract baseline`"
        )
    digest = reference_digest(baseline)
    named = contract.references.get("training", digest)
    if named != digest:
        raise ConfigError(f"the contract names the reference {named[:12]}, the baseline is {digest[:12]}")
    return contract.model_copy(update={"references": {**contract.references, "training": digest}})


def publish(
    settings: KafkaSettings,
    contract: Contract,
    *,
    baseline: Sketches = (),
    lead: float = 60.0,
    effective_from: datetime | None = None,
    actor: str | None = None,
    reason: str | None = None,
    wait: bool = True,
    clock: Callable[[], float] = monotonic,
    pause: Callable[[float], None] = sleep,
) -> Published:
    """Publish the reference sketches (unless they are there), then the contract; return when it is in effect.

    A contract takes effect at max(``effective_from``, append time + ``lead`` seconds), for events appended from then on. With ``wait`` this returns
    not before; a start later than the lead is not waited for. The wait is measured from the broker's acknowledgement, so clocks need not agree.

    Raises:
        ConfigError: the baseline does not fit the contract, or the contract names a reference that is not there, or the lead is no time
            from nothing to a century.
        ConfigError: Kafka refuses the credentials.
        InvalidEvent: ``effective_from`` is no time that a contract can have; nothing is published.
        BrokerUnavailable: Kafka does not answer, has no topic for it, or did not take it; or another publishing of the same reference
            is under way and does not end.
        TransientError: the schema registry does not answer.
    """
    if not 0 <= lead <= CENTURY_S:
        raise ConfigError(f"a lead of {lead:g} s: from nothing to a century is wanted")
    if baseline:
        contract = with_reference(contract, baseline)
    # at once: a message or a transaction would be tried for longer, and fail without saying why
    contract_partitions(settings)
    registry = registry_of(settings)
    lead_ms = round(lead * 1000)
    start = effective_from or _AT_ONCE
    start_us = micros("effective_from", start)  # before anything is sent
    digest = contract.digest()
    record = {
        "model": contract.model,
        "environment": contract.environment,
        "body": contract.canonical(),
        "digest": digest,
        "shape": contract.shape(),
        "effective_from": start,
        "lead_ms": lead_ms,
        "reference": contract.references.get("training"),
        "actor": actor,
        "reason": reason,
    }
    message = encode("contract", record, registry)
    if baseline:
        publish_reference(settings, contract.model, contract.references["training"], baseline)
    elif "training" in contract.references:
        require_reference(settings, contract.references["training"])
    appended_at = _send(settings, contract.model, message)
    acknowledged = clock()
    in_effect_from = max(start_us, appended_at + lead_ms * 1000)
    in_effect = wait and in_effect_from <= appended_at + lead_ms * 1000
    while in_effect and (left := acknowledged + lead - clock()) > 0:
        pause(left)
    return Published(contract, digest, in_effect_from, in_effect)


def _send(settings: KafkaSettings, key: str, value: bytes) -> int:
    """Send one message; its append time in microseconds."""
    reports: list[tuple[KafkaError | None, Message]] = []
    client = producer(settings, message_timeout_ms=int(_TIMEOUT_S * 1000))
    try:
        client.produce(
            settings.topic("contracts"),
            value,
            key.encode(),
            on_delivery=lambda *report: reports.append(report),
        )
    except KafkaException as refusal:
        # this and nothing else is looked at before it is queued
        raise ConfigError(
            f"the contract and why it is published take {len(value):,} bytes: {refusal.args[0].str()}"
        ) from None
    client.flush(_TIMEOUT_S + 1)
    error = reports[0][0] if reports else KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 - public constant
    if error is not None and error.code() in _SILENCE:
        raise unavailable(settings, KafkaException(error))
    if error is not None:
        raise BrokerUnavailable(f"Kafka at {settings.bootstrap} did not take the contract: {error.str()}")
    return int(reports[0][1].timestamp()[1]) * 1000
