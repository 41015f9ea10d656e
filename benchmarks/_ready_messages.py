"""Messages that were never in Kafka, as its consumer would hand them on: for what is measured without a broker."""

from __future__ import annotations


class Ready:
    """A message of ``predictions``: its offset, its value, and its append time in milliseconds."""

    def __init__(self, number: int, value: bytes, at: int) -> None:
        self._number, self._value, self._at = number, value, at

    def topic(self) -> str:
        return "predictions"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._number

    def timestamp(self) -> tuple[int, int]:
        return 2, self._at

    def key(self) -> bytes:
        return b""

    def value(self) -> bytes:
        return self._value

    def headers(self) -> None:
        return None
