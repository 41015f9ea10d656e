"""Look back: the read side in Python.

::

    from evaluation import History

    with History("http://default:@127.0.0.1:8123") as history:
        print(history.query("volume", model="churn"))

Importing this package loads none of its modules: the name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.history import History

__all__ = ["History"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("evaluation.history"), name)
