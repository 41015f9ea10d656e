"""A body taken apart into items, and each item made an event or a problem with its place, field and reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from producers.errors import InvalidEvent
from producers.gateway.body import NDJSON
from producers.gateway.items import STREAMS, Event, Stream
from producers.gateway.refusals import Problem, Refused, shortened
from producers.gateway.settings import MOST_VALUES

FORBIDDEN = "this key may not speak for this model"
_TOO_DEEP = "is nested too deeply"
_NOT_UTF8 = "is not UTF-8 text"
_BLANKS = b" \t\r\n"
_PLACE = re.compile(r"(?P<why>.*) - at `\$\.?(?P<field>.*)`", re.DOTALL)
_NAMED = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<field>.*)`", re.DOTALL)
# a type as msgspec (or Python, in an InvalidEvent) calls it, and as JSON does
_JSON_NAMES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "datetime": "RFC 3339 time",
    "dict": "object",
    "list": "array",
    "NoneType": "null",
}
_TYPE = re.compile(rf"\b({'|'.join(_JSON_NAMES)})\b")

_raws = msgspec.json.Decoder(list[msgspec.Raw])
_decoders = {name: msgspec.json.Decoder(stream.item) for name, stream in STREAMS.items()}


def split(body: bytes, form: str, most: int) -> list[Any]:
    """The items of a body, not looked into: one object, the elements of an array, or the lines of NDJSON but empty ones.

    Raises:
        Refused: 400, not JSON, or nothing in it; 413, more than ``most`` items, or `MOST_VALUES` values.
    """
    if body.count(b",") > MOST_VALUES:
        raise Refused(413, f"the body has more than {MOST_VALUES} values: send fewer items")
    items = _lines(body, most) if form == NDJSON else _elements(body)
    if len(items) > most:
        raise Refused(413, f"the body has more than {most} items: send fewer")
    if not items:
        raise Refused(400, "the body has no items")
    return items


def examine(
    stream: Stream, items: Sequence[Any], now: int, may_speak_for: Callable[[str], bool]
) -> Iterator[Event | Problem]:
    """Each item in turn, as an event or as what is wrong with it.

    Args:
        stream: what the items are.
        items: as `split` gives them.
        now: µs since 1970, the time of items that name none.
        may_speak_for: whether the sender may speak for a model.
    """
    decode, make = _decoders[stream.name].decode, stream.event
    for index, item in enumerate(items):
        try:
            found: Any = decode(item)
            event = make(found, now) if may_speak_for(str(found.model)) else None
        except InvalidEvent as error:
            yield Problem(index, shortened(error.field), _in_json_words(error.problem))
        except msgspec.DecodeError as error:  # also of what is JSON and does not fit
            yield Problem(index, *_told(error))
        except UnicodeDecodeError:
            yield Problem(index, "", _NOT_UTF8)
        except RecursionError:
            yield Problem(index, "", _TOO_DEEP)
        else:
            yield event or Problem(index, "model", FORBIDDEN)


def _elements(body: bytes) -> list[Any]:
    start = body.lstrip(_BLANKS)[:1]
    if start == b"{":
        return [body]
    if start != b"[":
        raise Refused(
            400, "the body is no JSON object and no array of objects" if start else "the body is empty"
        )
    try:
        return _raws.decode(body)
    except msgspec.DecodeError as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Refused(400, f"the body {_TOO_DEEP}") from None


def _lines(body: bytes, most: int) -> list[Any]:
    """Up to one line more than ``most``."""
    lines: list[Any] = []
    start = 0
    while start < len(body) and len(lines) <= most:
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        line = body[start:end].strip(_BLANKS)
        if line:
            lines.append(line)
        start = end + 1
    return lines


def _told(error: msgspec.DecodeError) -> tuple[str, str]:
    """The field and the reason in a message of msgspec."""
    if not isinstance(error, msgspec.ValidationError):
        return "", f"is not JSON: {error}"
    message = str(error)
    named = _NAMED.fullmatch(message)
    if named:
        missing = named["what"] == "missing required"
        return shortened(named["field"]), "is missing" if missing else "is not a field of this kind of item"
    placed = _PLACE.fullmatch(message)
    why = placed["why"] if placed else message
    return shortened(placed["field"]) if placed else "", _in_json_words(why[:1].lower() + why[1:])


def _in_json_words(text: str) -> str:
    text = text.replace(
        "invalid RFC3339 encoded datetime", "is no RFC 3339 time, such as 2026-03-01T12:30:15Z"
    )
    words = _TYPE.sub(lambda found: _JSON_NAMES[found[1]], text.replace("`", ""))
    return words.replace("integer | number", "number")
