"""Which columns of a file say what, checked against the file's schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import pyarrow as pa

from producers.columns import scalar_fields
from producers.errors import ConfigError, InvalidEvent
from producers.rows import OURS
from producers.schema_files import newest
from producers.values import identifier, micros, number, rate, whole

# when an event happened, and when the prediction was made that it is or is about
TIME_OF = {"prediction": "event_time", "label": "reported_at"}
MADE_AT = {"prediction": "event_time", "label": "predicted_at"}
MODEL = "model"
_WANTED = {
    "boolean": "true or false",
    "double": "a number",
    "rate": "a number above 0 and up to 1",
    "int": "a whole number",
    "instant": "a time with a zone, like 2024-05-31T12:00+00:00,",
}


@dataclass(frozen=True)
class LoadMapping:
    """What a file's columns are. Names of columns are the file's, names of fields those of prediction.v1 or label.v1.

    Attributes:
        name: schema, ``prediction`` or ``label``.
        model: the model all rows are about.
        columns: the column of each field. A column that has a field's name is that field.
        features: columns that were the model's inputs; those in ``categorical`` are categories whatever their values.
        segments: columns to slice by that were no inputs.
        probabilities, quantiles: the column of each class and quantile.
        constants: fields with one value for all rows, as text.
        time_zone: of times that have none.
        nulls: words of a CSV file that stand for nothing.
    """

    name: str
    model: str
    columns: Mapping[str, str] = field(default_factory=dict)
    features: Sequence[str] = ()
    categorical: Sequence[str] = ()
    segments: Sequence[str] = ()
    probabilities: Mapping[str, str] = field(default_factory=dict)
    quantiles: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    nulls: Sequence[str] = ()

    def digest(self) -> str:
        """The same for the same mapping, hex."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


