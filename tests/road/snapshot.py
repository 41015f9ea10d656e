"""What a run left in ClickHouse, in a form in which two runs can be compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from stream_processors.clickhouse import Store

# Positions, clocks and producers differ between two runs of the same story; everything else must not.
_LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "predictions": ("producer_id", "sequence"),
    "labels": ("producer_id", "sequence"),
    "outcomes": ("label_topic_id", "label_partition", "label_offset", "label_appended_at"),
    "feature_windows": (),
    "drift_v": ("revision", "judged_at"),
    "quality_v": ("revision",),
    "alerts_v": ("revision", "raised_at"),
    "deployments": (),
}
_FACTS = ("predictions", "labels", "outcomes", "deployments")
_DEAD_LETTERS = "SELECT reason, hex(ifNull(value, '')) AS value, count() AS messages FROM dead_letters FINAL GROUP BY reason, value"


def snapshot(store: Store) -> dict[str, pd.DataFrame]:
    """Every table and view as a frame with sorted columns and rows."""
    found = {}
    for name, left_out in _LEFT_OUT.items():
        final = " FINAL" if name in _FACTS else ""
        table = store.arrow(f"SELECT * FROM {name}{final}")
        kept = sorted(c for c in table.column_names if not c.startswith("_") and c not in left_out)
        found[name] = _sorted(table.select(kept).to_pandas())
    found["feature_windows"] = _before_subtraction(found["feature_windows"])
    found["dead_letters"] = _sorted(store.arrow(_DEAD_LETTERS).to_pandas())
    return found


def _before_subtraction(windows: pd.DataFrame) -> pd.DataFrame:
    """The mean square in the place of the deviation: sums agree, and where the mean is large a difference of them agrees less."""
    return windows.assign(mean_square=windows["deviation"] ** 2 + windows["mean"] ** 2).drop(
        columns="deviation"
    )


# what a row is about comes first, so that a figure that differs does not shift the rows after it
_ABOUT = (
    "model", "environment", "model_version", "served", "output", "prediction_id", "event_time", "label_id", "reference",
    "metric", "column", "slice", "window_start", "window_end", "started_at", "role", "valid_from", "shape", "reason",
)  # fmt: skip


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    plain = frame.map(_plain)
    about = [c for c in _ABOUT if c in plain.columns]
    keys = about + [
        c
        for c in plain.columns
        if c not in about
        and plain[c].map(lambda value: isinstance(value, str | bool | pd.Timestamp | int)).all()
    ]
    return plain.sort_values(keys or list(plain.columns), ignore_index=True)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return tuple(_plain(item) for item in value)
    if isinstance(value, list):
        # an Arrow map is a list of pairs, whose order is not said
        items = [_plain(item) for item in value]
        pairs = all(isinstance(item, tuple) and len(item) == 2 for item in items)
        return tuple(sorted(items, key=str) if pairs else items)
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, dict):
        return tuple(sorted((key, _plain(item)) for key, item in value.items()))
    return value


def differences(
    one: Mapping[str, pd.DataFrame], other: Mapping[str, pd.DataFrame], *, tolerance: float = 1e-9
) -> list[str]:
    """What differs between two snapshots, a line each; floats may differ by ``tolerance``, relative or absolute."""
    said = []
    for name, first in one.items():
        second = other[name]
        if len(first) != len(second):
            said.append(f"{name}: {len(first)} rows against {len(second)}")
            continue
        for column in first.columns:
            unequal = [
                row
                for row, (a, b) in enumerate(zip(first[column], second[column], strict=True))
                if not _alike(a, b, tolerance)
            ]
            if unequal:
                row = unequal[0]
                said.append(
                    f"{name}.{column}: {len(unequal)} rows, such as {first[column][row]!r} against {second[column][row]!r}"
                )
    return said


def _alike(a: object, b: object, tolerance: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b) or abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))  # noqa: PLR0124 - nan
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_alike(x, y, tolerance) for x, y in zip(a, b, strict=True))
    return bool(a == b) or (a is pd.NaT and b is pd.NaT) or (a is None and b is None)
