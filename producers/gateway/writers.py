"""Predictions written the short way, by writers that remember what events look alike: within a bound that no client can lift."""

from __future__ import annotations

from producers.avro_writer import REFUSALS
from producers.encoder import handed_by_record
from producers.errors import InvalidEvent
from producers.prediction_writer import PredictionSaid, PredictionWriter
from producers.said import Handed

# models, and characters of names over all of them, that are remembered; then all is learned anew
MODELS = 64
CHARACTERS = 4_000_000
# what a name takes beside its characters
_NAME = 100
# of the words that a writer remembers
_LONGEST = 200


class Writers:
    """The writer of each model. Used by one thread."""

    def __init__(self) -> None:
        self._writers: dict[tuple[str, tuple[str, ...]], PredictionWriter] = {}
        self._seen: set[tuple[PredictionWriter, tuple[str, ...]]] = set()
        self._characters = 0

    def handed(self, model: str, categorical: tuple[str, ...], said: PredictionSaid) -> Handed:
        """Key and body of a prediction.

        Raises:
            InvalidEvent: a value that does not fit.
        """
        if max(len(model), len(said.model_version), len(said.environment)) > _LONGEST:
            writer = PredictionWriter(model, categorical)
        else:
            writer = self._writer(model, categorical, tuple(said.features))
        try:
            return writer.body(said)
        except InvalidEvent:
            raise
        except REFUSALS:
            return handed_by_record("predictions", writer.record(said))  # or what is wrong, by its name

    def _writer(self, model: str, categorical: tuple[str, ...], names: tuple[str, ...]) -> PredictionWriter:
        writer = self._writers.get((model, categorical))
        if writer is not None and (writer, names) in self._seen:
            return writer
        if (writer is None and len(self._writers) >= MODELS) or self._characters > CHARACTERS:
            self._writers.clear()
            self._seen.clear()
            self._characters, writer = 0, None
        if writer is None:
            writer = self._writers[model, categorical] = PredictionWriter(model, categorical)
        self._seen.add((writer, names))
        self._characters += sum(map(len, names)) + sum(map(len, categorical))
        self._characters += _NAME * (1 + len(names) + len(categorical))
        return writer
