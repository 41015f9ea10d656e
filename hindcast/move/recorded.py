"""Whether the model and environment that an export is asked for are in the record at all."""

from __future__ import annotations

from hindcast.move.tables import TABLES, Selection
from producers.errors import ConfigError
from stream_processors.clickhouse import Store

# labels and contracts may be of every environment, a dead letter of no model
_WITHOUT_MODEL, _WITHOUT_ENVIRONMENT = {"stretches"}, {"dead_letters"}
_KNOWN = " UNION DISTINCT ".join(
    "SELECT toString(ifNull(`model`, '')) AS model, {} AS environment FROM `{}`".format(
        "''" if table.name in _WITHOUT_ENVIRONMENT else "toString(ifNull(`environment`, ''))", table.name
    )
    for table in TABLES
    if table.name not in _WITHOUT_MODEL
)
_NAMED, _LETTERS = 12, 60


def refuse_unrecorded(store: Store, selection: Selection) -> None:
    """Return where the record has rows of the model and environment asked for, in whatever range.

    Raises:
        ConfigError: it has none; the message names what there is.
    """
    if not selection.model and not selection.environment:
        return
    known = {(str(row["model"]), str(row["environment"])) for row in store.rows(_KNOWN)}
    models = {model for model, _ in known}
    if selection.model and selection.model not in models:
        raise ConfigError(f"no model {selection.model} is recorded: {_named(models)}")
    there = {where for model, where in known if selection.model in ("", model)}
    if selection.environment and selection.environment not in there:
        whose = f" of model {selection.model}" if selection.model else ""
        raise ConfigError(f"no environment {selection.environment}{whose} is recorded: {_named(there)}")


def _named(found: set[str]) -> str:
    """Those that there are, some of many, the beginnings of long ones."""
    names = [name[:_LETTERS] for name in sorted(found - {""})]
    if not names:
        return "there are none"
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"there are {', '.join(names[:_NAMED])}{more}"
