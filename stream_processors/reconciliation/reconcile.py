"""Reconciles models over time: compares, says why what differs does, and makes the totals that put it right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from producers.errors import TransientError
from stream_processors.alone_hours import alone_hours
from stream_processors.clickhouse import Store
from stream_processors.contracts.model import Contract
from stream_processors.reconciliation.comparing import Difference, differences, miscounted
from stream_processors.reconciliation.counting_rules import CountingRules
from stream_processors.reconciliation.coverage import waiting, window_facts
from stream_processors.reconciliation.findings import Cause, Finding, Report
from stream_processors.reconciliation.frontier import Frontier
from stream_processors.reconciliation.totals import totals
from stream_processors.windows import DAY, HOUR

# Events of one statement: what counts them holds every bin of every slice and window of theirs.
_EVENTS_AT_ONCE = 2_000_000

_SCOPES = """
    SELECT model, environment, toUnixTimestamp64Micro(min(window_start)) AS first, toUnixTimestamp64Micro(max(window_end)) AS last
    FROM sketches
    WHERE kind != 'reference' AND column = '@events' AND slice = '' AND ({model:String} = '' OR model = {model:String})
      AND window_start >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Micro({until:Int64}, 'UTC')
    GROUP BY model, environment
    UNION ALL
    SELECT model, environment, toUnixTimestamp64Micro(min(event_time)) AS first, toUnixTimestamp64Micro(max(event_time)) + 1 AS last
    FROM predictions
    WHERE ({model:String} = '' OR model = {model:String})
      AND event_time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')
    GROUP BY model, environment
"""

_KNOWING = ("predictions", "sketches", "rollups", "contracts", "deployments")
_KNOWN = " UNION ALL ".join(f"SELECT 1 FROM {one} WHERE model = {{model:String}} LIMIT 1" for one in _KNOWING)

_HOURS = """
    SELECT toUnixTimestamp64Micro(toDateTime64(toStartOfHour(event_time), 6, 'UTC')) AS hour, count() AS events
    FROM predictions
    WHERE model = {model:String} AND environment = {environment:String}
      AND event_time >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
    GROUP BY hour ORDER BY hour
"""

_SHAPES = """
    SELECT DISTINCT shape, '' AS contract FROM sketches
    WHERE kind != 'reference' AND model = {model:String} AND environment = {environment:String} AND column = '@events' AND slice = ''
      AND window_start >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
    UNION DISTINCT
    SELECT DISTINCT '' AS shape, contract FROM predictions
    WHERE model = {model:String} AND environment = {environment:String}
      AND event_time >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
"""

_EXTENT = """
    SELECT uniqExact(window_start) AS windows, toInt64(sum(events)) AS events FROM feature_windows
    WHERE model = {model:String} AND environment = {environment:String} AND column = '@events' AND slice = ''
      AND window_start >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
"""


class ContractUnrecorded(TransientError):
    """Sketches or rows were made under a contract that the record does not hold (yet)."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Windows of one model and environment that begin in ``[first, last)``, microseconds."""

    model: str
    environment: str
    first: int
    last: int


