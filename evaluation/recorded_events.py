"""Recorded predictions of one model as they came, block by block: for whoever holds them against a contract or makes one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from evaluation.history import History
from evaluation.queries import clickhouse_time
from producers.errors import ConfigError

BLOCK_ROWS = 50_000
# map entries in a block: what bounds memory where events have many features
_BLOCK_ENTRIES = 2_000_000
_HOUR = timedelta(hours=1)

_WHERE = """
    WHERE model = {model:String}
      AND ({environment:String} = '' OR environment = {environment:String})
      AND event_time >= {first:DateTime64(6, 'UTC')} AND event_time < {last:DateTime64(6, 'UTC')}"""
_HOURS = f"""
    SELECT toDateTime64(toStartOfHour(event_time), 6, 'UTC') AS hour, count() AS events,
        sum(length(numeric_features) + length(categorical_features)) AS entries
    FROM predictions {_WHERE}
    GROUP BY hour ORDER BY hour DESC"""
_EVENTS = f"""
    SELECT model, model_version, environment, event_time, target_time, if(backfilled, known_at, NULL) AS stated_known_at,
        numeric_features, categorical_features, segments, probabilities, entity_id, status, sampling_rate, score, decision,
        _appended_at AS appended_at
    FROM predictions FINAL {_WHERE}
      AND cityHash64(prediction_id) % {{pages:UInt32}} = {{page:UInt32}}"""


@dataclass(frozen=True)
class Block:
    """A part of the record that is read at once: hours, or a page of one hour by the hash of prediction ids.

    Attributes:
        first, last: event times from (inclusive) and to (exclusive).
        page, pages: which page, from 0, and of how many.
        events: about how many there are.
    """

    first: datetime
    last: datetime
    page: int
    pages: int
    events: int


@dataclass(frozen=True)
class Asked:
    """Which predictions.

    Attributes:
        environment: None: all.
        since, until: event times from (inclusive) and to (exclusive).
    """

    model: str
    environment: str | None
    since: datetime
    until: datetime


class RecordedEvents:
    """Predictions of a model between two event times, each once, shadow traffic and failures included, the newest hours first.

    Args:
        history: where they are asked; names and times are bound, never pasted.
        asked: which.

    Attributes:
        blocks: the plan.

    Raises:
        ConfigError: there are none.
    """

    def __init__(self, history: History, asked: Asked) -> None:
        self._history = history
        self._bound = {"model": asked.model, "environment": asked.environment or ""}
        self._asked = asked
        hours = history.sql(_HOURS, self._between(asked.since, asked.until)).to_pylist()
        if not hours:
            where = f" in {asked.environment}" if asked.environment else ""
            since = clickhouse_time(asked.since)[:19]
            raise ConfigError(f"no predictions of model {asked.model}{where} are recorded since {since} UTC")
        self.blocks = list(_plan(hours, asked))

    @property
    def events(self) -> int:
        """About how many there are; resends that are not merged yet count."""
        return sum(block.events for block in self.blocks)

    def read(self, block: Block) -> pa.RecordBatch:
        """One block, with the columns that `admission.admit` wants, segments, score, decision, and ``appended_at``."""
        pages = {"page": block.page, "pages": block.pages}
        table = self._history.sql(_EVENTS, {**self._between(block.first, block.last), **pages})
        names = ["known_at" if name == "stated_known_at" else name for name in table.column_names]
        table = table.rename_columns(names).combine_chunks()
        found: Sequence[pa.RecordBatch] = table.to_batches()
        return found[0] if found else pa.RecordBatch.from_pylist([], table.schema)

    def _between(self, first: datetime, last: datetime) -> dict[str, Any]:
        return {**self._bound, "first": clickhouse_time(first), "last": clickhouse_time(last)}


def _plan(hours: Sequence[dict[str, Any]], asked: Asked) -> Iterator[Block]:
    """Blocks of at most about `BLOCK_ROWS` events each, from hours with their counts, newest first."""
    width = sum(one["entries"] for one in hours) / max(1, sum(one["events"] for one in hours))
    most = max(1, min(BLOCK_ROWS, int(_BLOCK_ENTRIES / max(1.0, width))))
    gathered: list[dict[str, Any]] = []
    for one in [*hours, None]:
        events = sum(each["events"] for each in gathered)
        if gathered and (one is None or events + one["events"] > most):
            first = max(asked.since, gathered[-1]["hour"])
            last = min(asked.until, gathered[0]["hour"] + _HOUR)
            pages = -(-events // most)
            sizes = [events // pages + (page < events % pages) for page in range(pages)]
            yield from (Block(first, last, page, pages, size) for page, size in enumerate(sizes))
            gathered = []
        if one is not None:
            gathered.append(one)
