"""Why an answer has no rows, where what was asked for is not recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

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
_SLICES = " UNION DISTINCT ".join(
    f"(SELECT slice FROM {table} WHERE {_OF_MODEL} AND slice != '')" for table in ("sketches", "rollups")
)
# both the attributes and the categorical features of a prediction make segments
_SEGMENTS = f"SELECT DISTINCT arrayJoin(arrayConcat(mapKeys(segments), mapKeys(categorical_features))) FROM predictions WHERE {_OF_MODEL}"
_VALUES = f"""
    SELECT DISTINCT arrayJoin([segments[{{segment:String}}], ifNull(categorical_features[{{segment:String}}], '')]) AS value
    FROM predictions WHERE {_OF_MODEL} AND value != ''
"""
# questions about the positive class
_OF_CLASSES = ("calibration", "roc_auc_by_month")
_TRUTHS = f"""
    SELECT count() AS told, countIf(positive IS NOT NULL) AS classed, countIf(contract != '') AS judged
    FROM outcomes_all_v WHERE {_OF_MODEL} AND label_state = 'labelled'
"""
# questions about verdicts
_OF_VERDICTS = ("drift_by_feature", "most_drifted")
_VERDICTS = f"SELECT count() AS made, countIf(reference = {{reference:String}}) AS compared FROM drift_v WHERE {_OF_MODEL}"
_NAMED = 12


def what_lacks(
    history: History, asked: NamedQuery, parameters: Mapping[str, object], now: datetime
) -> str | None:
    """Why an answer has no rows, where no moment is in the period asked for, or its model, environment or part of it is not recorded; else None."""
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
    if not environment:
        return None
    within = {"model": model, "environment": environment}
    return _part_lacks(history, within, bound) or _kind_lacks(history, asked, within, bound)


def _part_lacks(history: History, within: Mapping[str, str], bound: Mapping[str, str]) -> str | None:
    """The version, column, slice or segment, of a model in an environment that is recorded."""
    where = f"of model {within['model']} is recorded in {within['environment']}"
    for version in (bound[name] for name in _VERSIONS if bound.get(name)):
        if not history.sql(_VERSION, {**within, "version": version}).num_rows:
            return f"no prediction of version {version} {where}"
    column = bound.get("column")
    if column and not history.sql(_COLUMN, {**within, "column": column}).num_rows:
        return f"no sketch of column {column} {where}"
    return _segment_lacks(history, within, bound)


def _segment_lacks(history: History, within: Mapping[str, str], bound: Mapping[str, str]) -> str | None:
    """The slice or segment, with those that there are."""
    where = f"of model {within['model']} is recorded in {within['environment']}"
    wanted = bound.get("slice")
    if wanted:
        return _lacks(f"no slice {wanted} {where}", wanted, history.sql(_SLICES, within))
    segment = bound.get("segment") or bound.get("by")
    if not segment:
        return None
    lacks = _lacks(f"no segment {segment} {where}", segment, history.sql(_SEGMENTS, within))
    value = bound.get("value")
    if lacks or not value:
        return lacks
    values = history.sql(_VALUES, {**within, "segment": segment})
    return _lacks(f"no segment {segment}={value} {where}", value, values)


def _kind_lacks(
    history: History, asked: NamedQuery, within: Mapping[str, str], bound: Mapping[str, str]
) -> str | None:
    """What questions of this kind need of a model, of whatever period."""
    if asked.name in _OF_CLASSES:
        return _classes_lack(history, within)
    return _verdicts_lack(history, within, bound["reference"]) if asked.name in _OF_VERDICTS else None


def _classes_lack(history: History, within: Mapping[str, str]) -> str | None:
    """Why no truth is the positive class or the other, of whatever period."""
    (found,) = history.sql(_TRUTHS, within).to_pylist()
    where = f"of model {within['model']} in {within['environment']}"
    if not found["told"]:
        return f"no prediction {where} has a truth"
    if found["classed"]:
        return None
    if found["judged"]:
        return f"no truth {where} is one of two classes by its contract: this is asked of binary predictions"
    return f"no contract {where} names the positive class, and without one only the truths true and false are classes"


def _verdicts_lack(history: History, within: Mapping[str, str], reference: str) -> str | None:
    """Why no window was compared with the reference, of whatever period."""
    (found,) = history.sql(_VERDICTS, {**within, "reference": reference}).to_pylist()
    where = f"of model {within['model']} in {within['environment']}"
    if not found["made"]:
        return f"no window {where} has a verdict yet"
    if found["compared"] or not reference:
        return None
    return f"no window {where} was compared with {reference}: its verdicts say no_reference, as without a baseline there is nothing to compare with"


def _lacks(told: str, wanted: str, there: pa.Table) -> str | None:
    """The same with the names that there are, some of many; None where the one that is wanted is among them."""
    names = sorted(there.column(0).to_pylist())
    if wanted in names:
        return None
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{told}: there are {', '.join(names[:_NAMED])}{more}" if names else told
