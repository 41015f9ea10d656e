"""A first contract from training data, and the reference sketches of these data. Pure.

    contract, sketches = infer(table, model="churn", time_column="scored_at", slice_by=[("plan",)])

The sketches are made by the profiler's own code, so a reference and a stream of the same rows are bin for bin the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from producers.at_source.columns import bucketed_column
from producers.codec import decode
from producers.columns import is_inexact, refuse_repeated
from producers.errors import ConfigError
from stream_processors.contracts.model import Contract
from stream_processors.contracts.training_data import (
    FeatureData,
    Roles,
    TableColumns,
    TrainingData,
)
from stream_processors.contracts.values import seconds
from stream_processors.profiler.counting import Counting
from stream_processors.profiler.sketch_batch import Stretch, encoded, sketch_batch
from stream_processors.sketches import (
    MAX_NAME_LENGTH,
    MAX_NAMES,
    MAX_PRECISION,
    CategoricalSketch,
    histogram_bins,
    sketch_of,
)
from stream_processors.windows import DAY, SECOND

Floats = npt.NDArray[np.float64]
Records = list[dict[str, Any]]

LISTED = 100
_FEW_VALUES = 256
_LARGEST_SHARE = 1 / 64
_CLASSES = 100
_ROLLUPS = ("1h", "1d")


def infer(
    table: pa.Table,
    *,
    model: str,
    environment: str | None = None,
    time_column: str | None = None,
    score_column: str | None = None,
    decision_column: str | None = None,
    exclude: Collection[str] = (),
    slice_by: Sequence[Sequence[str]] = (),
    base: int | str = 60,
) -> tuple[Contract, Records]:
    """A contract that fits the table, for a person to edit, and its baseline (see `baseline`).

    Features are all columns but those named here: numbers are numeric, text and booleans categorical, other types are left out. So are
    integers beyond 2^53, which a logger refuses as numbers, and an index of pandas without a name. A column without nulls is required. Categories are listed (the 100 most
    frequent) only where there are more than 1,000; of a near-unique column, such as identifiers, free text or addresses of people, no value
    may stand in a contract or a baseline, so its list is empty.

    Of two classes the positive one is that whose rows have the higher mean score; where that cannot be told the contract names none
    (see `problems.lacks_positive_class`).

    Args:
        table: training data, a row per prediction.
        model: name of the model.
        environment: None: all.
        time_column: when each prediction was or would have been made; a time without zone is UTC. None: no times, one window.
        score_column: the model's number.
        decision_column: what was decided.
        exclude: columns to leave out: labels, identifiers.
        slice_by: names, or pairs of names, of categorical columns to slice by; the 100 most frequent values get a slice each.
        base: base window, seconds or like ``1d``.

    Raises:
        ConfigError: a column that is not there or of the wrong type; two columns of one name; more than 1,000 features; slices by more
            than a pair; a base window that does not divide a day.
    """
    inexact = {name for name, one in zip(table.column_names, table.columns, strict=True) if is_inexact(one)}
    roles = Roles(time_column, score_column, decision_column, exclude)
    data = TrainingData(table, replace(roles, exclude={*exclude, *inexact}))
    return infer_from(
        data, table.column_names, model=model, environment=environment, slice_by=slice_by, base=base
    )


def infer_from(
    data: FeatureData,
    names: Sequence[str],
    *,
    model: str,
    environment: str | None = None,
    slice_by: Sequence[Sequence[str]] = (),
    base: int | str = 60,
) -> tuple[Contract, Records]:
    """`infer` from columns that are events already, such as recorded ones; ``names`` are those of features, in order.

    Raises:
        ConfigError: a slice by what is no categorical column; a base window that does not divide a day.
    """
    base_seconds = seconds(base)
    contract = _valid(
        {
            "model": model,
            "environment": environment,
            "prediction": _prediction(data),
            "features": _features(data, names),
            "slices": [{"by": list(names), "values": _slice_values(data, names)} for names in slice_by],
            "windows": {"base": base_seconds, "rollups": [r for r in _ROLLUPS if seconds(r) > base_seconds]},
        }
    )
    return contract, _baseline(contract, data)


def baseline(
    contract: Contract,
    table: pa.Table,
    *,
    time_column: str | None = None,
    score_column: str | None = None,
    decision_column: str | None = None,
) -> Records:
    """Reference sketches of the table under a contract: one per slice and day of UTC, as records of sketch.v1 of kind ``reference``.

    A day is the least that is judged against training data; of minutes there would be hundreds of thousands, with too few rows in each.
    Made again whenever the contract's shape (features, precisions, lists, protection, slices, base window) was edited. Columns that the
    contract does not name, drops or hashes are left out: a reference is published, and holds values. Numbers are in the contract's
    buckets. Without a time column there is one window, from 1970-01-01.

    Raises:
        ConfigError: a feature or slice of the contract that the table does not have, or that cannot be of its kind; two columns of one
            name; integers that change as doubles, which a logger refuses.
    """
    refuse_repeated(table.column_names)
    roles = [name for name in (time_column, score_column, decision_column) if name]
    visible = {name: feature for name, feature in contract.features.items() if not feature.hidden}
    wanted = {*visible, *(name for one in contract.slices for name in one.by), *roles}
    missing = sorted(wanted - set(table.column_names))
    if missing:
        raise ConfigError(f"the data have no column {missing[0]}, which the contract names")
    segments = _segments(contract)
    data = TrainingData(
        table.select([name for name in table.column_names if name in wanted]),
        Roles(time_column, score_column, decision_column),
        kinds={
            **dict.fromkeys(segments, "categorical"),
            **{name: one.kind for name, one in visible.items()},
        },
    )
    for name in sorted(segments - data.categorical.keys()):
        raise ConfigError(f"no slices by {name}: it is not a categorical column of the data")
    for name, feature in visible.items():
        found = data.numeric if feature.kind == "numeric" else data.categorical
        if name not in found:
            raise ConfigError(
                f"column {name} is of type {table.column(name).type}, the contract says {feature.kind}"
            )
    return _baseline(contract, data)


def baseline_from(contract: Contract, data: FeatureData) -> Records:
    """`baseline` from columns that are events already, such as recorded ones. A feature that none of them carries is absent throughout.

    Raises:
        ConfigError: a feature that came as the other kind.
    """
    for name, feature in contract.features.items():
        other = ("categorical", data.categorical) if feature.kind == "numeric" else ("numeric", data.numeric)
        if not feature.hidden and name in other[1]:
            raise ConfigError(f"feature {name} came as {other[0]}, the contract says {feature.kind}")
    return _baseline(contract, data)


def _valid(fields: dict[str, Any]) -> Contract:
    try:
        return Contract.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in first["loc"][:1])
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"no contract fits: {place}{reason}") from None


def _baseline(contract: Contract, data: FeatureData) -> Records:
    n = data.rows
    events = pa.record_batch(
        {
            "model": pa.repeat(contract.model, n),
            "model_version": pa.repeat("", n),
            "environment": pa.repeat(contract.environment or "production", n),
            "served": pa.repeat(True, n),  # noqa: FBT003 - a column of it
            "event_time": pa.array(data.event_time).view(pa.timestamp("us")),
            "sampling_rate": data.sampling_rate,
            "status": pa.repeat("ok", n),
            "score": data.score,
            "decision": data.decision,
            "latency_ms": pa.nulls(n, pa.float64()),
        }
    )
    features = {name: feature for name, feature in contract.features.items() if not feature.hidden}
    segments = _segments(contract)
    numeric = {name: column for name, column in data.numeric.items() if name in features}
    for name, column in numeric.items():
        if (bucket := features[name].bucket) is not None:
            numeric[name] = bucketed_column(column, bucket)
    maps = {
        "numeric_features": TableColumns(numeric),
        "categorical_features": TableColumns({k: v for k, v in data.categorical.items() if k in features}),
        "segments": TableColumns({k: v for k, v in data.categorical.items() if k in segments}),
        "probabilities": TableColumns({}),
    }
    counting = Counting()
    nowhere, fine = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    days = contract.windows.model_copy(update={"base": DAY // SECOND})
    counted = contract.model_copy(update={"features": features, "windows": days})
    counting.count_rows(events, maps, nowhere, fine, counted, contract.shape())
    batch = sketch_batch(counting.drain(), "reference", "", {-1: Stretch(0, 0)})
    records = [decode(message)[1] for message in encoded(batch)]
    return sorted(records, key=lambda one: (one["window_start"], one["slice"], one["part"]))


def _segments(contract: Contract) -> set[str]:
    """Names that the contract slices by and that are no features."""
    return {name for one in contract.slices for name in one.by} - set(contract.features)


def _features(data: FeatureData, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    features: dict[str, dict[str, Any]] = {}
    for name in names:
        if name in data.numeric:
            values = data.numeric[name]
            features[name] = {"kind": "numeric", "precision": precision_of(values.drop_null().to_numpy())}
        elif name in data.categorical:
            values = data.categorical[name]
            features[name] = {"kind": "categorical", "values": _listed(values)}
        else:
            continue
        features[name]["required"] = not values.null_count
    return features


def precision_of(values: Floats) -> int:
    """The smallest precision at which no bin between the 1st and 99th percentile holds more than 1/64 of the finite values.

    A bin of one repeated value does not count, however heavy. Columns of at most 256 distinct values get 20: in effect exact.
    """
    finite = values[np.isfinite(values)]
    distinct, counts = np.unique(finite, return_counts=True)
    if distinct.size <= _FEW_VALUES:
        return MAX_PRECISION
    low, high = np.quantile(finite, [0.01, 0.99])
    for precision in range(MAX_PRECISION):
        bins = histogram_bins(distinct, precision)
        first = np.flatnonzero(np.concatenate(([True], bins[1:] != bins[:-1])))
        share = np.add.reduceat(counts, first) / finite.size
        several = np.diff(np.append(first, distinct.size)) > 1
        edges = histogram_bins(np.array([low, high]), precision)
        inside = (bins[first] >= edges[0]) & (bins[first] <= edges[1])
        if not (inside & several & (share > _LARGEST_SHARE)).any():
            return precision
    return MAX_PRECISION


def _frequent(values: pa.Array) -> list[str]:
    """Distinct values of at most 64 characters, the most frequent first."""
    counted = pc.value_counts(values.drop_null()).to_pylist()
    counted.sort(key=lambda one: (-one["counts"], one["values"]))
    return [one["values"] for one in counted if len(one["values"]) <= MAX_NAME_LENGTH]


def _listed(values: pa.Array) -> list[str] | None:
    sketch = sketch_of(values)
    if isinstance(sketch, CategoricalSketch) and sketch.near_unique:
        return []
    if pc.count_distinct(values.drop_null()).as_py() <= MAX_NAMES:
        return None
    return sorted(_frequent(values)[:LISTED])


def _slice_values(data: FeatureData, names: Sequence[str]) -> list[list[str]]:
    columns = []
    for name in names:
        if name not in data.categorical:
            raise ConfigError(f"no slices by {name}: it is not a categorical column of the data")
        columns.append(data.categorical[name])
    table = pa.table(columns, names=[str(i) for i in range(len(columns))]).drop_null()
    counted = table.group_by(table.column_names).aggregate([([], "count_all")]).to_pylist()
    rows = sorted((-one["count_all"], [one[str(i)] for i in range(len(columns))]) for one in counted)
    return sorted(values for _, values in rows[:LISTED])


def _prediction(data: FeatureData) -> dict[str, Any]:
    scores = data.score.drop_null().to_numpy()
    finite = scores[np.isfinite(scores)]
    classes = sorted(_frequent(data.decision))
    if classes and len(classes) <= _CLASSES:
        if len(classes) > 2:
            return {"kind": "multiclass", "classes": classes}
        return {"kind": "binary", "classes": classes, "positive_class": _positive_class(data, classes)}
    if not finite.size or (finite.min() >= 0 and finite.max() <= 1):
        return {}
    return {"kind": "regression", "score_precision": precision_of(scores)}


def _positive_class(data: FeatureData, classes: Sequence[str]) -> str | None:
    """Of two classes the one whose rows have the higher mean of finite scores; None where that is not one."""
    scores = np.asarray(data.score.to_numpy(zero_copy_only=False), dtype=np.float64)
    means = {}
    for name in classes:
        decided = pc.fill_null(pc.equal(data.decision, name), False).to_numpy(zero_copy_only=False)  # noqa: FBT003
        finite = scores[decided & np.isfinite(scores)]
        if finite.size:
            means[name] = float(finite.mean())
    if len(means) < 2 or len(set(means.values())) < 2:
        return None
    return max(means, key=means.__getitem__)
