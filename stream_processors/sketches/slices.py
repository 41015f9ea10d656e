"""The name of a slice: a string, readable and unambiguous.

``''`` is the whole, ``origin=JFK`` one slice, ``origin=JFK&carrier=UA`` a pair, ``origin=@other`` the rest of a listed feature. Names and
values are percent-encoded (UTF-8) only where they hold ``%``, ``=``, ``&`` or a control character, or begin with ``@``: so a real value ``@other``
is ``%40other``, and names of pseudo-columns (``@decision``) read ``%40decision``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

WHOLE = ""
OTHER = "@other"

_RESERVED = re.compile("[%=&\x00-\x1f\x7f]|^@")


class _Rest:
    """The type of ``REST``: what is left of a feature beside its listed values."""

    def __repr__(self) -> str:
        return "REST"


REST = _Rest()

Term = tuple[str, "str | _Rest"]


def _encode(text: str) -> str:
    return _RESERVED.sub(lambda match: f"%{ord(match[0]):02X}", text)


def slice_name(terms: Iterable[Term]) -> str:
    """Name the slice in which each feature has its value; no terms name the whole. ``REST`` stands for all values that are not listed.

    >>> slice_name([("origin", "JFK"), ("carrier", REST)])
    'origin=JFK&carrier=@other'
    >>> slice_name([("plan", "a&b"), ("tier", "@other")])
    'plan=a%26b&tier=%40other'
    """
    return "&".join(
        f"{_encode(name)}={OTHER if isinstance(value, _Rest) else _encode(value)}" for name, value in terms
    )


def parse_slice(name: str) -> tuple[Term, ...]:
    """Read a slice's name back into its terms; ``ValueError`` for a string that ``slice_name`` never writes.

    >>> parse_slice("origin=JFK&carrier=@other")
    (('origin', 'JFK'), ('carrier', REST))
    """
    terms: tuple[Term, ...] = tuple(_parse_term(term) for term in name.split("&")) if name else ()
    if slice_name(terms) != name:
        raise ValueError(f"not the name of a slice: {name!r}")
    return terms


def _parse_term(term: str) -> Term:
    feature, equals, value = term.partition("=")
    if not equals:
        raise ValueError(f"a slice is feature=value, not {term!r}")
    return unquote(feature, errors="strict"), REST if value == OTHER else unquote(value, errors="strict")
