"""Text of others on one line of a terminal."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Text that cannot break a table or steer a terminal: control characters are written out."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
