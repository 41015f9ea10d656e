"""Which tables make the record, and which of their rows belong to a model, an environment and a range of time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from producers.errors import ConfigError

_TIME = "{{{}:DateTime64(6, 'UTC')}}"
_RECORDED = f"`_recorded_at` <= {_TIME.format('moment')}"
_HOUR = "toStartOfHour("


@dataclass(frozen=True)
class Key:
    """One term of a table's sort key: a column, or the hour of one."""

    column: str
    hour: bool = False

    def of(self, value: str) -> str:
        """The term with another expression in the column's place."""
        return f"{_HOUR}{value})" if self.hour else value

    @property
    def term(self) -> str:
        """The term as it stands in the sort key."""
        return self.of(f"`{self.column}`")


@dataclass(frozen=True)
class MovedTable:
    """A table of the record.

    Attributes:
        name: its name.
        sort_key: as in its migration; no two rows that stand are equal in it, or in it and the place of their message.
        days: the time by whose days it is read, where its partitions follow that time; empty: it is read in one go.
        binary: columns of bytes that are no text.
    """

    name: str
    sort_key: str
    days: str = ""
    binary: frozenset[str] = frozenset()

    @property
    def order(self) -> tuple[Key, ...]:
        """The terms by which it is read: the sort key, and the message's place where that does not end it."""
        terms = self.sort_key.split(", ")
        return tuple(Key(term.removeprefix(_HOUR).rstrip(")"), hour=term.startswith(_HOUR)) for term in terms)


_PLACE = "_topic_id, _partition, _offset"

# In the order of an import: what rows rest on comes before them
TABLES = (
    MovedTable("contracts", f"model, in_effect_from, {_PLACE}, _row"),
    MovedTable("deployments", f"model, environment, valid_from, {_PLACE}, _row"),
    MovedTable("intake", _PLACE),
    MovedTable(
        "predictions",
        "model, environment, toStartOfHour(event_time), prediction_id, output, model_version, event_time",
        days="event_time",
    ),
    MovedTable("labels", "model, prediction_id, output, reported_at, label_id"),
    MovedTable(
        "outcomes",
        "model, environment, toStartOfHour(event_time), prediction_id, output, model_version, event_time, label_id",
        days="event_time",
    ),
    MovedTable(
        "sketches",
        f"model, environment, column, slice, window_start, kind, {_PLACE}, _row",
        days="window_start",
    ),
    MovedTable(
        "rollups",
        "model, environment, column, slice, width, window_start, model_version, served, sampling_rate, shape, column_kind",
        days="window_start",
    ),
    MovedTable("stretches", "_topic_id, _partition, topic_id, source_partition, first_offset, _offset"),
    MovedTable(
        "quality",
        "model, environment, model_version, output, slice, served, window_start, window_end, revision",
    ),
    MovedTable(
        "drift",
        "model, environment, model_version, served, reference, column, slice, window_start, window_end, revision",
    ),
    MovedTable(
        "alerts",
        f"model, environment, model_version, served, reference, metric, column, slice, started_at, alert_id, {_PLACE}, _row",
    ),
    MovedTable("ledger", f"producer_id, model, environment, stream, hour, {_PLACE}, _row"),
    MovedTable("dead_letters", "topic_id, partition, offset", binary=frozenset({"key", "value", "headers"})),
)
BY_NAME: Mapping[str, MovedTable] = {table.name: table for table in TABLES}

# The time by which a row belongs to a range; tables that are not named here follow other rules, see `Selection.conditions`
_TIMES = {
    "predictions": "event_time",
    "intake": "event_time",
    "outcomes": "event_time",
    "quality": "window_start",
    "drift": "window_start",
    "rollups": "window_start",
    "alerts": "started_at",
    "ledger": "hour",
    "dead_letters": "appended_at",
}
_EVERY_ENVIRONMENT = {"contracts", "labels"}
_NO_ENVIRONMENT = {"dead_letters", "stretches"}
# a label's prediction is looked for by a hash: one more label in billions of billions, and an eighth of the memory. Intake knows
# it also when its row has expired, or became a dead letter that may yet be replayed
_ABOUT = "cityHash64(model, cityHash64(prediction_id, output))"
_TAKEN_IN = "cityHash64(model, prediction_id_hash)"
_MESSAGE = "(`topic_id`, `partition`, `offset`)"
_TAKEN_MESSAGE = "`_topic_id`, `_partition`, `_offset`"


