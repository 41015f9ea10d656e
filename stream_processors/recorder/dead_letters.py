"""A dead letter: a message that cannot be recorded, kept with its bytes and with what was wrong. Pure.

On the topic it is the original message (key, value, headers) and one more header, the last one: `FACTS`, a JSON object.
Its identity is where the original stands (topic id, partition, offset), so repeats collapse.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pyarrow as pa

from stream_processors.admission import CONTRACT, IMPLAUSIBLE_TIME
from stream_processors.decoding import UNDECODABLE, UNKNOWN_SCHEMA
from stream_processors.recorder.messages import KafkaMessage, Messages
from stream_processors.recorder.provenance import MICROS, Provenance

FACTS = "hindcast.dead-letter"
REFUSED = "refused"
EXPIRED = "expired"
INCOMPLETE = "incomplete"
REASONS = (UNDECODABLE, UNKNOWN_SCHEMA, IMPLAUSIBLE_TIME, INCOMPLETE, CONTRACT, REFUSED, EXPIRED)
# how the messages of a gap went that nobody deleted
LEFT = "left the log"

Header = tuple[str, bytes | None]


@dataclass(frozen=True)
class Facts:
    """What was wrong with which message.

    Attributes:
        topic: without prefix.
        topic_id: Kafka's UUID of it.
        appended_at: append time of the original, microseconds since the epoch; of expired ones, when they were missed.
        reason: undecodable, unknown_schema, implausible_time, incomplete (a label without a truth), contract, refused (by ClickHouse),
            or expired (messages from this offset on left the log, or were deleted with their topic, before they were recorded).
        detail: what was wrong; never a payload.
        fingerprint: of the schema, hex, where the value names one.
        model: where it is known.
        replayed: it was sent back since.
    """

    topic: str
    topic_id: str
    partition: int
    offset: int
    appended_at: int
    reason: str
    detail: str
    fingerprint: str = ""
    model: str = ""
    replayed: bool = False


@dataclass(frozen=True)
class DeadLetter:
    """The facts and the original's bytes."""

    facts: Facts
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()

    @classmethod
    def of(cls, facts: Facts, message: KafkaMessage) -> DeadLetter:
        """The dead letter that an original message becomes."""
        return cls(facts, message.key(), message.value(), tuple(message.headers() or ()))

    @classmethod
    def read(cls, message: KafkaMessage) -> DeadLetter | None:
        """A dead letter as it stands on the topic; None for a message without readable facts."""
        headers: list[Header] = list(message.headers() or ())
        places = [place for place, (name, _) in enumerate(headers) if name == FACTS]
        if not places:
            return None
        facts = _facts(headers[places[-1]][1])
        if facts is None:
            return None
        return cls(facts, message.key(), message.value(), tuple(headers[: places[-1]]))

    def sent_headers(self) -> list[Header]:
        """Headers of the message on the dead-letters topic."""
        return [*self.headers, (FACTS, json.dumps(asdict(self.facts), separators=(",", ":")).encode())]

    def without_value(self) -> DeadLetter:
        """The same without the value, for one that the topic does not take."""
        size = len(self.value or b"")
        detail = f"{self.facts.detail} (its value of {size} bytes does not fit the dead-letters topic)"
        return replace(self, facts=replace(self.facts, detail=detail), value=None)

    def as_replayed(self) -> DeadLetter:
        """The same, marked as sent back."""
        return replace(self, facts=replace(self.facts, replayed=True))


def _facts(text: bytes | None) -> Facts | None:
    try:
        found = json.loads(text or b"")
    except ValueError:
        return None
    if not isinstance(found, dict) or set(found) != {field.name for field in fields(Facts)}:
        return None
    facts = Facts(**found)
    whole = (facts.partition, facts.offset, facts.appended_at)
    texts = (facts.topic, facts.topic_id, facts.reason, facts.detail, facts.fingerprint, facts.model)
    fits = all(type(number) is int and 0 <= number < 2**62 for number in whole)
    fits = fits and facts.partition < 2**31
    fits = fits and all(isinstance(text, str) for text in texts) and isinstance(facts.replayed, bool)
    return facts if fits else None


def read_dead_letters(messages: Messages) -> list[DeadLetter]:
    """Every message of the dead-letters topic as a dead letter; one without readable facts is a dead letter itself."""
    found = []
    for place, message in enumerate(messages.raw):
        letter = DeadLetter.read(message)
        if letter is None:
            facts = Facts(
                messages.topic,
                messages.topic_id,
                int(messages.partitions[place]),
                int(messages.offsets[place]),
                int(messages.appended[place]),
                "undecodable",
                "no facts of a dead letter",
            )
            letter = DeadLetter.of(facts, message)
        found.append(letter)
    return found


def gap(topic: str, topic_id: str, partition: int, first: int, end: int, *, now: int, how: str) -> DeadLetter:
    """The entry for messages from ``first`` to before ``end`` that went, ``how``, before they were recorded."""
    detail = f"offsets {first} to {end - 1} {how} before they were recorded"
    return DeadLetter(Facts(topic, topic_id, partition, first, now, EXPIRED, detail), None, None)


_HEADERS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))


def dead_letter_rows(letters: Sequence[DeadLetter], provenance: Provenance) -> pa.Table:
    """Rows of table ``dead_letters``."""

    def texts(name: str) -> pa.Array:
        return pa.array([getattr(letter.facts, name) for letter in letters], pa.string())

    def numbers(name: str) -> Iterable[int]:
        return np.array([getattr(letter.facts, name) for letter in letters], dtype=np.int64)

    columns = {
        "topic": texts("topic"),
        "topic_id": texts("topic_id"),
        "partition": pa.array(numbers("partition")).cast(pa.uint32()),
        "offset": pa.array(numbers("offset")).cast(pa.uint64()),
        "appended_at": pa.array(numbers("appended_at")).view(MICROS),
        "reason": texts("reason"),
        "detail": texts("detail"),
        "fingerprint": texts("fingerprint"),
        "model": texts("model"),
        "key": pa.array([letter.key for letter in letters], pa.binary()),
        "value": pa.array([letter.value for letter in letters], pa.binary()),
        "headers": pa.array([_named(letter.headers) for letter in letters], _HEADERS),
        "replayed": pa.array([letter.facts.replayed for letter in letters], pa.bool_()),
    }
    return pa.table({**columns, **provenance.columns()})


def _named(headers: Iterable[Header]) -> list[dict[str, object]]:
    return [{"name": name, "value": value or b""} for name, value in headers]
