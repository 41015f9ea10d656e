"""What was said, as the message that Kafka gets: the contract at the source applied, numbered, framed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producers.avro_writer import REFUSALS, text_bytes, whole_bytes
from producers.codec import Registry, encode, frame
from producers.delivery import Outgoing
from producers.errors import ConfigError, TransientError
from producers.events import Record
from producers.intake import Intake
from producers.ledger import Tally
from producers.said import Handed, Said
from producers.schema_files import newest

if TYPE_CHECKING:
    from producers.at_source.source_contract import SourceContract

_NULL, _SOME = b"\x00", b"\x02"
# the fields producer_id and sequence of an event that has neither yet
_UNNUMBERED = _NULL + _NULL


class Encoder:
    """Encodes events for one process. Used by the sender's thread.

    Args:
        intake: gives producer id and sequence numbers.
        registry: a schema registry for Confluent framing.
        contract: what predictions must pass before they leave.

    Attributes:
        problem: why `ready` said no.
    """

    def __init__(self, intake: Intake, registry: Registry | None, contract: SourceContract | None) -> None:
        self.problem = ""
        self._intake = intake
        self._registry = registry
        self._contract = contract
        self._frames: dict[str, bytes] = {}
        self._producer = _SOME + text_bytes(intake.producer_id) + _SOME

    def ready(self, stream: str) -> bool:
        """Whether this stream's frame is known, for which a schema registry may have to answer first."""
        if stream not in self._frames:
            try:
                self._frames[stream] = frame(newest(_schema(stream)), self._registry)
            except (TransientError, ConfigError) as error:
                self.problem = str(error)
                return False
        return True

    def encoded(self, said: Said, tally: Tally) -> Outgoing | None:
        """The message of an event; None where it is sampled out. Its stream must be `ready`.

        Raises:
            ContractError: a value that does not fit.
        """
        stream = said.kind.stream
        handed: Handed | None = None
        if self._contract is None or stream != "predictions":
            try:
                handed = said.kind.body(said.given)
            except REFUSALS:
                handed = None  # the long way says what is wrong
        if handed is None:
            record = said.kind.record(said.given)
            if self._contract is not None and stream == "predictions":
                admitted = self._contract.admit(record)
                if admitted is None:
                    return None
                record = admitted
            handed = handed_by_record(stream, record)
        key, before, after = handed
        begun = self._frames[stream]
        if stream == "deployments":
            return Outgoing(stream, key, begun + before, tally, said.settled)
        sequence = self._intake.next_number(stream)
        tally.number(sequence, sequence)
        value = b"".join((begun, before, self._producer, whole_bytes(sequence), after))
        return Outgoing(stream, key, value, tally, said.settled)


def handed_by_record(stream: str, record: Record) -> Handed:
    """Key and body by the record; one that has producer_id, sequence and known_at has them last.

    Raises:
        InvalidEvent: a field that does not fit.
    """
    name = _schema(stream)
    body = encode(name, record)[len(frame(newest(name))) :]
    key = str(record.get("prediction_id", record["model"])).encode()
    if stream == "deployments":
        return key, body, b""
    known_at = record.get("known_at")
    after = _NULL if known_at is None else _SOME + whole_bytes(int(str(known_at)))
    return key, body[: -len(_UNNUMBERED + after)], after


def _schema(stream: str) -> str:
    return stream.removesuffix("s")