def scopes(store: Store, since: int, until: int, model: str = "") -> list[Scope]:
    """Everything that stream or rows hold of these times; of one model, if one is named."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for row in store.rows(_SCOPES, {"since": since, "until": until, "model": model}):
        spans[row["model"], row["environment"]].append((row["first"], row["last"]))
    found = []
    for (name, environment), ends in sorted(spans.items()):
        # from the start of the day: a row's window may begin before the row
        first = max(min(first for first, _ in ends) // DAY * DAY, since)
        found.append(Scope(name, environment, first, min(max(last for _, last in ends), until)))
    return found


def known(store: Store, model: str) -> bool:
    """Whether the record holds anything of a model, of any time."""
    return bool(store.rows(_KNOWN, {"model": model}))


def _contracts(store: Store, model: str) -> dict[str, Contract]:
    """Contracts by digest; without those that are none, which nothing was recorded or counted under."""
    found = {}
    for row in store.rows(
        "SELECT digest, any(body) AS body FROM contracts WHERE model = {model:String} GROUP BY digest",
        {"model": model},
    ):
        with suppress(ValidationError):
            found[str(row["digest"])] = Contract.model_validate_json(row["body"])
    return found


class Reconciliation:
    """One model's contracts, and what was recorded of it up to a frontier.

    Args:
        now: microseconds; rows that the retention they were admitted under has let go by then are no loss.

    Raises:
        ContractUnrecorded: from every method.
        StoreUnavailable: from every method.
    """

    def __init__(self, store: Store, frontier: Frontier, model: str, environment: str, *, now: int) -> None:
        self._store, self._frontier = store, frontier
        self._model, self._environment = model, environment
        self._now = now
        self._contracts = _contracts(store, model)

    def report(self, first: int, last: int, *, each: Callable[[int], None] = lambda _: None) -> Report:
        """Compare all windows that begin in ``[first, last)``; ``each`` is told how far it has come, in microseconds."""
        report = Report()
        for begin, end in self._chunks(first, last):
            report.add(self._compared(begin, end))
            each(end)
        return report

    def miscounted(self, starts: Sequence[int]) -> Report:
        """Of the windows that begin at these times, those of which the views count other events than there are rows, and why; not what differs in them."""
        report = Report(len(starts))
        if starts:
            for shape in self._shapes(self._parameters(min(starts), max(starts) + 1)):
                rules = self._rules(shape)
                found = miscounted(self._store, self._model, self._environment, rules, starts)
                self._explain(report, rules, {start: [] for start in found})
        report.findings.sort(key=lambda one: (one.start, one.shape))
        return report

    def totals(self, findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
        """Records of sketch.v1 that put these windows right; of those alone whose rows are whole."""
        by_shape: dict[str, list[int]] = defaultdict(list)
        for one in findings:
            if one.repairable:
                by_shape[one.shape].append(one.start)
        for shape, starts in sorted(by_shape.items()):
            yield from totals(
                self._store, self._model, self._environment, self._rules(shape), self._frontier, starts
            )

    def _compared(self, first: int, last: int) -> Report:
        bounds = self._parameters(first, last)
        extent = self._store.rows(_EXTENT, bounds)[0]
        report = Report(extent["windows"], extent["events"])
        for shape in self._shapes(bounds):
            rules = self._rules(shape)
            found: dict[int, list[Difference]] = defaultdict(list)
            for one in differences(
                self._store, self._model, self._environment, rules, self._frontier, first, last
            ):
                found[one.start].append(one)
            self._explain(report, rules, found)
        report.findings.sort(key=lambda one: (one.start, one.shape))
        return report

    def _explain(self, report: Report, rules: CountingRules, found: dict[int, list[Difference]]) -> None:
        parameters = {"model": self._model, "environment": self._environment, "base": rules.base}
        windows = [(start, start + rules.base) for start in found]
        late = waiting(self._store, parameters, self._frontier, windows)
        report.unsettled += sorted(late)
        settled = [start for start, end in windows if (start, end) not in late]
        asked = {**parameters, "now": self._now}
        facts = window_facts(self._store, asked, self._frontier, settled, rules.base)
        alone = self._alone(rules.base, settled)
        for start, fact in facts.items():
            cause = Cause.EXPIRED if start in alone else fact.cause
            report.findings.append(
                Finding(
                    self._model,
                    self._environment,
                    rules.shape,
                    start,
                    start + rules.base,
                    cause,
                    fact,
                    tuple(found[start]),
                )
            )

    def _alone(self, base: int, starts: Sequence[int]) -> set[int]:
        """Windows whose counts stand in their hour alone: a total would be counted beside it."""
        if base >= HOUR or not starts:
            return set()
        hours = {start: start - start % HOUR for start in starts}
        alone = alone_hours(self._store, self._model, self._environment, sorted(set(hours.values())))
        return {start for start, hour in hours.items() if hour in alone}

    def _shapes(self, bounds: dict[str, Any]) -> list[str]:
        found = set()
        for row in self._store.rows(_SHAPES, {**bounds, "last": bounds["last"] + DAY}):
            found.add(self._shape(row["contract"]) if row["contract"] else row["shape"])
        return sorted(found)

    def _shape(self, digest: str) -> str:
        if digest not in self._contracts:
            raise ContractUnrecorded(f"contract {digest[:16]} of {self._model} is not in the record (yet)")
        return self._contracts[digest].shape()

    def _rules(self, shape: str) -> CountingRules:
        if not shape:
            return CountingRules("", ("",), None)
        under = {digest: one for digest, one in self._contracts.items() if one.shape() == shape}
        if not under:
            raise ContractUnrecorded(
                f"no contract of {self._model} with shape {shape} is in the record (yet)"
            )
        return CountingRules(shape, tuple(under), next(iter(under.values())))

    def _parameters(self, first: int, last: int) -> dict[str, Any]:
        return {"model": self._model, "environment": self._environment, "first": first, "last": last}

    def _chunks(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The span in pieces that begin on hours and hold some million rows at most, where an hour has no more."""
        begin, held = first, 0
        for row in self._store.rows(_HOURS, self._parameters(first, last)):
            if held and held + row["events"] > _EVENTS_AT_ONCE and row["hour"] > begin:
                yield begin, row["hour"]
                begin, held = row["hour"], 0
            held += row["events"]
        if begin < last:
            yield begin, last
