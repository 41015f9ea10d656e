"""What a query needs of contracts: for each digest how to judge the predictions that carry it. Pure.

Predictions carry the digest of the contract they were admitted under; windows, slices, threshold and horizon are that contract's, so a
later contract splits nothing that is past. Without a contract: windows of an hour, class ``true`` positive from 0.5, 30 days' horizon.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stream_processors.contracts.effect import ContractHistory
from stream_processors.contracts.model import Contract, Slice
from stream_processors.sketches.slices import REST, slice_name

UNKNOWN, BINARY, MULTICLASS, REGRESSION, RANKING = range(5)
_KINDS = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION, "ranking": RANKING}

WITHOUT_CONTRACT_WIDTH_S = 3_600
DEFAULT_HORIZON_S = Contract(model="-").label.horizon
_POSITIVE, _NEGATIVE, _THRESHOLD = "true", "false", 0.5
_COMPLEMENTS = {"true": "false", "false": "true", "1": "0", "0": "1", "yes": "no", "no": "yes"}

# between the values of a pair; contracts with this character in a value name other slices than they mean
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Judged:
    """One contract, as far as quality is concerned."""

    digest: str
    contract: Contract

    @property
    def kind(self) -> int:
        """What the model answers: one of the constants above."""
        return _KINDS[self.contract.prediction.kind]

    @property
    def horizon_s(self) -> int:
        """Label horizon, seconds."""
        return self.contract.label.horizon

    @property
    def width_s(self) -> int:
        """Length of its windows, seconds."""
        return self.contract.windows.base

    @property
    def positive(self) -> str:
        """The class whose probability the score is."""
        return self.contract.prediction.positive_class or _POSITIVE

    @property
    def negative(self) -> str:
        """What is decided below the threshold where an event states no decision: the other class."""
        others = [name for name in self.contract.prediction.classes if name != self.positive]
        if len(others) == 1:
            return others[0]
        return _COMPLEMENTS.get(self.positive, f"not {self.positive}")

    @property
    def threshold(self) -> float:
        """Score from which on the positive class is decided where an event states no decision."""
        stated = self.contract.prediction.threshold
        return _THRESHOLD if stated is None else stated


def judged(history: ContractHistory, models: Iterable[str]) -> list[Judged]:
    """Every contract of these models, each digest once."""
    found = {one.digest: one.contract for model in models for one in history.published(model)}
    return [Judged(digest, contract) for digest, contract in found.items()]


def judging_columns(contracts: list[Judged]) -> tuple[str, dict[str, Any]]:
    """SQL for the columns place, kind, positive, negative, threshold, horizon_s and width_s of a prediction, with its parameters.

    ``place`` is the contract's in this list, from 1; 0 without one.
    """
    rows: list[tuple[str, str, list[Any], Any]] = [
        ("place", "Int64", list(range(1, len(contracts) + 1)), 0),
        ("kind", "UInt8", [one.kind for one in contracts], UNKNOWN),
        ("positive", "String", [one.positive for one in contracts], _POSITIVE),
        ("negative", "String", [one.negative for one in contracts], _NEGATIVE),
        ("threshold", "Float64", [one.threshold for one in contracts], _THRESHOLD),
        (
            "horizon_s",
            "Int64",
            [one.horizon_s for one in contracts],
            Contract(model="-").label.horizon,
        ),
        ("width_s", "Int64", [one.width_s for one in contracts], WITHOUT_CONTRACT_WIDTH_S),
    ]
    parameters: dict[str, Any] = {"digests": [one.digest for one in contracts]}
    columns = []
    for name, kind, values, default in rows:
        parameters |= {f"all_{name}": values, f"no_{name}": default}
        columns.append(
            f"transform(toString(contract), {{digests:Array(String)}}, {{all_{name}:Array({kind})}}, {{no_{name}:{kind}}}) AS {name}"
        )
    return ",\n".join(columns), parameters


def slices_column(contracts: list[Judged]) -> tuple[str, dict[str, Any]]:
    """SQL for the names of the slices that a prediction is in, the whole (an empty name) included, with its parameters."""
    parameters: dict[str, Any] = {}
    branches = []
    # most publications of a model slice alike: a query of a branch for each would grow beyond what servers take
    alike: dict[tuple[Slice, ...], list[str]] = {}
    for one in contracts:
        if one.contract.slices:
            alike.setdefault(one.contract.slices, []).append(one.digest)
    for place, (slices, digests) in enumerate(alike.items()):
        names = []
        for number, by in enumerate(slices):
            expression, more = _slice(by, f"{place}_{number}")
            names.append(expression)
            parameters |= more
        parameters[f"sliced_{place}"] = digests
        branches.append(f"toString(contract) IN {{sliced_{place}:Array(String)}}, ['', {', '.join(names)}]")
    if not branches:
        return "['']", {}
    return f"multiIf({', '.join(branches)}, [''])", parameters


def _slice(by: Slice, place: str) -> tuple[str, dict[str, Any]]:
    """The name of the slice by this rule; a value that is not listed, null or absent is in the rest."""
    parts = []
    parameters: dict[str, Any] = {}
    for number, column in enumerate(by.by):
        name = f"by_{place}_{number}"
        parameters[name] = column
        bound = f"{{{name}:String}}"
        parts.append(
            f"coalesce(categorical_features[{bound}], if(mapContains(segments, {bound}), segments[{bound}], NULL))"
        )
    value = parts[0] if len(parts) == 1 else f"concat({parts[0]}, '{_BETWEEN}', {parts[1]})"
    parameters |= {
        f"values_{place}": [_BETWEEN.join(row) for row in by.values],
        f"names_{place}": [slice_name(list(zip(by.by, row, strict=True))) for row in by.values],
        f"rest_{place}": slice_name([(column, REST) for column in by.by]),
    }
    rest = f"{{rest_{place}:String}}"
    listed = f"transform(assumeNotNull({value}), {{values_{place}:Array(String)}}, {{names_{place}:Array(String)}}, {rest})"
    return f"if({value} IS NULL, {rest}, {listed})", parameters
