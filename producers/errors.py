"""The one tree of exceptions. The class says what the caller should do; the message never carries a payload.

::

    HindcastError
    |- ConfigError            fix the settings; the process should not start
    |- ContractError          this event can never be sent or read; dead-letter it
    |  |- InvalidEvent        carries the field's name, never its value
    |  |- Undecodable         the bytes are not what their framing says
    |  '- UnknownSchema       carries the fingerprint or id that nobody shipped
    '- TransientError         try again later
       |- BrokerUnavailable
       |- SpoolUnavailable
       '- StoreUnavailable
"""

from __future__ import annotations


class HindcastError(Exception):
    """Root of everything Hindcast raises on purpose."""


class ConfigError(HindcastError):
    """A setting, file or environment that must be mended before the process can start."""


class ContractError(HindcastError):
    """An event that can never be sent or read as it is."""


class InvalidEvent(ContractError):
    """A field of an event has a value that would change silently or cannot be encoded.

    Attributes:
        row: the first such row of a table, from 1, where that is known.
    """

    def __init__(self, field: str, problem: str, row: int | None = None) -> None:
        super().__init__(f"{field}: {problem}" + ("" if row is None else f" (in row {row:,})"))
        self.field = field
        self.problem = problem
        self.row = row


class Undecodable(ContractError):
    """Bytes that their own framing's schema does not decode."""


class UnknownSchema(ContractError):
    """A fingerprint or registry id that no shipped schema has."""

    def __init__(self, identifier: str) -> None:
        super().__init__(f"no shipped schema has {identifier}")
        self.identifier = identifier


class TransientError(HindcastError):
    """A fault that passes: the same call may succeed later."""


class BrokerUnavailable(TransientError):
    """Kafka did not answer in time."""


class SpoolUnavailable(TransientError):
    """The spool's directory cannot be read or written now."""


class StoreUnavailable(TransientError):
    """ClickHouse did not answer, or gave up for a reason that passes."""
