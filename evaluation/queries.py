"""Named questions: ``sql/queries/*.sql`` with a header that says what is asked, with which parameters, and what comes back.

A header is comment lines at the start of the file::

    -- question: How many predictions were made?
    -- more lines that explain, if any
    -- parameters:
    --   model String: model name
    --   traffic String = 'served' [served, shadow, all]: which traffic
    --   bits UInt8 = 3 [0 to 20]: a whole number in a range narrower than its type's
    -- columns:
    --   hour: start of the hour, UTC
    --   predictions: count
    -- whole:
    --   intake: a table that is read whatever period is asked for, and why
    -- example: model=flights
    -- plot: x=hour y=predictions by=model_version
    -- output:
    --   hour                 predictions
    --   2013-02-01 05:00:00           17

A parameter without a default must be given. The default ``now`` of a time is the moment of asking. Parameters are bound by ClickHouse
(``{model:String}`` in the text), never pasted. An axis ``a|b`` of a plot is the first of these columns that has a value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from evaluation.whole_numbers import whole_numbers
from producers.errors import ConfigError
from stream_processors.sql_files import sql_files

NOW = "now"

_PARAMETER = re.compile(
    r"(?P<name>\w+) (?P<type>\w+(?:\([^)]*\))?)(?: = (?P<default>'[^']*'|[^\s\[:][^\[]*?))?(?: \[(?P<choices>[^\]]+)\])?: (?P<meaning>.+)"
)
_RANGE = re.compile(r"(-?\d+) to (-?\d+)")
_COLUMN = re.compile(r"(?P<name>\w+): (?P<meaning>.+)")
_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


def clickhouse_time(moment: datetime) -> str:
    """A moment as ClickHouse reads it, in UTC with microseconds; without an offset it is taken as UTC. Texts sort as their moments do.

    Raises:
        OverflowError: in UTC it is before the year 1 or after 9999.
    """
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds")[:26]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a query.

    Attributes:
        type: ClickHouse's type.
        default: as text; None: it must be given.
        choices: the only values allowed; empty: any.
        meaning: what it selects, with its unit.
        between: least and greatest whole number allowed; None: what the type holds.
    """

    name: str
    type: str
    default: str | None
    choices: tuple[str, ...]
    meaning: str
    between: tuple[int, int] | None = None

    def bound(self, given: object, now: datetime) -> str:
        """The value as ClickHouse reads it; times become UTC.

        Raises:
            ConfigError: not a value of this type, beyond its range, or not one of the choices.
        """
        if given is None or (isinstance(given, Iterable) and not isinstance(given, str)):
            found = "None" if given is None else f"a {type(given).__name__}"
            raise ConfigError(f"parameter {self.name} wants {self._wanted()}, not {found}")
        text = given.isoformat() if isinstance(given, datetime) else str(given)
        if self.choices and text not in self.choices:
            raise ConfigError(f"parameter {self.name} is one of {self.told_choices()}, not {text!r}")
        try:
            return self._bound(text, now)
        except ValueError:
            raise ConfigError(f"parameter {self.name} wants {self._wanted()}, not {text!r}") from None
        except OverflowError:
            raise ConfigError(
                f"parameter {self.name} wants a time of the years 1 to 9999 in UTC, not {text!r}"
            ) from None

    def told_choices(self) -> str:
        """The choices as a person reads them."""
        return ", ".join(choice or "empty" for choice in self.choices)

    def _bound(self, text: str, now: datetime) -> str:
        if self.type.startswith("DateTime64"):
            return clickhouse_time(now if text == NOW else datetime.fromisoformat(text))
        whole = self._whole_numbers()
        if whole is not None:
            # ClickHouse would take a number modulo the type's size
            if int(text) not in whole:
                raise ValueError
            return str(int(text))
        if self.type.startswith("Float"):
            if not math.isfinite(float(text)):
                raise ValueError
            return repr(float(text))
        if self.type == "Bool":
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError
            return str(text.lower() in _TRUE).lower()
        return text

    def _whole_numbers(self) -> range | None:
        """Those that are allowed; None for other types."""
        held = whole_numbers(self.type)
        return range(self.between[0], self.between[1] + 1) if held and self.between else held

    def _wanted(self) -> str:
        if self.type.startswith("DateTime64"):
            return "a time such as 2024-05-31 or 2024-05-31T12:00:00 (UTC unless it says otherwise)"
        whole = self._whole_numbers()
        if whole is not None:
            return f"a whole number from {whole[0]} to {whole[-1]}"
        if self.type == "Bool":
            return "true or false"
        return "a number" if self.type.startswith("Float") else "a text"


@dataclass(frozen=True)
class Column:
    """One column of an answer: its meaning says the unit."""

    name: str
    meaning: str


