"""The report's pictures, as SVG text. Colours are told apart by the colour-blind (Okabe and Ito 2008)."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from evaluation.intervals import Estimate
from hindcast.demo.report.figures import DriftCell, Duel, LabelLag, MonthQuality

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
COLOURS = {"1": BLUE, "2": ORANGE}


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # no date and salted ids: equal figures give equal bytes
    with rc_context({"svg.hashsalt": "hindcast", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches="tight")
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


def _axes(width: float = 9.0, height: float = 3.2) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    return figure, axes


def drift_map(cells: Sequence[DriftCell]) -> str:
    """Features down, months across; colour and number are PSI beyond chance."""
    months = sorted({cell.month for cell in cells})
    features = sorted({cell.feature for cell in cells}, key=lambda name: -_strongest(cells, name))
    values = np.full((len(features), len(months)), np.nan)
    for cell in cells:
        if cell.psi_excess is not None:
            # below chance is no drift: shown as nothing
            values[features.index(cell.feature), months.index(cell.month)] = max(cell.psi_excess, 0.0)
    figure = Figure(figsize=(9, 0.34 * len(features) + 1), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(values, aspect="auto", cmap="YlOrRd", vmin=0, vmax=1)
    for row, column in np.argwhere(~np.isnan(values)):
        shade = "white" if values[row, column] > 0.6 else "black"
        axes.text(
            column, row, f"{values[row, column]:.2f}", ha="center", va="center", fontsize=7, color=shade
        )
    axes.set_xticks(range(len(months)), months, fontsize=8)
    axes.set_yticks(range(len(features)), features, fontsize=8)
    figure.colorbar(picture, ax=axes, label="PSI beyond chance", shrink=0.8)
    return _svg(figure)


def _strongest(cells: Sequence[DriftCell], feature: str) -> float:
    return max((cell.psi_excess or 0.0 for cell in cells if cell.feature == feature), default=0.0)


def quality_lines(
    rows: Sequence[MonthQuality], figure_of: Callable[[MonthQuality], Estimate], label: str
) -> str:
    """One line per version and role over the months, with its interval."""
    figure, axes = _axes()
    months = sorted({row.month for row in rows})
    for version, served in sorted({(row.version, row.served) for row in rows}):
        line = sorted(
            (row for row in rows if (row.version, row.served) == (version, served)), key=lambda row: row.month
        )
        places = [months.index(row.month) for row in line]
        found = [figure_of(row) for row in line]
        middle = np.array([one.value for one in found])
        spread = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
        style = {
            "color": COLOURS.get(version, GREEN),
            "linestyle": "-" if served else "--",
            "marker": "o" if served else "s",
        }
        role = "served" if served else "shadow"
        axes.errorbar(
            places,
            middle,
            yerr=np.nan_to_num(spread),
            capsize=3,
            label=f"version {version} ({role})",
            **style,
        )
    axes.set_xticks(range(len(months)), months, fontsize=8)
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def duel_bars(duels: Sequence[Duel]) -> str:
    """The paired difference per month with its interval; above zero the challenger is better."""
    figure, axes = _axes(height=2.4)
    middle = np.array([duel.difference.value for duel in duels])
    spread = np.array(
        [[d.difference.value - d.difference.low, d.difference.high - d.difference.value] for d in duels]
    ).T
    axes.axhline(0, color=GREY, linewidth=1)
    axes.errorbar(
        range(len(duels)),
        middle,
        yerr=np.nan_to_num(spread) if len(duels) else None,
        fmt="o",
        color=ORANGE,
        capsize=4,
    )
    axes.set_xticks(range(len(duels)), [duel.month for duel in duels])
    axes.set_xlim(-0.7, max(len(duels) - 0.3, 0.7))
    axes.set_ylabel("AUC difference")
    return _svg(figure)


def lag_bars(lags: Sequence[LabelLag]) -> str:
    """Hours until half and nine tenths of a month's predictions were labelled, on a logarithmic axis."""
    figure, axes = _axes(height=2.6)
    places = np.arange(len(lags))
    for shift, name, colour in ((-0.2, "p50_h", BLUE), (0.2, "p90_h", ORANGE)):
        values = [getattr(lag, name) or np.nan for lag in lags]
        axes.bar(places + shift, values, 0.4, color=colour, label=f"{name[1:3]} % labelled")
    axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.set_xticks(places, [lag.month for lag in lags], fontsize=8)
    axes.set_ylabel("hours after the prediction")
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)
