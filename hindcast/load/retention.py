"""Which rows of history a model's contract would not keep: a merge in ClickHouse would delete them without a word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from producers.arrow_memory import bits, numbers, whole
from stream_processors.contracts.effect import ContractHistory
from stream_processors.contracts.model import Contract

Mask = npt.NDArray[np.bool_]
DAY = 86_400_000_000


@dataclass(frozen=True)
class Keeper:
    """What is kept of a model's predictions.

    Args:
        history: every published contract.
        model: the model.
        now: µs since 1970.
    """

    history: ContractHistory
    model: str
    now: int

    def contract(self, environment: str) -> Contract | None:
        """The contract that applies to what is appended now; without one, a backfill is kept for ever."""
        found = self.history.applying(self.model, environment, self.now)
        return found.contract if found else None

    def days(self, environment: str) -> int:
        """How many days are kept; 0 for ever."""
        contract = self.contract(environment)
        return contract.retention_days if contract else 0

    def expired(self, times: pa.ChunkedArray, environments: pa.ChunkedArray) -> Mask:
        """Rows that would be deleted. ``times`` are timestamps in µs."""
        at = numbers(whole(times.cast(pa.int64())), np.int64)
        found: Mask = np.zeros(len(at), np.bool_)
        for environment in pc.unique(environments).to_pylist():
            days = self.days(environment)
            if days:
                own = bits(whole(pc.equal(environments, environment)))
                found |= own & (at < self.now - days * DAY)
        return found
