"""Sorts consumed messages of one topic into rows of tables and dead letters. Pure: what applies is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from producers.codec import Registry
from producers.topics import topics
from stream_processors.admission import IMPLAUSIBLE_TIME, Refusal, admit
from stream_processors.contracts.effect import ContractHistory
from stream_processors.decoding import Decoded, DecodedGroup, decode_batch
from stream_processors.recorder.dead_letters import (
    INCOMPLETE,
    DeadLetter,
    Facts,
    dead_letter_rows,
    read_dead_letters,
)
from stream_processors.recorder.fact_rows import fact_rows, outside_time, says_nothing
from stream_processors.recorder.messages import Messages
from stream_processors.recorder.prediction_rows import (
    intake_rows,
    prediction_rows,
    undecoded_intake_rows,
)
from stream_processors.recorder.provenance import Provenance
from stream_processors.recorder.sketch_rows import sketch_rows

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Which tables the messages of each topic make rows in.
TABLES: Mapping[str, tuple[str, ...]] = {
    "predictions": ("intake", "predictions"),
    "labels": ("labels",),
    "deployments": ("deployments",),
    "contracts": ("contracts", "sketches"),
    "sketches": ("sketches", "stretches"),
    "outcomes": ("outcomes",),
    "quality": ("quality",),
    "drift": ("drift",),
    "alerts": ("alerts",),
    "ledger": ("ledger",),
    "dead-letters": ("dead_letters",),
}


@dataclass(frozen=True, eq=False)
class TableRows:
    """Rows for one table; each message's rows stand together, in the order of its offsets within a partition."""

    table: str
    rows: pa.Table

    def numbers(self, name: str) -> Ints:
        """A column of whole numbers, such as ``_offset``."""
        return np.asarray(self.rows.column(name).cast(pa.int64()).to_numpy())

    def only(self, wanted: Mask) -> TableRows:
        """The rows at which ``wanted`` is true."""
        return self if wanted.all() else TableRows(self.table, self.rows.filter(pa.array(wanted)))


@dataclass(frozen=True, eq=False)
class SortedMessages:
    """What became of the messages of one topic: each makes rows, or a dead letter, or both (intake counts dead letters).

    ``tables`` stand in the order in which they must be inserted.
    """

    messages: Messages
    tables: tuple[TableRows, ...]
    dead: tuple[DeadLetter, ...]

    def only(self, wanted: Mask) -> SortedMessages:
        """The same for the messages at which ``wanted`` is true."""
        if wanted.all():
            return self
        messages = self.messages.only(wanted)
        kept = set(zip(messages.partitions.tolist(), messages.offsets.tolist(), strict=True))
        return SortedMessages(
            messages,
            tuple(rows.only(in_places(rows, messages)) for rows in self.tables),
            tuple(letter for letter in self.dead if (letter.facts.partition, letter.facts.offset) in kept),
        )

    def dead_places(self) -> Mask:
        """Which of the messages became dead letters."""
        if not self.dead:
            return np.zeros(len(self.messages), dtype=np.bool_)
        dead = {(letter.facts.partition, letter.facts.offset) for letter in self.dead}
        places = zip(self.messages.partitions.tolist(), self.messages.offsets.tolist(), strict=True)
        return np.array([place in dead for place in places], dtype=np.bool_)


def in_places(rows: TableRows, messages: Messages) -> Mask:
    """Which rows are of these messages."""
    return np.asarray(
        np.isin(
            _joint(rows.numbers("_partition"), rows.numbers("_offset")),
            _joint(messages.partitions, messages.offsets),
        )
    )


def _joint(partitions: Ints, offsets: Ints) -> Ints:
    # offsets of one batch lie far below 2^44, partitions below 2^19
    return (partitions << 44) | offsets


