"""The report in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.intervals import Estimate
from hindcast.demo.report.figures import Figures

WARN, SEVERE = 0.1, 0.25


def show(figures: Figures, console: Console) -> None:
    """Print every part of the report as a table."""
    for table in (
        _quality(figures),
        _duels(figures),
        _drift(figures),
        _as_known(figures),
        _lags(figures),
        _alerts(figures),
    ):
        console.print(table)
    console.print(_accounting(figures))


def _table(title: str, columns: Iterable[str]) -> Table:
    # narrow enough for 80 columns: what does not fit stands on the page
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", no_wrap=True)
    return table


def _estimate(found: Estimate) -> str:
    if isnan(found.low):
        return f"{found.value:.4f}" + " " * 12
    return f"{found.value:.4f} [dim]{found.low:.3f}-{found.high:.3f}[/dim]"


def _quality(figures: Figures) -> Table:
    columns = ("month", "version", "flights", "coverage", "AUC (95 %)", "log loss", "accuracy")
    table = _table("Quality by version and month; the interval resamples whole days", columns)
    for row in figures.quality:
        version = row.version if row.served else f"{row.version} shadow"
        values = (_estimate(row.auc), f"{row.log_loss.value:.4f}", f"{row.accuracy.value:.4f}")
        table.add_row(row.month, version, f"{row.predictions:,}", f"{row.coverage:.2%}", *values)
    return table


def _duels(figures: Figures) -> Table:
    table = _table(
        "Champion against challenger, same flights",
        ("month", "flights", "AUC", "challenger", "difference (95 %)"),
    )
    for duel in figures.duels:
        gain = f"{duel.difference.value:+.4f} [dim]{duel.difference.low:+.4f} to {duel.difference.high:+.4f}[/dim]"
        table.add_row(
            duel.month, f"{duel.flights:,}", f"{duel.champion_auc:.4f}", f"{duel.challenger_auc:.4f}", gain
        )
    return table


def _drift(figures: Figures) -> Table:
    months = sorted({cell.month for cell in figures.drift})
    table = _table(
        "Drift against January: PSI beyond chance, months 2013",
        ("feature", *(month[5:] for month in months if month < "2014")),
    )
    cells = {(cell.feature, cell.month): cell.psi_excess for cell in figures.drift}
    for feature in sorted({cell.feature for cell in figures.drift}):
        table.add_row(feature, *(_shade(cells.get((feature, month))) for month in months if month < "2014"))
    return table


def _shade(value: float | None) -> str:
    if value is None:
        return ""
    style = "red" if value >= SEVERE else "yellow" if value >= WARN else "dim"
    text = f"{max(value, 0):.2f}" if value < 10 else f"{value:.0f}"
    return f"[{style}]{text}[/{style}]"


def _as_known(figures: Figures) -> Table:
    table = _table(
        f"{figures.as_known_month}, as known at",
        ("moment (UTC)", "predictions", "labelled", "accuracy", "AUC"),
    )
    for row in figures.as_known:
        scores = [f"{value:.4f}" if value is not None else "" for value in (row.accuracy, row.auc)]
        table.add_row(f"{row.at:%Y-%m-%d %H:%M}", f"{row.predictions:,}", f"{row.labelled:,}", *scores)
    return table


def _lags(figures: Figures) -> Table:
    table = _table("Label lag: hours until labelled", ("month", "50 %", "90 %", "95 %", "unlabelled"))
    for row in figures.lags:
        hours = [
            f"{value:.1f}" if value is not None else "never" for value in (row.p50_h, row.p90_h, row.p95_h)
        ]
        table.add_row(row.month, *hours, f"{row.unlabelled:.2%}")
    return table


def _alerts(figures: Figures) -> Table:
    table = _table(
        "Alerts; the page names each", ("column", "slice", "version", "severe", "warn", "first", "last")
    )
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in figures.alerts:
        version = row["model_version"] if row["served"] else f"{row['model_version']} shadow"
        groups.setdefault((row["column"], row["slice"], version), []).append(row)
    for key, rows in sorted(groups.items()):
        severe = sum(row["severity"] == "severe" for row in rows)
        days = [f"{row['started_at']:%Y-%m-%d}" for row in rows]
        table.add_row(*key, str(severe or ""), str(len(rows) - severe or ""), min(days), max(days))
    return table


def _accounting(figures: Figures) -> str:
    lines = []
    for row in figures.accounting:
        parts = [
            f"{row[name]:,} {name.replace('_', ' ')}"
            for name in row
            if name not in {"model", "accepted"} and row[name]
        ]
        lines.append(f"[bold]Accounting[/bold]  {row['accepted']:,} accepted = {' + '.join(parts)}")
    letters = ", ".join(f"{row['messages']} {row['reason']}" for row in figures.dead_letters)
    return "\n".join([*lines, f"[bold]Dead letters[/bold]  {letters or 'none'}"])
