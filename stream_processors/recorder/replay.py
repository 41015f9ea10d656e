"""Chosen dead letters, and sending them back to where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from producers.errors import BrokerUnavailable, ConfigError
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.clickhouse import Store
from stream_processors.kafka import KafkaError, Message, Producer, producer
from stream_processors.recorder.dead_letter_sender import DeadLetterSender
from stream_processors.recorder.dead_letters import DeadLetter, Facts

_DELIVERY_S = 30.0


@dataclass(frozen=True)
class Choice:
    """Which dead letters; empty text and None leave open.

    Attributes:
        topic: source topic without prefix.
        partition, offset: where the original stands.
        replayed: those sent back already as well.
        limit: the oldest so many.
    """

    topic: str = ""
    reason: str = ""
    model: str = ""
    partition: int | None = None
    offset: int | None = None
    replayed: bool = False
    limit: int = 100


_CHOSEN = """
SELECT topic, topic_id, partition, offset, toUnixTimestamp64Micro(appended_at) AS appended_at, reason, detail,
    fingerprint, model, replayed, key, value, headers.name AS header_names, headers.value AS header_values
FROM dead_letters FINAL
WHERE ({topic:String} = '' OR topic = {topic:String}) AND ({reason:String} = '' OR reason = {reason:String})
    AND ({model:String} = '' OR model = {model:String}) AND ({partition:Int64} < 0 OR partition = {partition:Int64})
    AND ({offset:Int64} < 0 OR offset = {offset:Int64}) AND ({replayed:Bool} OR NOT replayed)
ORDER BY appended_at, topic, partition, offset
LIMIT {limit:UInt32}
"""


def chosen(store: Store, choice: Choice) -> list[DeadLetter]:
    """Recorded dead letters with their bytes, oldest first."""
    parameters = {
        "topic": choice.topic,
        "reason": choice.reason,
        "model": choice.model,
        "partition": -1 if choice.partition is None else choice.partition,
        "offset": -1 if choice.offset is None else choice.offset,
        "replayed": choice.replayed,
        "limit": choice.limit,
    }
    # keys, values and headers are bytes, which need not be UTF-8
    found = store.arrow(_CHOSEN, parameters, {"output_format_arrow_string_as_string": 0}).to_pylist()
    return [_letter(row) for row in found]


def _letter(row: dict[str, object]) -> DeadLetter:
    key, value = row.pop("key"), row.pop("value")
    names, values = row.pop("header_names"), row.pop("header_values")
    assert isinstance(names, list)
    assert isinstance(values, list)
    assert key is None or isinstance(key, bytes)
    assert value is None or isinstance(value, bytes)
    facts = {name: one.decode() if isinstance(one, bytes) else one for name, one in row.items()}
    headers = tuple((name.decode(), one) for name, one in zip(names, values, strict=True))
    return DeadLetter(Facts(**{**facts, "replayed": bool(facts["replayed"])}), key, value, headers)  # type: ignore[arg-type]  # the columns of the query are the fields


def replay(settings: KafkaSettings, letters: Sequence[DeadLetter]) -> int:
    """Send dead letters back to their topics, then mark them as replayed; returns how many.

    One whose bytes are not kept is left out. A crash between the two leaves some sent and not marked: sent again they
    are the same predictions again.

    Raises:
        ConfigError: a letter of a topic that is not ours.
        BrokerUnavailable: Kafka does not take them.
    """
    sendable = [letter for letter in letters if letter.value is not None]
    unknown = {letter.facts.topic for letter in sendable} - (set(topics()) - {"dead-letters"})
    if unknown:
        raise ConfigError(f"a dead letter of {min(unknown)} cannot be sent back")
    client = producer(settings, message_max_bytes=100_000_000, message_timeout_ms=int(_DELIVERY_S * 1000))
    failed: list[str] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error.name())

    for letter in sendable:
        _produce(client, settings.topic(letter.facts.topic), letter, delivered)
    left = client.flush(_DELIVERY_S + 5)
    if left or failed:
        raise BrokerUnavailable(f"{left + len(failed)} messages were not taken by Kafka; nothing is marked")
    DeadLetterSender(settings).send([letter.as_replayed() for letter in sendable])
    return len(sendable)


def _produce(client: Producer, topic: str, letter: DeadLetter, delivered: object) -> None:
    while True:
        try:
            client.produce(
                topic,
                key=letter.key,
                value=letter.value,
                headers=list(letter.headers),
                on_delivery=delivered,
            )
        except BufferError:
            # there may be more of them than the client holds
            client.poll(0.1)
        else:
            client.poll(0)
            return
