"""Judges windows that are due: asks the record for their sketches, the contract and the reference for what to make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.monitor.judge import Judgement, drift_columns, judge
from stream_processors.monitor.judged_windows import TRAINING, judged_widths, reference_name, width_of
from stream_processors.monitor.progress import JudgedWindow
from stream_processors.monitor.record_reference import training_reference
from stream_processors.monitor.record_windows import AsOf, least_parts, window_facts
from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.monitor.window_facts import WindowFacts
from stream_processors.windows import Width, windows_between

# Windows asked for in one query: bounds memory (a window may have hundreds of slices and columns) and the time to a stop.
_TOGETHER = 24

# Whether everything up to a contract's place on `contracts`, its reference before it included, is in the record
ContractRecorded = Callable[[PublishedContract], bool]


class ReferenceAwaited(Exception):
    """The recorder has not come as far as a contract yet, so its reference may not be in the record: judge again later."""


def together(windows: Sequence[JudgedWindow]) -> list[list[JudgedWindow]]:
    """Windows that can be asked for at once: of one model, environment and width, not too many."""

    def alike(one: JudgedWindow) -> tuple[str, str, int]:
        return one.of.model, one.of.environment, width_of(one.window).micros

    chunks = []
    for _, group in groupby(sorted(windows, key=lambda one: (alike(one), one)), alike):
        members = sorted(group, key=lambda one: (one.window.end, one.of))
        chunks += [members[start : start + _TOGETHER] for start in range(0, len(members), _TOGETHER)]
    return sorted(chunks, key=lambda chunk: chunk[0].window.end)


class Judging:
    """Judges windows of any model; keeps references that were read, which never change."""

    def __init__(self, store: Store, history: ContractHistory, recorded: ContractRecorded) -> None:
        self._store, self._history, self._recorded = store, history, recorded
        self._references: dict[tuple[str, str, Width], ReferenceSeries | None] = {}

    def judge(self, as_of: AsOf, windows: Sequence[JudgedWindow]) -> Iterator[Judgement]:
        """Verdicts on windows of one chunk of `together`, as of an offset; a window without a delta by then has none.

        Raises:
            ReferenceAwaited: the recorder has not reached a contract that applies.
        """
        of, width = windows[0].of, width_of(windows[0].window)
        columns = self._columns(of.model, of.environment)
        published = self._history.published(of.model, of.environment)
        least = min((one.contract.drift.minimum_sample for one in published), default=0)
        for facts in window_facts(self._store, as_of, width, windows, columns, least=least):
            contract = self._history.applying(of.model, of.environment, facts.revised_at)
            reference = self._reference(contract, width)
            if reference is not None and contract is not None:
                self._count_parts(as_of, facts, contract.contract, width)
            yield judge(facts, contract, reference)

    def _columns(self, model: str, environment: str) -> list[str]:
        """All columns that any contract of the model has judged; none where none names a reference."""
        wanted: dict[str, None] = {}
        for one in self._history.published(model, environment):
            if reference_name(one.contract):
                wanted |= dict.fromkeys(drift_columns(one.contract))
        return list(wanted)

    def _reference(self, contract: PublishedContract | None, width: Width) -> ReferenceSeries | None:
        # LATER: previous, seasonal and version are series of windows of the stream itself, asked for here
        if contract is None or reference_name(contract.contract) != TRAINING:
            return None
        digest = contract.contract.references[TRAINING]
        key = contract.contract.model, digest, width
        if key not in self._references:
            if not self._recorded(contract):
                raise ReferenceAwaited
            self._references[key] = training_reference(self._store, contract.contract.model, digest, width)
        return self._references[key]

    def _count_parts(self, as_of: AsOf, facts: WindowFacts, contract: Contract, width: Width) -> None:
        widths = judged_widths(contract)
        if width not in widths or width == widths[0]:
            return
        smaller = widths[widths.index(width) - 1]
        span = facts.window.window
        parts = [part for part in windows_between(span.start, span.end, smaller) if part.end <= span.end]
        least = least_parts(self._store, as_of, facts.window, parts, smaller)
        for name, counted in facts.slices.items():
            counted.least_part = least.get(name)
