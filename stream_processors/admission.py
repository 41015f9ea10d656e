"""What becomes of each decoded prediction: admitted, admitted with warnings, or a dead letter; and which contract applies to it.

One pure function of (events, append times, contracts), shared by the profiler and the recorder so that both decide alike, early, late or
reading again (design: "Which contract applies", "Bad input"). Columnar: Python never runs per row, except over refusals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract
from stream_processors.contracts.values import MAX_NAME_BYTES
from stream_processors.contracts.violations import MAX_FEATURES, TOO_MANY_FEATURES, violations
from stream_processors.map_columns import is_constant, long_key_rows, longer, widths
from stream_processors.windows import DAY

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

IMPLAUSIBLE_TIME = "implausible_time"
CONTRACT = "contract"

# How far an event may lie ahead of the broker's clock, microseconds.
_AHEAD = 3_600_000_000
# What the tables can hold: partitions are by Date (from 1970), times are DateTime64 (1900 to 2299). Microseconds since 1970.
_FIRST_EVENT = 0
_BEFORE_ALL = np.iinfo(np.int64).min
_FIRST_TARGET, _LAST_TARGET = -2_208_988_800_000_000, 10_413_792_000_000_000 - 1

_DEFAULTS = Contract(model="-")
_FOR_EVER = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that becomes a dead letter: reason (``implausible_time`` or ``contract``), and what was wrong, never a value."""

    row: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """What was decided, one entry per row of the batch.

    Attributes:
        admitted: False for dead letters.
        contract: position in ``contracts`` of the one that applies, -1 for none.
        contracts: those that apply to any row.
        retention_days: of the contract, else the default, which spares a backfill; 0 for ever.
        base_seconds: length of the base window.
        known_at: microseconds; as stated by a bulk load (then ``backfilled``), else the append time.
        warned: admitted although it breaks its contract.
    """

    admitted: Mask
    contract: Ints
    contracts: tuple[PublishedContract, ...]
    retention_days: Ints
    base_seconds: Ints
    known_at: Ints
    backfilled: Mask
    warned: Mask
    _broken: tuple[tuple[str, Ints], ...]
    _untimely: tuple[tuple[str, Mask], ...]

    def problems(self) -> list[tuple[str, Ints]]:
        """Everything that is wrong with any row, and the rows, rising, of warnings and dead letters alike."""
        return [*self._broken, *((detail, np.flatnonzero(mask)) for detail, mask in self._untimely)]

    def warnings(self) -> pa.ListArray:
        """Per row the warnings of an admitted event, such as ``missing:age`` (list of string; empty where all is well)."""
        texts = [text for text, _ in self._broken]
        kept = [rows[self.admitted[rows]] for _, rows in self._broken]
        sizes = [rows.size for rows in kept]
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *kept])
        codes = np.repeat(np.arange(len(texts)), sizes)
        order = np.argsort(rows, kind="stable")
        counts = np.bincount(rows, minlength=self.admitted.size)
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        values = pa.array(texts, pa.string()).take(pa.array(codes[order], pa.int64()))
        return pa.ListArray.from_arrays(pa.array(offsets), values)

    def refusals(self) -> list[Refusal]:
        """The rows that become dead letters, in order."""
        refused: dict[int, Refusal] = {}
        for detail, mask in self._untimely:
            for row in np.flatnonzero(mask).tolist():
                refused.setdefault(row, Refusal(row, IMPLAUSIBLE_TIME, detail))
        broken: dict[int, list[str]] = {}
        for text, rows in self._broken:
            for row in rows[~self.admitted[rows]].tolist():
                broken.setdefault(row, []).append(text)
        for row, texts in broken.items():
            refused.setdefault(row, Refusal(row, CONTRACT, ", ".join(texts[:20])))
        return [refused[row] for row in sorted(refused)]


def admit(batch: pa.RecordBatch, appended_at: Ints, history: ContractHistory) -> Admission:
    """Decide about each prediction.

    Args:
        batch: decoded predictions, columns as in prediction.v1.
        appended_at: the broker's append time of each, microseconds since the epoch.
        history: every contract that a reading up to the end of ``contracts``, made after these messages were consumed, has found.
    """
    n = batch.num_rows
    contract, contracts = _applying(batch, appended_at, history)
    base = _per_row(n, contract, [one.contract.windows.base for one in contracts], _DEFAULTS.windows.base)
    stated = batch.column("known_at")
    backfilled = ~np.asarray(stated.is_null().to_numpy(zero_copy_only=False))
    known_at = np.where(backfilled, _micros(stated), appended_at)
    retention = _per_row(
        n, contract, [one.contract.retention_days for one in contracts], _DEFAULTS.retention_days
    )
    # history that somebody loads before there is a contract is not for the default to delete
    retention = np.where(backfilled & (contract < 0), _FOR_EVER, retention)
    kept_windows = _per_row(n, contract, [one.contract.windows.keep_days for one in contracts], _FOR_EVER)
    untimely = tuple(_untimely(batch, appended_at, retention, kept_windows, known_at, backfilled))
    broken, rejected = _broken(batch, contract, contracts)
    admitted = ~rejected
    for _, mask in untimely:
        admitted &= ~mask
    warned = np.zeros(n, dtype=np.bool_)
    for _, rows in broken:
        warned[rows] = True
    return Admission(
        admitted,
        contract,
        contracts,
        retention,
        base,
        known_at,
        backfilled,
        warned & admitted,
        broken,
        untimely,
    )