class FileMapping:
    """A mapping that fits a file.

    Args:
        asked: the mapping.
        schema: the file's columns.
        file: names the file in errors.

    Attributes:
        columns: the column of each field, those of a field's own name included.
        constants: the value of each field that has one for all rows; instants in µs since 1970.
        kinds: what each field that a column can be holds, such as ``instant``.
        needed: the columns to read.
        as_written: those of them that are texts whatever they look like, where a file has no types.
        names_model: whether the file says in a column ``model`` whose rows they are.

    Raises:
        ConfigError: a field or column that there is not, or a field that is missing.
    """

    def __init__(self, asked: LoadMapping, schema: pa.Schema, file: str) -> None:
        self.asked = asked
        self._schema = schema
        self._file = file
        fields = scalar_fields(newest(asked.name).parsed, without=(*OURS, MODEL))
        self.kinds = {name: kind for name, (kind, _) in fields.items()}
        self._check_names()
        taken = [*asked.features, *asked.segments, *asked.probabilities.values(), *asked.quantiles.values()]
        self._check_columns([*asked.columns.values(), *taken])
        own = [name for name in schema.names if name in self.kinds and name not in {*taken, *asked.constants}]
        self.columns = {**dict(zip(own, own, strict=True)), **asked.columns}
        self.constants = {name: self._value(name, text) for name, text in asked.constants.items()}
        self._check_needed()
        self._know_at_once()
        self.needed = list(dict.fromkeys([*self.columns.values(), *taken]))
        self.names_model = MODEL in schema.names and MODEL not in self.needed
        if self.names_model:
            self._check_columns([MODEL])
            self.needed.append(MODEL)
        self.as_written = self._texts()
        if asked.name == "prediction" and not asked.features:
            left = [name for name in schema.names if name not in self.needed]
            raise ConfigError(
                f"no features: --features names the columns that were the model's inputs, of {_listed(left)}"
            )

    def says(self, name: str) -> bool:
        """Whether a field has a value in this file."""
        return name in self.columns or name in self.constants

    def column_of(self, name: str) -> str:
        """What to call a field or column that `InvalidEvent` names."""
        kind, _, rest = name.partition(".")
        if rest:
            maps = {"probabilities": self.asked.probabilities, "quantiles": self.asked.quantiles}
            return maps.get(kind, {}).get(rest, rest)
        column = self.columns.get(name, name)
        return column if column == name else f"{column} ({name})"

    def _check_names(self) -> None:
        asked = self.asked
        for option, name in [
            *(("--map", n) for n in asked.columns),
            *(("--set", n) for n in asked.constants),
        ]:
            if name not in self.kinds:
                raise ConfigError(
                    f"{option} {name}: a {asked.name} has no such field; {_there_are(list(self.kinds))}"
                )
        both = set(asked.columns) & set(asked.constants)
        if both:
            raise ConfigError(
                f"{min(both)} has a column (--map) and a value for all rows (--set): say one of them"
            )
        odd = set(asked.categorical) - set(asked.features)
        if odd:
            raise ConfigError(f"--categorical {min(odd)}: is not among --features")

    def _check_columns(self, named: Sequence[str]) -> None:
        for name in named:
            count = self._schema.names.count(name)
            if count != 1:
                problem = (
                    f"{count} columns {name}"
                    if count
                    else f"no column {name}; {_there_are(self._schema.names)}"
                )
                raise ConfigError(f"{self._file} has {problem}")

    def _check_needed(self) -> None:
        needed = TIME_OF[self.asked.name]
        there = _there_are(self._schema.names)
        if not self.says(needed):
            raise ConfigError(f"{self._file} has no column {needed}: --map {needed}=COLUMN names it; {there}")
        if self.asked.name == "label" and not (self.says("prediction_id") or self.says("predicted_at")):
            raise ConfigError(
                f"{self._file} has no column prediction_id: --map prediction_id=COLUMN names it, or, where the predictions "
                f"were loaded from this very file and had none, --map predicted_at=COLUMN; {there}"
            )

    def _know_at_once(self) -> None:
        """What happened was known when it happened, where nothing else is said."""
        if self.says("known_at"):
            return
        time = TIME_OF[self.asked.name]
        if time in self.columns:
            self.columns["known_at"] = self.columns[time]
        else:
            self.constants["known_at"] = self.constants[time]

    def _texts(self) -> frozenset[str]:
        """Columns that are texts and nothing else besides; a truth that reads as a number is one, as in a call."""
        asked = self.asked
        others = {*asked.features, *asked.probabilities.values(), *asked.quantiles.values()}
        others -= set(asked.categorical)
        found = {MODEL, *asked.categorical, *asked.segments}
        for name, column in self.columns.items():
            kind = self._schema.field(column).type
            number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
            text = self.kinds[name] in {"string", "identifier"} and not (name == "truth" and number)
            (found if text else others).add(column)
        return frozenset(found - others)

    def _value(self, name: str, text: str) -> object:
        kind = self.kinds[name]
        try:
            return _READ[kind](name, text)
        except (KeyError, ValueError):
            problem = f"{_WANTED[kind]} is wanted"
        except InvalidEvent as error:
            problem = f"{_WANTED[kind]} is wanted" if kind == "instant" else error.problem
        raise ConfigError(f"--set {name}={text}: {problem}")


def _number(text: str) -> float:
    """A number as it is written; whole ones stay that, so that none is rounded."""
    try:
        return int(text)
    except ValueError:
        return float(text)


_READ: Mapping[str, Callable[[str, str], object]] = {
    "string": lambda _name, text: text,
    "identifier": identifier,
    "boolean": lambda _name, text: {"true": True, "false": False}[text.lower()],
    "double": lambda name, text: number(name, _number(text)),
    "rate": lambda name, text: rate(name, _number(text)),
    "int": lambda name, text: whole(name, int(text)),
    "instant": lambda name, text: micros(name, datetime.fromisoformat(text)),
}


def _there_are(names: Sequence[str]) -> str:
    return f"there are {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