@dataclass(frozen=True)
class NamedQuery:
    """One file of ``sql/queries``.

    Attributes:
        explanation: what else an analyst should know, may be empty.
        whole: tables of which no parameter spares a part, and why.
        example: parameters of an example, as given on a command line.
        plot: the columns of a picture: x, y, and by where it has several lines; empty: none was thought of.
        output: the first rows of its answer over a small made history, as a table in plain text; may be empty.
        text: the SQL.
    """

    name: str
    question: str
    explanation: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    whole: tuple[Column, ...]
    example: Mapping[str, str]
    plot: Mapping[str, str]
    output: str
    text: str

    def bind(self, given: Mapping[str, object], now: datetime) -> dict[str, str]:
        """Every parameter's value, defaults included, as ClickHouse reads it.

        Raises:
            ConfigError: one is missing, unknown or of another type; the message names those that there are. Or the period compared with
                is empty.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise ConfigError(f"query {self.name} has no parameter {', '.join(unknown)}; {self._has()}")
        missing = [name for name, one in known.items() if one.default is None and name not in given]
        if missing:
            raise ConfigError(f"query {self.name} needs --param {missing[0]}=…; {self._has()}")
        bound = {name: one.bound(given.get(name, one.default), now) for name, one in known.items()}
        for name, value in bound.items():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ConfigError(
                    f"{name} of query {self.name}: half of a surrogate pair is no text"
                ) from None
        since, until = bound.get("reference_since", ""), bound.get("reference_until", "")
        # compared with nothing, everything would be new
        if since and since >= until:
            raise ConfigError(f"reference_since={since} of query {self.name} must be before {until}")
        return bound

    def _has(self) -> str:
        if not self.parameters:
            return "it has none"
        return "it has " + ", ".join(
            one.name if one.default is None else f"{one.name} (else {one.default or 'empty'})"
            for one in self.parameters
        )


def parse_query(name: str, text: str) -> NamedQuery:
    """A query from its file's text.

    Raises:
        ConfigError: the header is not as this module's docstring says; names file and line.
    """
    lines = text.splitlines()
    head = [line.removeprefix("--") for line in lines[: _header_length(lines)]]
    parts: dict[str, list[str]] = {
        "question": [],
        "parameters": [],
        "columns": [],
        "whole": [],
        "example": [],
        "plot": [],
        "output": [],
    }
    part = ""
    for number, line in enumerate(head, 1):
        key, _, rest = line.strip().partition(":")
        if key in parts and line.startswith(" ") and not line.startswith("  "):
            part = key
            parts[part] += [rest.strip()] if rest.strip() else []
        elif part and line.strip():
            # the columns of a table stand below one another
            parts[part].append(line[3:].rstrip() if part == "output" else line.strip())
        elif line.strip():
            raise ConfigError(f"{name}.sql line {number}: a header begins with `-- question:`")
    if not parts["question"] or not parts["columns"]:
        raise ConfigError(f"{name}.sql: the header lacks question or columns")
    return NamedQuery(
        name=name,
        question=parts["question"][0],
        explanation=" ".join(parts["question"][1:]),
        parameters=tuple(_parameter(name, line) for line in parts["parameters"]),
        columns=tuple(Column(**_matched(name, _COLUMN, line)) for line in parts["columns"]),
        whole=tuple(Column(**_matched(name, _COLUMN, line)) for line in parts["whole"]),
        example=dict(pair.split("=", 1) for pair in " ".join(parts["example"]).split()),
        plot=dict(pair.split("=", 1) for pair in " ".join(parts["plot"]).split()),
        output="\n".join(parts["output"]),
        text="\n".join(lines[_header_length(lines) :]).strip().rstrip(";"),
    )


def _header_length(lines: list[str]) -> int:
    return next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))


def _parameter(query: str, line: str) -> Parameter:
    found = _matched(query, _PARAMETER, line)
    default, listed = found["default"], found["choices"] or ""
    between = _RANGE.fullmatch(listed)
    choices = tuple(choice.strip() for choice in listed.split(",")) if listed and not between else ()
    return Parameter(
        found["name"],
        found["type"],
        None if default is None else default.strip().strip("'"),
        choices,
        found["meaning"],
        (int(between[1]), int(between[2])) if between else None,
    )


def _matched(query: str, pattern: re.Pattern[str], line: str) -> dict[str, str]:
    found = pattern.fullmatch(line)
    if not found:
        raise ConfigError(f"{query}.sql: not a header line: {line}")
    return found.groupdict()


def shipped_queries() -> dict[str, NamedQuery]:
    """Every shipped query by its name, in the order of names."""
    return {
        path.stem: parse_query(path.stem, path.read_text(encoding="utf-8")) for path in sql_files("queries")
    }


def find_query(name: str) -> NamedQuery:
    """The query of this name.

    Raises:
        ConfigError: there is none; the message names those that there are.
    """
    queries = shipped_queries()
    if name not in queries:
        raise ConfigError(f"no query {name!r}; there are {', '.join(queries)}")
    return queries[name]
