"""What a profiler has counted since its last flush: admitted events into sketches per key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.admission import Admission
from stream_processors.contracts.model import Contract
from stream_processors.map_columns import KeyedColumns, MapColumns
from stream_processors.profiler.codes import Codes, codes_of_numbers, codes_of_strings, same
from stream_processors.profiler.columns import add_columns
from stream_processors.profiler.slicing import Slicing
from stream_processors.profiler.treatments import Treatments
from stream_processors.sketches import WHOLE, Accumulator, ColumnRows, Grouping
from stream_processors.sketches.column_names import column_name
from stream_processors.windows import SECOND, Width, window_start

Ints = npt.NDArray[np.int64]

_SERIES_BINS = 8

_MAPS = ("numeric_features", "categorical_features", "probabilities", "segments")


class SketchKey(NamedTuple):
    """What one sketch counts; times in microseconds since the epoch."""

    source_partition: int
    model: str
    model_version: str
    environment: str
    served: bool
    sampling_rate: float
    shape: str
    slice: str
    window_start: int
    window_end: int


@dataclass(slots=True)
class EventFacts:
    """Beside the columns: errors (status not ok), warnings, first and last event time in microseconds."""

    errors: int
    warnings: int
    min_event_time: int
    max_event_time: int

    def add(self, other: EventFacts) -> None:
        """Take in the facts of more events."""
        self.errors += other.errors
        self.warnings += other.warnings
        self.min_event_time = min(self.min_event_time, other.min_event_time)
        self.max_event_time = max(self.max_event_time, other.max_event_time)


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What was counted: arrays with an entry per key (times in microseconds), and rows of columns whose keys are positions in ``keys``."""

    keys: list[SketchKey]
    events: Ints
    errors: Ints
    warnings: Ints
    min_event_time: Ints
    max_event_time: Ints
    numeric: ColumnRows
    categorical: ColumnRows


