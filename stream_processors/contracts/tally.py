"""What would become of events under a contract, and under another one beside it. Pure.

It is asked of `admission.admit`, which decides for profiler and recorder, so that a check and the processors cannot disagree.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.admission import Admission, admit
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract

Ints = npt.NDArray[np.int64]


@dataclass
class Tally:
    """Counts over batches of events of the contract's model.

    Attributes:
        contract: what events are held against.
        other: a contract to compare with, or None.
        events: how many were looked at.
        warned, rejected: how many would be kept with warnings, and how many would become dead letters.
        problems: events per problem, such as ``missing:age``.
        newly_warned, newly_rejected: those of ``warned`` and ``rejected`` of which the other contract would not say the same or worse.
        newly: events per problem that they do not have under the other contract.
        no_longer: events per problem that they have under the other contract only.
    """

    contract: Contract
    other: Contract | None = None
    events: int = 0
    warned: int = 0
    rejected: int = 0
    newly_warned: int = 0
    newly_rejected: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    newly: Counter[str] = field(default_factory=Counter)
    no_longer: Counter[str] = field(default_factory=Counter)

    def add(self, batch: pa.RecordBatch, appended_at: Ints, as_other: pa.RecordBatch | None = None) -> None:
        """Count one more batch.

        Args:
            batch: predictions, columns as `admit` wants them.
            appended_at: when the broker took each, microseconds since the epoch.
            as_other: the same predictions as services with the other contract send them, of its kinds and with its protection; None: as
                in ``batch``.
        """
        found = _admitted(batch, appended_at, self.contract)
        self.events += batch.num_rows
        self.warned += int(found.warned.sum())
        self.rejected += int((~found.admitted).sum())
        rows = _by_problem(found)
        for text, broken in rows.items():
            self.problems[text] += broken.size
        if self.other is not None:
            other = _admitted(batch if as_other is None else as_other, appended_at, self.other)
            self.newly_rejected += int((other.admitted & ~found.admitted).sum())
            self.newly_warned += int((found.warned & other.admitted & ~other.warned).sum())
            self._compare(rows, _by_problem(other))

    def _compare(self, mine: dict[str, Ints], theirs: dict[str, Ints]) -> None:
        nothing = np.zeros(0, dtype=np.int64)
        for text in dict.fromkeys([*mine, *theirs]):
            own, other = mine.get(text, nothing), theirs.get(text, nothing)
            for counter, rows in (
                (self.newly, np.setdiff1d(own, other)),
                (self.no_longer, np.setdiff1d(other, own)),
            ):
                if rows.size:
                    counter[text] += rows.size


def _by_problem(admission: Admission) -> dict[str, Ints]:
    """Rows by problem; one that a row has in two ways, such as plain values as either kind, is one of that row."""
    found: dict[str, Ints] = {}
    for text, rows in admission.problems():
        found[text] = np.union1d(found[text], rows) if text in found else rows
    return found


def _admitted(batch: pa.RecordBatch, appended_at: Ints, contract: Contract) -> Admission:
    since_ever = PublishedContract.of(
        contract, effective_from=0, appended_at=0, lead_ms=0, partition=0, offset=0
    )
    return admit(batch, appended_at, ContractHistory([since_ever]))
