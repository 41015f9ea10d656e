"""The only door of the read side: named questions and analysts' own SQL, answered as Arrow tables or DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import pyarrow as pa

from evaluation.column_values import by_kinds, bytes_where_no_text, needs_kinds
from evaluation.frames import FORMS, Form, as_frame
from evaluation.queries import NamedQuery, clickhouse_time, find_query, shipped_queries
from evaluation.statements import read_only, refuse_functions_by_parameter
from evaluation.whole_numbers import refuse_beyond_type
from producers.errors import ConfigError
from stream_processors.clickhouse import QueryRefused, Store
from stream_processors.settings import ClickHouseSettings

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

# readonly=1: no writes, and no SETTINGS clause that lifts these limits; for the rest see `evaluation.statements`
READ_LIMITS: Mapping[str, Any] = {
    "readonly": 1,
    "max_execution_time": 60,
    "max_memory_usage": 4_000_000_000,
    "max_result_rows": 10_000_000,
}


class History:
    """What was recorded, to be asked; nothing can be changed through it.

    ::

        with History("http://analyst:secret@clickhouse:8123") as history:
            history.query("volume", model="churn", as_="pandas")

    ``where`` is an address or settings; ``database`` replaces what the settings say. Answers are Arrow tables unless ``as_`` says ``"pandas"``
    or ``"polars"``, whose package is loaded then. A column that holds anything but UTF-8 comes as bytes. What Arrow lacks
    comes from `sql` as text, such as whole numbers beyond 64 bits, IP addresses and words of an Enum, and a DateTime as a time. A user whom the
    server itself limits keeps the server's limits; everybody else has those of
    `READ_LIMITS`. Safe to use from one thread at a time.

    Raises:
        ConfigError: a query or parameter that does not exist, a whole number beyond its parameter's type, a moment that has not come, or a
            statement that does not read.
        QueryRefused: ClickHouse refuses the statement, or its answer has more rows than `READ_LIMITS` allow: asked again it has them still.
        StoreUnavailable: ClickHouse does not answer, or the limits of time or memory in `READ_LIMITS` are exceeded, as they are when others ask too.
    """

    def __init__(
        self,
        where: ClickHouseSettings | str,
        *,
        database: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        settings = ClickHouseSettings.at(where) if isinstance(where, str) else where
        if not isinstance(settings, ClickHouseSettings):
            raise ConfigError(f"where is an address or ClickHouseSettings, not {_kind(where)}")
        self._store = Store(settings if database is None else settings.with_database(database))
        # what the server has fixed for this user cannot be set again, not even to the same
        self._limits = {name: value for name, value in READ_LIMITS.items() if self._store.may_set(name)}
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def queries(self) -> dict[str, NamedQuery]:
        """Every named query."""
        return shipped_queries()

    @overload
    def query(self, name: str, /, *, as_: Literal["arrow"] = "arrow", **parameters: object) -> pa.Table: ...
    @overload
    def query(self, name: str, /, *, as_: Literal["pandas"], **parameters: object) -> pd.DataFrame: ...
    @overload
    def query(self, name: str, /, *, as_: Literal["polars"], **parameters: object) -> pl.DataFrame: ...
    def query(self, name: str, /, *, as_: Form = "arrow", **parameters: object) -> Any:
        """The answer to a named question; parameters as its header says, times as datetime or ISO text.

        A moment of knowledge (parameter ``t``) that has not come yet is refused: the same question would be answered otherwise later.
        """
        form = _known(as_)
        return as_frame(self.answer(name, parameters), form)

    def answer(self, name: str, parameters: Mapping[str, object]) -> pa.Table:
        """The same with parameters of any name, as an Arrow table."""
        asked, now = find_query(name), self._clock()
        bound = asked.bind(parameters, now)
        if bound.get("t", "") > clickhouse_time(now):
            raise ConfigError(f"t={bound['t']} has not come yet (it is {clickhouse_time(now)} UTC)")
        return bytes_where_no_text(self._store.arrow(asked.text, bound, self._limits))

    @overload
    def sql(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_: Literal["arrow"] = "arrow",
    ) -> pa.Table: ...
    @overload
    def sql(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, as_: Literal["pandas"]
    ) -> pd.DataFrame: ...
    @overload
    def sql(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, as_: Literal["polars"]
    ) -> pl.DataFrame: ...
    def sql(self, statement: str, parameters: Mapping[str, Any] | None = None, *, as_: Form = "arrow") -> Any:
        """The answer to one statement that reads; ``{name:Type}`` in it is bound to ``parameters``."""
        form = _known(as_)
        if not isinstance(statement, str):
            raise ConfigError(f"a statement is a text, not {_kind(statement)}")
        statement = read_only(statement)
        refuse_functions_by_parameter(statement, parameters or {})
        refuse_beyond_type(statement, parameters or {})
        answer = self._store.arrow(statement, parameters, self._limits)
        return as_frame(bytes_where_no_text(self._as_typed(answer, statement, parameters)), form)

    def _as_typed(self, answer: pa.Table, statement: str, parameters: Mapping[str, Any] | None) -> pa.Table:
        """The answer to a statement with what ClickHouse's types say and Arrow's do not."""
        if not needs_kinds(answer):
            return answer
        try:
            kinds = self._store.arrow(f"DESCRIBE TABLE ({statement})", parameters, self._limits)
        except QueryRefused:
            # SHOW, EXPLAIN and the like are no tables
            return answer
        return by_kinds(answer, kinds.column("type").to_pylist())


def _kind(given: object) -> str:
    """What was given instead, without its value: it may be a secret."""
    return "None" if given is None else f"of type {type(given).__name__}"


def _known(form: str) -> str:
    """The form, refused before anything is asked where there is none such."""
    if form not in FORMS:
        raise ConfigError(f"as_ is one of {', '.join(FORMS)}, not {form!r}")
    return form