@dataclass(frozen=True)
class Selection:
    """What of the record is meant.

    Attributes:
        model: one model; empty: all.
        environment: one environment; empty: all.
        since: the first moment; None: from the beginning.
        until: the first moment after; None: to the end.

    Raises:
        ConfigError: a range that is empty, or does not begin and end at full hours, by which producers keep their accounts.
    """

    model: str = ""
    environment: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for moment in (self.since, self.until):
            if moment is not None and (moment.minute or moment.second or moment.microsecond):
                raise ConfigError(
                    "a range begins and ends at a full hour: producers keep accounts by the hour"
                )
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ConfigError("the range is empty: --since must be before --until")

    @property
    def ranged(self) -> bool:
        """Whether a range of time is asked for."""
        return self.since is not None or self.until is not None

    @property
    def whole(self) -> bool:
        """Whether everything is meant."""
        return self == Selection()

    def takes(self, table: MovedTable) -> bool:
        """Whether any row of the table can be meant: a stretch counts messages of all models and times."""
        return table.name != "stretches" or self.whole

    def parameters(self, moment: datetime) -> dict[str, str]:
        """What the conditions bind, for what was recorded up to the moment."""
        bound = {"model": self.model, "environment": self.environment, "moment": moment_text(moment)}
        if self.since is not None:
            bound["since"] = moment_text(self.since)
        if self.until is not None:
            bound["until"] = moment_text(self.until)
        return bound

    def conditions(self, table: MovedTable) -> list[str]:
        """What rows of a table must fulfil, each a condition in SQL with `parameters` bound.

        Nothing that is recorded after the moment changes which rows they are.
        """
        if table.name == "dead_letters" and not self.whole:
            return [f"({self._own(table.name)} OR {_MESSAGE} IN ({self._letters()}))", _RECORDED]
        found = [*self._of_whom(table.name), _RECORDED]
        if table.name == "rollups":
            # the others are made anew of the sketches
            found.append("`alone`")
        if table.name in _TIMES:
            return found + self._in_range(f"`{_TIMES[table.name]}`")
        if table.name == "sketches" and self.ranged:
            # what a model was trained on is older than any window that is compared with it
            within = " AND ".join(self._in_range("`window_start`"))
            return [*found, f"(`kind` = 'reference' OR ({within}))"]
        if table.name == "labels" and self.ranged:
            return [*found, f"{_ABOUT} IN (SELECT {_TAKEN_IN} FROM intake WHERE {self._own('intake')})"]
        return found

    def _letters(self) -> str:
        """The dead letters that the selected intake knows, whose own row may name no model and another time: accounting misses them else."""
        return f"SELECT {_TAKEN_MESSAGE} FROM intake WHERE `dead_letter` AND {self._own('intake')}"

    def _own(self, table: str) -> str:
        """Whether a row's own fields make it one of those that are meant."""
        return " AND ".join([*self._of_whom(table), _RECORDED, *self._in_range(f"`{_TIMES[table]}`")])

    def _of_whom(self, table: str) -> list[str]:
        found = []
        if self.model and table != "stretches":
            found.append("`model` = {model:String}")
        if self.environment and table not in _NO_ENVIRONMENT:
            one = "`environment` = {environment:String}"
            found.append(f"(`environment` IS NULL OR {one})" if table in _EVERY_ENVIRONMENT else one)
        return found

    def _in_range(self, time: str) -> list[str]:
        found = []
        if self.since is not None:
            found.append(f"{time} >= {_TIME.format('since')}")
        if self.until is not None:
            found.append(f"{time} < {_TIME.format('until')}")
        return found


def moment_text(moment: datetime) -> str:
    """A moment of UTC as ClickHouse reads it."""
    # strftime writes years before 1000 with fewer digits than ClickHouse reads
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
