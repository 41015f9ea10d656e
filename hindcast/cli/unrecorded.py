"""Why an answer has no rows, where what was asked for is not recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from evaluation.history import History
from evaluation.queries import NamedQuery

_VERSIONS = ("model_version", "champion", "challenger")
_ENVIRONMENTS = "SELECT DISTINCT environment FROM predictions WHERE model = {model:String}"
_OF_MODEL = "model = {model:String} AND environment = {environment:String}"
_VERSION = f"SELECT 1 FROM predictions WHERE {_OF_MODEL} AND model_version = {{version:String}} LIMIT 1"
# the roll-ups of base windows that have expired stay
_COLUMN = " UNION ALL ".join(
    f"(SELECT 1 FROM {table} WHERE {_OF_MODEL} AND column = {{column:String}} LIMIT 1)"
    for table in ("sketches", "rollups")
)


def what_lacks(
    history: History, asked: NamedQuery, parameters: Mapping[str, object], now: datetime
) -> str | None:
    """Why an answer has no rows, where no moment is in the period asked for, or its model, environment, version or column is not recorded; else None."""
    bound = asked.bind(parameters, now)
    since, until = bound.get("since"), bound.get("until")
    if since and until and since >= until:
        return f"no moment is from since={since} to before until={until}"
    model, environment = bound.get("model"), bound.get("environment")
    if not model:
        return None
    recorded = sorted(history.sql(_ENVIRONMENTS, {"model": model}).column(0).to_pylist())
    if not recorded:
        return f"no prediction of model {model} is recorded"
    if environment and environment not in recorded:
        return f"model {model} is recorded in {', '.join(recorded)}, not in {environment}"
    return _part_lacks(history, model, bound) if environment else None


def _part_lacks(history: History, model: str, bound: Mapping[str, str]) -> str | None:
    """The version or column, of a model in an environment that is recorded."""
    within = {"model": model, "environment": bound["environment"]}
    for version in (bound[name] for name in _VERSIONS if bound.get(name)):
        if not history.sql(_VERSION, {**within, "version": version}).num_rows:
            return (
                f"no prediction of version {version} of model {model} is recorded in {bound['environment']}"
            )
    column = bound.get("column")
    if column and not history.sql(_COLUMN, {**within, "column": column}).num_rows:
        return f"no sketch of column {column} of model {model} is recorded in {bound['environment']}"
    return None
