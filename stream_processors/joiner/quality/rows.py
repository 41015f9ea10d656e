"""quality.v1 rows from the counts and sums of windows. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.joiner.micros import SECOND, Ints, timestamps
from stream_processors.joiner.quality.judging import MULTICLASS, UNKNOWN, Judged
from stream_processors.joiner.quality.metrics import (
    Floats,
    as_maps,
    binary_metrics,
    coverage,
    multiclass_metrics,
    regression_metrics,
)
from stream_processors.joiner.quality.query import LAG_SHARES
from stream_processors.joiner.quality.windows import DueWindows, Stored, Window, is_past

_CLASSIFICATION_SUMS = ("n_log_loss", "log_loss", "brier")
_REGRESSION_SUMS = (
    "n_error",
    "error",
    "squared_error",
    "absolute_error",
    "n_relative_error",
    "relative_error",
    "squared_deviation",
)
_AREAS = ("roc_auc", "pr_auc", "ece")


class Counted:
    """The counts of some windows of one model and environment (rows of `count_windows`, under these contracts), as of one revision.

    A window that has a later revision in ``ahead`` is given the next one after that: the last revision counts.
    """

    def __init__(
        self,
        counts: pa.Table,
        contracts: list[Judged],
        model: str,
        environment: str,
        revision: int,
        ahead: Mapping[Window, int],
    ) -> None:
        self._counts, self._model, self._environment, self._revision = counts, model, environment, revision
        self._ahead = ahead
        # the newest contract of each row's predictions; the first is that of predictions without one
        place = counts["place"].to_numpy()
        self._contract = pa.array(["", *(one.digest for one in contracts)]).take(pa.array(place))
        self._kind: Ints = np.array([UNKNOWN, *(one.kind for one in contracts)], dtype=np.int64)[place]
        # the longest of each row's predictions: until then labels are due
        self._horizon_s: Ints = counts["horizon_s"].to_numpy().astype(np.int64)

    def windows(self) -> list[Window]:
        """The window of each row."""
        named = self._counts.select(["model_version", "output", "served", "width_s", "start"]).to_pylist()
        return [Window(model=self._model, environment=self._environment, **row) for row in named]

    def stored(self, due: DueWindows, watermark: int) -> dict[Window, Stored]:
        """What this revision says of each window."""
        found: dict[Window, Stored] = {}
        for window, horizon in zip(self.windows(), self._horizon_s.tolist(), strict=True):
            # the whole stands before its slices
            found.setdefault(
                window,
                Stored(
                    revision=max(self._revision, self._ahead.get(window, 0) + 1),
                    closed=due.is_closed(window, watermark),
                    provisional=not is_past(window, horizon, self._revision),
                    horizon_s=horizon,
                ),
            )
        return found

    def rows(self, stored: dict[Window, Stored]) -> pa.Table:
        """Columns as in quality.v1."""
        counts, n = self._counts, self._counts.num_rows
        flags = [stored[window] for window in self.windows()]
        provisional = np.array([one.provisional for one in flags], dtype=np.bool_)
        start = counts["start"].to_numpy()
        width = counts["width_s"].to_numpy().astype(np.int64) * SECOND
        columns = {name: counts[name] for name in ("model_version", "output", "slice", "served")}
        columns |= {
            "model": pa.array([self._model] * n, pa.string()),
            "environment": pa.array([self._environment] * n, pa.string()),
            "window_start": timestamps(start),
            "window_end": timestamps(start + width),
            "revision": timestamps(np.array([one.revision for one in flags], dtype=np.int64)),
            "closed": pa.array([one.closed for one in flags], pa.bool_()),
            "provisional": pa.array(provisional),
            "coverage": self._coverage(provisional),
            "contract": pc.if_else(pc.equal(self._contract, ""), None, self._contract),
        }
        columns |= {name: counts[name] for name in ("predictions", "due", "labelled", "void")}
        columns |= {name: counts[name] for name in ("confusion", "score_histograms")}
        return pa.table({**columns, **self._figures()})

    def _coverage(self, provisional: npt.NDArray[np.bool_]) -> pa.Array:
        labelled, predictions, void = (self._number(name) for name in ("labelled", "predictions", "void"))
        share = coverage(labelled, predictions, void, provisional)
        return pa.array(share, mask=np.isnan(share))

    def _figures(self) -> dict[str, pa.Array]:
        sums = self._sums()
        n_log_loss = self._number("n_log_loss")
        log_loss, brier = (
            np.divide(
                self._number(name), n_log_loss, out=np.full(n_log_loss.shape, np.nan), where=n_log_loss > 0
            )
            for name in ("log_loss", "brier")
        )
        found = {
            **self._classification(),
            "log_loss": log_loss,
            "brier": brier,
            **{name: self._number(name) for name in _AREAS},
            **regression_metrics({name: self._number(name) for name in _REGRESSION_SUMS}),
        }
        lags = {
            f"{lag}_p{share}": self._number(f"{lag}_p{share}")
            for lag in ("truth", "known")
            for share in LAG_SHARES
        }
        return {"sums": as_maps(sums), "metrics": as_maps(found), "lags": as_maps(lags)}

    def _sums(self) -> dict[str, Floats]:
        """Sums over labelled predictions, and over how many; left out where there are none of a sort."""
        found: dict[str, Floats] = {}
        for names in (_CLASSIFICATION_SUMS, _REGRESSION_SUMS):
            there = self._number(names[0]) > 0
            found |= {name: np.where(there, self._number(name), np.nan) for name in names}
        return found

    def _classification(self) -> dict[str, Floats]:
        counts = [self._number(name) for name in ("tp", "fp", "fn", "tn")]
        figures = binary_metrics(counts[0], counts[1], counts[2], counts[3])
        decided = np.array(
            [sum(cell["count"] for cell in cells) for cells in self._counts["confusion"].to_pylist()],
            dtype=np.float64,
        )
        kind = self._kind
        many = (kind == MULTICLASS) | ((kind == UNKNOWN) & (sum(counts) != decided))
        figures |= {name: np.full(kind.size, np.nan) for name in ("f1_macro", "f1_weighted")}
        for values in figures.values():
            values[many] = np.nan
        for row in np.flatnonzero(many).tolist():
            for name, value in multiclass_metrics(self._counts["confusion"][row].as_py()).items():
                figures[name][row] = value
        return figures

    def _number(self, name: str) -> Floats:
        column = self._counts[name]
        return np.asarray(column.cast(pa.float64()).fill_null(float("nan")).to_numpy(), dtype=np.float64)