class Counting:
    """Sketches of everything counted until drained; a value of the pure core, without a notion of where events come from."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._accumulator = Accumulator()
        self._facts: dict[SketchKey, EventFacts] = {}
        self._contracts: dict[str, Contract] = {}
        self._slicings: dict[str, list[Slicing]] = {}
        self.events = 0

    @property
    def held(self) -> int:
        """Memory that is held, in bins: a column of a key is worth eight beside its own, with what flushing it takes."""
        accumulator = self._accumulator
        return accumulator.entries + _SERIES_BINS * accumulator.series + accumulator.keys

    @property
    def series(self) -> int:
        """Columns of keys held."""
        return self._accumulator.series

    def count(self, events: pa.RecordBatch, partitions: Ints, admission: Admission) -> None:
        """Count the admitted rows of a decoded batch of predictions; ``partitions`` says where each was read.

        Rows are counted together whatever their contracts; but for contracts with slices, which are those of one contract's columns.
        """
        admitted, contracts = admission.admitted, admission.contract
        sliced = [place for place, one in enumerate(admission.contracts) if one.contract.slices]
        if admitted.all() and (not sliced or (contracts == contracts[:1]).all()):
            self._count_rows(events, partitions, admission, None)
            return
        apart = admitted & np.isin(contracts, sliced)
        self._count_rows(events, partitions, admission, np.flatnonzero(admitted & ~apart))
        for place in np.unique(contracts[apart]).tolist():
            self._count_rows(events, partitions, admission, np.flatnonzero(apart & (contracts == place)))

    def _count_rows(
        self, events: pa.RecordBatch, partitions: Ints, admission: Admission, rows: Ints | None
    ) -> None:
        """Count rows together (None: all rows of the batch)."""
        warned, contracts = admission.warned, admission.contract
        if rows is not None:
            if not rows.size:
                return
            events, partitions = events.take(pa.array(rows)), partitions[rows]
            warned, contracts = warned[rows], contracts[rows]
        if events.num_rows:
            # no contract, -1, comes first
            found, places = np.unique(np.append(contracts, -1), return_inverse=True)
            applying = [admission.contracts[place] for place in found[1:].tolist()]
            treatments = Treatments(
                [(one.contract, one.shape) for one in applying], (places[:-1] - 1) % found.size
            )
            maps = {name: MapColumns(events.column(name)) for name in _MAPS}
            self._count(events, maps, partitions, warned, treatments)

    def count_rows(
        self,
        events: pa.RecordBatch,
        maps: Mapping[str, KeyedColumns],
        partitions: Ints,
        warned: npt.NDArray[np.bool_],
        contract: Contract,
        shape: str,
    ) -> None:
        """Count events that were all admitted under one contract of this shape.

        Args:
            events: columns of prediction.v1 that are not maps.
            maps: ``numeric_features``, ``categorical_features``, ``probabilities`` and ``segments`` by key.
            partitions: the source partition of each.
            warned: which broke the contract.
            contract: what they were admitted under.
            shape: digest of the contract's shape.
        """
        treatments = Treatments([(contract, shape)], np.zeros(events.num_rows, dtype=np.int64))
        self._count(events, maps, partitions, warned, treatments)

    def _count(
        self,
        events: pa.RecordBatch,
        maps: Mapping[str, KeyedColumns],
        partitions: Ints,
        warned: npt.NDArray[np.bool_],
        treatments: Treatments,
    ) -> None:
        for contract, shape in treatments.contracts:
            if shape not in self._contracts:
                self._contracts[shape] = contract
                self._slicings[shape] = [Slicing(one) for one in contract.slices]
        rows_of = _Rows(events, partitions, treatments)
        groupings = [rows_of.grouping(rows_of.groups, None)]
        # there is one where there are slices
        for slicing in self._slicings.get(treatments.contracts[0][1], ()) if treatments.contracts else ():
            places = slicing.of_rows(maps["categorical_features"], maps["segments"], events.num_rows)
            sliced = rows_of.groups.joined(places, len(slicing.names))
            groupings.append(rows_of.grouping(sliced, [slicing.names[i] for i in places[sliced.first_rows]]))
        counting = self._accumulator.begin([grouping for grouping, _ in groupings], sparse=True)
        add_columns(counting, events, maps, treatments)
        for grouping, groups in groupings:
            self._add_facts(grouping, groups, rows_of, warned)
        self.events += events.num_rows

    def _add_facts(
        self, grouping: Grouping, groups: Codes, rows_of: _Rows, warned: npt.NDArray[np.bool_]
    ) -> None:
        n = groups.count
        errors = np.bincount(groups.codes, weights=rows_of.failed, minlength=n).astype(np.int64)
        warnings = np.bincount(groups.codes, weights=warned, minlength=n).astype(np.int64)
        earliest = np.full(n, np.iinfo(np.int64).max)
        latest = np.full(n, np.iinfo(np.int64).min)
        np.minimum.at(earliest, groups.codes, rows_of.event_time)
        np.maximum.at(latest, groups.codes, rows_of.event_time)
        for key, *facts in zip(
            grouping.keys, *(a.tolist() for a in (errors, warnings, earliest, latest)), strict=True
        ):
            assert isinstance(key, SketchKey)
            found = EventFacts(*facts)
            if key in self._facts:
                self._facts[key].add(found)
            else:
                self._facts[key] = found

    def drain(self) -> Counted:
        """Give everything counted, and start again from nothing.

        A delta has every feature of its contract, absent throughout if never seen, and every other column that at least one of its
        events carried: so what it holds does not depend on what else came in the same batch. Merging deltas, ``absent`` of a column is
        the events of all of them less what is counted, because a delta that never saw a column has no row for it.
        """
        self._promise()
        drained = self._accumulator.drain_rows()
        keys = cast("list[SketchKey]", drained.keys)
        facts = np.array([astuple(self._facts[key]) for key in keys], dtype=np.int64).reshape(-1, 4)
        self._clear()
        return Counted(
            keys,
            drained.events,
            facts[:, 0],
            facts[:, 1],
            facts[:, 2],
            facts[:, 3],
            drained.numeric,
            drained.categorical,
        )

    def _promise(self) -> None:
        """Give each key the features of its contract."""
        of_shape: dict[str, list[SketchKey]] = {}
        for key in self._facts:
            of_shape.setdefault(key.shape, []).append(key)
        for shape, contract in self._contracts.items():
            promise = self._accumulator.promise(of_shape.get(shape, ()))
            for name, feature in contract.sent_features.items():
                if feature.kind == "numeric":
                    promise.numeric(column_name(name), feature.precision)
                else:
                    promise.categorical(column_name(name), feature.values)


class _Rows:
    """Rows told apart by everything that a key holds but the slice."""

    def __init__(self, events: pa.RecordBatch, partitions: Ints, treatments: Treatments) -> None:
        self._events, self._partitions, self._treatments = events, partitions, treatments
        self.event_time: Ints = events.column("event_time").view(pa.int64()).to_numpy()
        self._windows = np.empty(events.num_rows, dtype=np.int64)
        for base in np.unique(treatments.base_of_rows).tolist():
            own = treatments.base_of_rows == base
            self._windows[own] = window_start(self.event_time[own], Width(base * SECOND))
        failed = pc.not_equal(events.column("status"), "ok")
        self.failed = failed.to_numpy(zero_copy_only=False).astype(np.float64)
        self._served = events.column("served").to_numpy(zero_copy_only=False)
        self._rates = events.column("sampling_rate").to_numpy()
        groups = same(events.num_rows)
        for codes, bound in (
            codes_of_strings(events.column("model")),
            codes_of_strings(events.column("model_version")),
            codes_of_strings(events.column("environment")),
            codes_of_numbers(self._served),
            codes_of_numbers(self._rates),
            codes_of_numbers(partitions),
            codes_of_numbers(self._windows),
            codes_of_numbers(treatments.shape_of_rows),
        ):
            if bound > 1:
                groups = groups.joined(codes, bound)
        self.groups = groups

    def grouping(self, groups: Codes, slices: list[str] | None) -> tuple[Grouping, Codes]:
        """The rows in groups, each under its key."""
        keys = [
            self._key(row, WHOLE if slices is None else slices[number])
            for number, row in enumerate(groups.first_rows.tolist())
        ]
        return Grouping(groups.codes, keys), groups

    def _key(self, row: int, name: str) -> SketchKey:
        start = int(self._windows[row])
        return SketchKey(
            int(self._partitions[row]),
            self._events.column("model")[row].as_py(),
            self._events.column("model_version")[row].as_py(),
            self._events.column("environment")[row].as_py(),
            bool(self._served[row]),
            float(self._rates[row]),
            self._treatments.shapes[self._treatments.shape_of_rows[row]],
            name,
            start,
            start + int(self._treatments.base_of_rows[row]) * SECOND,
        )
