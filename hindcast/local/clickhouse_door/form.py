"""Query and parameters in a form's fields, where a client finds them too long for a URL (clickhouse-connect above 4,096 characters)."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message

from hindcast.local.clickhouse_door.failures import BAD_ARGUMENTS, NOT_IMPLEMENTED, refused


def form_fields(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """The fields of a ``multipart/form-data`` body (RFC 7578), in order: ``query``, ``param_*``, settings.

    Raises:
        QueryFailed: a part is a file (external data), has no name or is not UTF-8.
    """
    form = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
    if not form.is_multipart():
        raise refused(BAD_ARGUMENTS, "the multipart body has no parts")
    return [_field(part) for part in form.get_payload() if isinstance(part, Message)]


def _field(part: Message) -> tuple[str, str]:
    name = part.get_param("name", header="content-disposition")
    if part.get_filename() is not None:
        raise refused(NOT_IMPLEMENTED, "this door does not serve external data (files of a multipart body)")
    value = part.get_payload(decode=True)
    if not isinstance(name, str) or not isinstance(value, bytes):
        raise refused(BAD_ARGUMENTS, "a part of the multipart body has no name")
    try:
        return name, value.decode()
    except UnicodeDecodeError:
        raise refused(BAD_ARGUMENTS, f"the form field {name} is not UTF-8") from None