def _per_row(n: int, contract: Ints, of_contracts: list[int], default: int) -> Ints:
    if not of_contracts:
        return np.full(n, default, dtype=np.int64)
    # -1 (no contract) takes the last entry
    return np.array([*of_contracts, default], dtype=np.int64)[contract]


def _micros(times: pa.Array) -> Ints:
    """Timestamps as microseconds; nulls as 0."""
    numbers: Ints = times.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return numbers


def _untimely(
    batch: pa.RecordBatch,
    appended_at: Ints,
    retention_days: Ints,
    window_days: Ints,
    known_at: Ints,
    backfilled: Mask,
) -> list[tuple[str, Mask]]:
    event_time, target = _micros(batch.column("event_time")), _micros(batch.column("target_time"))
    kept_from = np.where(retention_days > 0, appended_at - retention_days * DAY, _BEFORE_ALL)
    windows_from = np.where(window_days > 0, appended_at - window_days * DAY, _BEFORE_ALL)
    found = {
        "event_time is more than an hour after the append time": event_time > appended_at + _AHEAD,
        "event_time is older than the model's retention": ~backfilled & (event_time < kept_from),
        "event_time is older than the windows that the model's contract keeps": backfilled
        & (event_time < windows_from),
        "event_time is before 1970": event_time < _FIRST_EVENT,
        "known_at is after the append time": known_at > appended_at + _AHEAD,
        "known_at is before 1970": known_at < _FIRST_EVENT,
        "target_time is outside the years 1900 to 2299": (target < _FIRST_TARGET) | (target > _LAST_TARGET),
    }
    return [(detail, mask) for detail, mask in found.items() if mask.any()]


def _long_names(batch: pa.RecordBatch) -> Mask:
    """Names of models and columns stand in every sketch: one that alone fills a message could never be written."""
    found = np.zeros(batch.num_rows, dtype=np.bool_)
    if batch.num_rows:
        for name in ("model", "model_version", "environment"):
            found |= longer(batch.column(name), MAX_NAME_BYTES)
        for name in ("numeric_features", "categorical_features", "probabilities"):
            found |= long_key_rows(batch.column(name), MAX_NAME_BYTES)
    return found


def _applying(
    batch: pa.RecordBatch, appended_at: Ints, history: ContractHistory
) -> tuple[Ints, tuple[PublishedContract, ...]]:
    """Each row's contract (-1: none), and the contracts."""
    chosen = np.full(batch.num_rows, -1, dtype=np.int64)
    contracts: list[PublishedContract] = []
    places: dict[tuple[int, int], int] = {}
    for model, environment, rows in _rows_by_model(batch, set(history.models())):
        starts = np.array(history.boundaries(model, environment), dtype=np.int64)
        era = np.searchsorted(starts, appended_at[rows], side="right")
        for number in np.unique(era[era > 0]).tolist():
            one = history.applying(model, environment, int(starts[number - 1]))
            assert one is not None
            place = places.setdefault((one.partition, one.offset), len(contracts))
            if place == len(contracts):
                contracts.append(one)
            chosen[rows[era == number]] = place
    return chosen, tuple(contracts)


def _rows_by_model(batch: pa.RecordBatch, known: set[str]) -> list[tuple[str, str, Ints]]:
    """(model, environment, rows) of the models that have contracts."""
    if not known or not batch.num_rows:
        return []
    model_column, environment_column = batch.column("model"), batch.column("environment")
    if is_constant(model_column) and is_constant(environment_column):
        model, environment = model_column[0].as_py(), environment_column[0].as_py()
        return [(model, environment, np.arange(batch.num_rows))] if model in known else []
    models, environments = model_column.dictionary_encode(), environment_column.dictionary_encode()
    names, places = models.dictionary.to_pylist(), environments.dictionary.to_pylist()
    joint = models.indices.to_numpy().astype(np.int64) * len(places) + environments.indices.to_numpy()
    order = np.argsort(joint, kind="stable")
    codes, starts = np.unique(joint[order], return_index=True)
    return [
        (names[code // len(places)], places[code % len(places)], rows)
        for code, rows in zip(codes.tolist(), np.split(order, starts[1:]), strict=True)
        if names[code // len(places)] in known
    ]


def _broken(
    batch: pa.RecordBatch, contract: Ints, contracts: tuple[PublishedContract, ...]
) -> tuple[tuple[tuple[str, Ints], ...], Mask]:
    """(what is broken, rows) over all contracts, and the rows that are rejected for it."""
    broken: list[tuple[str, Ints]] = []
    rejected = np.zeros(batch.num_rows, dtype=np.bool_)
    rate = batch.column("sampling_rate").to_numpy()
    # a rate is part of what sketches are kept by, and 1/rate is a weight: any other number cannot be kept, whatever the contract
    no_rate = np.flatnonzero(~((rate > 0) & (rate <= 1)))
    if no_rate.size:
        broken.append(("sampling_rate is not in (0, 1]", no_rate))
        rejected[no_rate] = True
    long = _long_names(batch)
    if long.any():
        broken.append((f"a name is longer than {MAX_NAME_BYTES:,} bytes", np.flatnonzero(long)))
        rejected |= long
    wide = (
        widths(batch.column("numeric_features")) + widths(batch.column("categorical_features")) > MAX_FEATURES
    )
    if wide.any():
        broken.append((TOO_MANY_FEATURES, np.flatnonzero(wide)))
    broken += violations(batch, [one.contract for one in contracts], contract)
    # -1 (no contract) takes the last entry
    strict = np.array([one.contract.on_violation == "reject" for one in contracts] + [False])
    for _, rows in broken:
        rejected[rows] |= strict[contract[rows]]
    return tuple(broken), rejected
