"""The report in the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.intervals import Estimate
from hindcast.demo.report.figures import Figures


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
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right")
    return table


def _estimate(found: Estimate) -> str:
    return f"{found.value:.4f} [dim]{found.low:.3f} to {found.high:.3f}[/dim]"


def _quality(figures: Figures) -> Table:
    columns = ("month", "version", "predictions", "coverage", "AUC", "log loss", "accuracy")
    table = _table("Quality by version and month (95 % intervals over whole days)", columns)
    for row in figures.quality:
        version = row.version if row.served else f"{row.version} (shadow)"
        figures_of = [_estimate(one) for one in (row.auc, row.log_loss, row.accuracy)]
        table.add_row(row.month, version, f"{row.predictions:,}", f"{row.coverage:.2%}", *figures_of)
    return table


def _duels(figures: Figures) -> Table:
    table = _table(
        "Champion against challenger, same flights",
        ("month", "flights", "champion AUC", "challenger AUC", "difference"),
    )
    for duel in figures.duels:
        gain = f"{duel.difference.value:+.4f} [dim]{duel.difference.low:+.4f} to {duel.difference.high:+.4f}[/dim]"
        table.add_row(
            duel.month, f"{duel.flights:,}", f"{duel.champion_auc:.4f}", f"{duel.challenger_auc:.4f}", gain
        )
    return table


def _drift(figures: Figures) -> Table:
    months = sorted({cell.month for cell in figures.drift})
    table = _table("Drift against January: PSI beyond chance", ("feature", *(month[5:] for month in months)))
    cells = {(cell.feature, cell.month): cell.psi_excess for cell in figures.drift}
    for feature in sorted({cell.feature for cell in figures.drift}):
        table.add_row(feature, *(_shade(cells.get((feature, month))) for month in months))
    return table


def _shade(value: float | None) -> str:
    if value is None:
        return ""
    style = "red" if value >= 0.25 else "yellow" if value >= 0.1 else "dim"
    return f"[{style}]{max(value, 0):.2f}[/{style}]"


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
    table = _table("Alerts", ("began", "column", "slice", "version", "severity", "state"))
    for row in figures.alerts:
        version = row["model_version"] if row["served"] else f"{row['model_version']} (shadow)"
        table.add_row(
            f"{row['started_at']:%Y-%m-%d}",
            row["column"],
            row["slice"],
            version,
            row["severity"],
            row["state"],
        )
    return table


def _accounting(figures: Figures) -> Table:
    columns = list(figures.accounting[0]) if figures.accounting else ["nothing recorded"]
    table = _table("Accounting", (name.replace("_", " ") for name in columns))
    for row in figures.accounting:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()))
    return table
