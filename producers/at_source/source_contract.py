"""A model's contract at the source of its events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from producers.at_source.checks import Checks
from producers.at_source.contract_file import read_promises
from producers.at_source.promises import SourcePromises
from producers.at_source.protection import Protection
from producers.at_source.pseudonyms import Pseudonyms
from producers.at_source.sampling import Sampling
from producers.errors import ConfigError

if TYPE_CHECKING:
    from producers.at_source.tables import AdmittedTable
    from producers.rows import Rows


class SourceContract:
    """Settles the kinds of an event's features, refuses what must not be sent, protects personal data, samples. Safe for threads.

    A contract for one environment checks and samples events of that one only, as the processors do; it protects those of all.

    Args:
        promises: what the contract says.
        pseudonyms: needed where the contract says hash.

    Attributes:
        promises: as given.
        kinds: what `values.split_features` and `tables.prediction_rows` want to know, so that an integer of any size may be a category.

    Raises:
        ConfigError: something is to be hashed and there is no key.
    """

    def __init__(self, promises: SourcePromises, pseudonyms: Pseudonyms | None = None) -> None:
        if promises.hashes and pseudonyms is None:
            raise ConfigError("a contract that says hash needs a key")
        self.promises = promises
        self.kinds: Mapping[str, str] = {name: one.kind for name, one in promises.features.items()}
        self._checks = Checks(promises.features)
        self._protection = Protection(promises, pseudonyms)
        self._sampling = Sampling(promises.model, promises.sampling_rate, keep_errors=promises.keep_errors)
        self._environment = promises.environment
        self._rejects = promises.on_violation == "reject"
        self._samples = promises.sampling_rate < 1

    @classmethod
    def from_file(cls, path: Path, environment: Mapping[str, str]) -> SourceContract:
        """The contract in a file: YAML, which needs PyYAML, or JSON, such as `hindcast contract show MODEL --json` prints.

        Args:
            path: ending in .yaml, .yml or .json.
            environment: variables; HINDCAST_PII_KEY is read where the contract says hash.

        Raises:
            ConfigError: a file that cannot be read or is no contract, naming the place; no key, or none that can be one.
        """
        promises = read_promises(path)
        return cls(promises, Pseudonyms.from_environment(environment) if promises.hashes else None)

    def require_model(self, model: str) -> None:
        """Refuse to serve another model than the contract's.

        Raises:
            ConfigError: it is another one.
        """
        if model != self.promises.model:
            raise ConfigError(f"the contract is of model {self.promises.model}, not of {model}")

    def admit(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """The record of a prediction as it may be sent, changed in place; None where the sample leaves it out.

        Args:
            record: of `events.prediction_record`, made with ``kinds``.

        Raises:
            InvalidEvent: the contract says reject, and the event breaks it; names the feature, never a value.
        """
        applies = self._environment is None or record["environment"] == self._environment
        if self._samples and applies and not self._sampling.admits(record):
            return None
        if self._rejects and applies:
            self._checks.demand(record)
        else:
            self._checks.settle(record["numeric_features"], record["categorical_features"])
        self._protection.apply(record)
        return record

    def problems(self, record: dict[str, Any]) -> list[str]:
        """What a record breaks before it is protected, in the processors' words, such as ``missing:age``; it is settled by this."""
        return [f"{word}:{name}" for word, name in self._checks.broken(record)]

    def admit_table(self, rows: Rows) -> AdmittedTable:
        """`admit` for every row of a table, by columns; see `tables.admit_table`."""
        from producers.at_source.tables import (
            admit_table,
        )  # loads pyarrow, which a service without tables does without

        return admit_table(rows, self.promises, self._protection, self._sampling)
