"""Tables as a logger sends them, and what the profiler counts of messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from producers import PredictionLogger
from producers.testing import MemorySink
from stream_processors.admission import admit
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.decoding import decode_batch
from stream_processors.profiler.counting import Counting
from stream_processors.profiler.sketch_batch import Stretch, encoded, sketch_batch
from stream_processors.sketches import TableSketch

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def logged(
    table: Any, features: Sequence[str], contract: Contract | None, folder: Path, **more: Any
) -> list[bytes]:
    """The messages of `PredictionLogger.predictions`; the logger has its contract in a file of the folder."""
    file = None
    if contract is not None:
        file = folder / "contract.json"
        file.write_text(contract.canonical())
    sink = MemorySink()
    with PredictionLogger(model="m", sink=sink, contract=file, sigterm=False) as log:
        log.predictions(table, features=features, event_time=NOW, **more)
    return [message.value for message in sink.messages if message.stream == "predictions"]


def batch_of(messages: Sequence[bytes]) -> pa.RecordBatch:
    """The messages, decoded as a processor decodes them."""
    group = decode_batch(list(messages)).of("prediction")
    assert group is not None
    return group.batch


def profiled(batches: Iterable[Sequence[bytes]], contract: Contract | None) -> TableSketch:
    """The profiler's deltas of batches of messages, merged."""
    published = [
        PublishedContract.of(one, effective_from=0, appended_at=0, lead_ms=0, partition=0, offset=0)
        for one in ([] if contract is None else [contract])
    ]
    counting, deltas = Counting(), []
    for messages in batches:
        batch, n = batch_of(messages), len(messages)
        appended = np.full(n, int(NOW.timestamp() * 1e6))
        admission = admit(batch, appended, ContractHistory(published))
        counting.count(batch, np.zeros(n, dtype=np.int64), admission)
        deltas += encoded(sketch_batch(counting.drain(), "delta", "topic", {0: Stretch(0, 1)}))
    return TableSketch.merged(TableSketch.from_avro(delta) for delta in deltas)
