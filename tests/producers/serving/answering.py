"""What tests of logged models share: a model that answers what it is told to, and what was logged of it."""

from __future__ import annotations

from typing import Any

from producers import PredictionLogger
from producers.testing import MemorySink


def said(log: PredictionLogger, sink: MemorySink) -> list[dict[str, Any]]:
    """The events so far."""
    assert log.flush() == 0
    return sink.records("predictions")


class Answering:
    """A model that answers what it was given to answer, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def predict(self, rows: Any) -> Any:
        """The answer, whatever the rows."""
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer
