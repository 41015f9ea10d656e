"""Tables sent: encoded on the caller's thread, part by part, and handed to the sender, which may be waited for."""

from __future__ import annotations

from collections import deque

import pyarrow as pa
import pyarrow.compute as pc

from producers import ledger as reasons
from producers.byte_sheet import Sheet
from producers.codec import Registry, frame
from producers.encoded import Encoded, Share
from producers.intake import Intake
from producers.ledger import HOUR
from producers.patience import Patience
from producers.row_groups import groups_of
from producers.rows import Part, Rows
from producers.schema_files import newest

# parts that may be under way at once: one being sent while the next is encoded
UNDER_WAY = 2
_SOME = b"\x02"


def send_table(intake: Intake, rows: Rows, registry: Registry | None, wait: float) -> None:
    """Send every row, waiting for room as long as events are delivered.

    A part that finds no room for ``wait`` seconds in which nothing is delivered is dropped and counted as
    ``queue_full``; so are those after it, at once, until something is delivered again.
    """
    head = frame(newest(rows.name), registry)
    under_way: deque[Encoded] = deque()
    patience = Patience(intake.delivered, wait)
    for part in rows.parts():
        encoded = encode_part(part, rows, head, intake)
        if len(under_way) == UNDER_WAY:
            if not patience.outlasts(under_way[0].done):
                encoded.accept()
                encoded.give_up(reasons.QUEUE_FULL)
                continue
            under_way.popleft()
        under_way.append(encoded)
        intake.hand_over(encoded)


def count_dropped(intake: Intake, facts: pa.Table, reason: str) -> None:
    """Count rows as accepted and given up; ``facts`` are their model, environment and event_time."""
    hours = pc.floor_temporal(facts["event_time"], unit="hour").cast(pa.int64())
    accounts = pa.table({"model": facts["model"], "environment": facts["environment"], "hour": hours})
    counted = accounts.group_by(["model", "environment", "hour"]).aggregate([([], "count_all")])
    with intake.lock:
        for row in counted.to_pylist():
            tally = intake.tally(row["model"], row["environment"] or "", "predictions", row["hour"])
            tally.accept(row["count_all"])
            tally.drop(reason, row["count_all"])


def encode_part(part: Part, rows: Rows, head: bytes, intake: Intake) -> Encoded:
    """A part of a table, encoded; ``head`` is the frame of its messages."""
    before, writer = Sheet(part.columns.rows), rows.writer
    before.constant(head)
    before.append(writer.sheet(part.columns, until="producer_id"))
    before.constant(writer.constant("producer_id", pa.array([intake.producer_id])) + _SOME)
    groups, share_of = groups_of(part)
    stream = f"{rows.name}s"
    with intake.lock:
        shares = [
            Share(
                intake.tally(one.model, one.environment or "", stream, one.hour * HOUR),
                one.rows,
                one.first,
                one.last,
            )
            for one in groups
        ]
    after = writer.sheet(part.columns, since="known_at")
    return Encoded(intake, stream, part.keys, before=before, after=after, shares=shares, share_of=share_of)
