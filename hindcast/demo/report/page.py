"""The report as one self-contained HTML page: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from hindcast.demo.report import plots
from hindcast.demo.report.figures import Figures

_TEMPLATE = Path(__file__).with_name("page.html")


def render(figures: Figures) -> str:
    """The page's text."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    pictures = {
        "auc": plots.quality_lines(figures.quality, lambda row: row.auc, "ROC AUC"),
        "log_loss": plots.quality_lines(figures.quality, lambda row: row.log_loss, "log loss"),
        "duel": plots.duel_bars(figures.duels),
        "drift": plots.drift_map(figures.drift),
        "lag": plots.lag_bars(figures.lags),
    }
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(f=figures, plots=pictures)
