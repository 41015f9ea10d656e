"""An answer in the form of the library that its reader works with."""

from __future__ import annotations

import importlib
from typing import Any, Literal

import pyarrow as pa

from producers.errors import ConfigError

Form = Literal["arrow", "pandas", "polars"]
FORMS = ("arrow", "pandas", "polars")


def as_frame(answer: pa.Table, form: str) -> Any:
    """The table itself, a pandas or a polars DataFrame, as one of `FORMS` says; maps become dictionaries
    in pandas, and in polars what it has for them: lists of key and value before its version 2.

    Raises:
        ConfigError: its package is not installed.
    """
    if form == "arrow":
        return answer
    try:
        library = importlib.import_module(form)
    except ModuleNotFoundError as error:
        if error.name != form:
            raise
        raise ConfigError(f"as_={form!r} needs the package {form}: pip install {form}") from None
    return answer.to_pandas(maps_as_pydicts="strict") if form == "pandas" else library.from_arrow(answer)
