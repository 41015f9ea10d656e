"""Tables sent: encoded on the caller's thread, chunk by chunk, and handed to the sender, which may be waited for."""

from __future__ import annotations

from collections import deque
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from producers import ledger as reasons
from producers.codec import Registry, encode, frame
from producers.intake import Intake
from producers.ledger import HOUR, Tally
from producers.patience import Patience
from producers.said import Encoded
from producers.schema_files import newest
from producers.tables import Rows

# chunks that may be under way at once: one being sent while the next is encoded
UNDER_WAY = 2
_TIME_OF = {"predictions": "event_time", "labels": "reported_at"}


def send_table(intake: Intake, stream: str, rows: Rows, registry: Registry | None, wait: float) -> None:
    """Send every row, waiting for room as long as events are delivered.

    A chunk that finds no room for ``wait`` seconds in which nothing is delivered is dropped and counted as
    ``queue_full``; so are those after it, at once, until something is delivered again.
    """
    under_way: deque[Encoded] = deque()
    patience = Patience(intake.delivered, wait)
    for batch in rows.batches():
        sequences = intake.reserve(stream, batch.num_rows)
        tallies = _accepted(intake, stream, batch, sequences)
        keys = pc.cast(batch["prediction_id"], pa.binary()).to_pylist()
        if len(under_way) == UNDER_WAY:
            if not patience.outlasts(under_way[0].done):
                intake.give_up(Encoded(stream, keys, [], tallies), reasons.QUEUE_FULL)
                continue
            under_way.popleft()
        full = batch.append_column("producer_id", pa.array([intake.producer_id] * batch.num_rows))
        full = full.append_column("sequence", pa.array(sequences, pa.int64()))
        messages = Encoded(stream, keys, encode_batch(full, stream.removesuffix("s"), registry), tallies)
        under_way.append(messages)
        intake.hand_over(messages)


def encode_batch(batch: pa.RecordBatch, name: str, registry: Registry | None = None) -> list[bytes]:
    """Framed messages of the newest version of schema ``name``, one per row.

    By pyruhvro (Rust, about 0.5 µs a row) where it is installed, else by fastavro (about 30 µs); the bytes are the same.
    """
    try:
        from pyruhvro import (
            serialize_record_batch,
        )  # of the extra [processors]: a light producer does without
    except ImportError:
        return encode_by_row(batch, name, registry)
    schema = newest(name)
    (bodies,) = serialize_record_batch(batch, schema.text, 1)
    head = pa.scalar(frame(schema, registry), pa.binary())
    messages: list[bytes] = pc.binary_join_element_wise(head, bodies, b"").to_pylist()
    return messages


def encode_by_row(batch: pa.RecordBatch, name: str, registry: Registry | None = None) -> list[bytes]:
    """As `encode_batch`, by fastavro."""
    plain = batch.cast(
        pa.schema(
            pa.field(field.name, pa.int64()) if pa.types.is_timestamp(field.type) else field
            for field in batch.schema
        )
    )
    return [encode(name, record, registry) for record in plain.to_pylist(maps_as_pydicts="strict")]


def _accepted(intake: Intake, stream: str, batch: pa.RecordBatch, sequences: list[int]) -> list[Tally]:
    """The tally of each row, which has accepted it."""
    times = batch[_TIME_OF[stream]].cast(pa.int64()).to_pylist()
    places = zip(batch["model"].to_pylist(), batch["environment"].to_pylist(), times, strict=True)
    tallies: list[Tally] = []
    known: dict[Any, Tally] = {}
    with intake.lock:
        for (model, environment, time), sequence in zip(places, sequences, strict=True):
            account = (model, environment, time // HOUR)
            tally = known.get(account)
            if tally is None:
                tally = known[account] = intake.tally(model, environment or "", stream, time)
            tally.accept()
            tally.number(sequence, sequence)
            tallies.append(tally)
    return tallies