def sort_messages(
    messages: Messages, history: ContractHistory, *, recorded_at: int, registry: Registry | None = None
) -> SortedMessages:
    """Decode the messages of one topic, decide about predictions, and make rows.

    Args:
        messages: of one topic.
        history: every contract that a reading up to the end of ``contracts``, made after these messages were consumed,
            has found; used for predictions only.
        recorded_at: now, microseconds since the epoch.
        registry: for Confluent framing.
    """
    provenance = Provenance(
        messages.topic_id, messages.partitions, messages.offsets, messages.appended, recorded_at
    )
    if messages.topic == "dead-letters":
        rows = dead_letter_rows(read_dead_letters(messages), provenance)
        return SortedMessages(messages, (TableRows("dead_letters", rows),), ())
    expected = [label.partition(".")[0] for label in topics()[messages.topic].values]
    decoded = decode_batch(messages.values(), registry, expected=expected)
    letters = _undecoded(messages, decoded)
    if messages.topic == "predictions":
        tables = _predictions(messages, decoded, history, provenance, letters)
    else:
        tables = [table for group in decoded.groups for table in _facts(messages, group, provenance, letters)]
    return SortedMessages(messages, tuple(tables), tuple(letters))


def _undecoded(messages: Messages, decoded: Decoded) -> list[DeadLetter]:
    return [
        _letter(messages, one.position, one.reason, one.detail, one.fingerprint) for one in decoded.undecoded
    ]


def _letter(
    messages: Messages, place: int, reason: str, detail: str, fingerprint: str = "", model: str = ""
) -> DeadLetter:
    facts = Facts(
        messages.topic,
        messages.topic_id,
        int(messages.partitions[place]),
        int(messages.offsets[place]),
        int(messages.appended[place]),
        reason,
        detail,
        fingerprint,
        model,
    )
    return DeadLetter.of(facts, messages.raw[place])


def _predictions(
    messages: Messages,
    decoded: Decoded,
    history: ContractHistory,
    provenance: Provenance,
    letters: list[DeadLetter],
) -> list[TableRows]:
    intake, predictions = [], []
    group = decoded.of("prediction")
    if group is not None:
        own = provenance.take(group.positions)
        admission = admit(group.batch, own.appended, history)
        letters += _refused(messages, group, admission.refusals())
        intake.append(TableRows("intake", intake_rows(group.batch, admission, own)))
        predictions.append(TableRows("predictions", prediction_rows(group.batch, admission, own)))
    if decoded.undecoded:
        places = np.array([one.position for one in decoded.undecoded], dtype=np.int64)
        intake.append(TableRows("intake", undecoded_intake_rows(provenance.take(places))))
    return [*intake, *predictions]


def _refused(messages: Messages, group: DecodedGroup, refusals: Sequence[Refusal]) -> list[DeadLetter]:
    names = group.batch.schema.names
    models = group.batch.column("model").to_pylist() if "model" in names and refusals else None
    return [
        _letter(
            messages,
            int(group.positions[one.row]),
            one.reason,
            one.detail,
            model=models[one.row] if models else "",
        )
        for one in refusals
    ]


def _facts(
    messages: Messages, group: DecodedGroup, provenance: Provenance, letters: list[DeadLetter]
) -> list[TableRows]:
    refused = np.zeros(group.batch.num_rows, dtype=np.bool_)
    for rows, reason, detail in (
        (outside_time(group.batch), IMPLAUSIBLE_TIME, "a time is outside the years 1900 to 2299"),
        (
            says_nothing(group.schema.name, group.batch),
            INCOMPLETE,
            "a truth or correction with neither a class nor a number",
        ),
    ):
        places = np.flatnonzero(rows & ~refused).tolist()
        letters += _refused(messages, group, [Refusal(row, reason, detail) for row in places])
        refused |= rows
    batch = group.batch if not refused.any() else group.batch.filter(pa.array(~refused))
    own = provenance.take(group.positions[~refused])
    if group.schema.name == "sketch":
        return [TableRows("sketches", sketch_rows(batch, own))]
    return [TableRows(*fact_rows(group.schema.name, batch, own))]
