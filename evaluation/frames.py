"""An answer in the form of the library that its reader works with."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any, Literal

import pyarrow as pa

from producers.errors import ConfigError

Form = Literal["arrow", "pandas", "polars"]
FORMS = ("arrow", "pandas", "polars")


def as_frame(answer: pa.Table, form: str) -> Any:
    """The table itself, a pandas or a polars DataFrame, as one of `FORMS` says; maps become dictionaries
    in pandas, and in polars what it has for them: lists of key and value before its version 2.

    Raises:
        ConfigError: its package is not installed, or polars is asked for and two columns have one name.
    """
    if form == "arrow":
        return answer
    try:
        library = importlib.import_module(form)
    except ModuleNotFoundError as error:
        if error.name != form:
            raise
        raise ConfigError(f"as_={form!r} needs the package {form}: pip install {form}") from None
    if form == "pandas":
        return answer.to_pandas(maps_as_pydicts="strict")
    refuse_equal_names(answer)
    return library.from_arrow(answer)


def refuse_equal_names(answer: pa.Table) -> None:
    """Return where every column has a name of its own, as polars, JSON and Parquet want it.

    Raises:
        ConfigError: two have the same.
    """
    for name, count in Counter(answer.column_names).items():
        if count > 1:
            raise ConfigError(f"{count} columns are named {name!r}: name them apart with AS")
