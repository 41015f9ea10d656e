"""What a logger is made of, by its arguments and the environment. Each part is imported where it is wanted: most loggers have few of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from producers.codec import Registry
from producers.settings import KafkaSettings
from producers.sink import Sink

if TYPE_CHECKING:
    from producers.at_source.source_contract import SourceContract
    from producers.spool import Spool


def contract_of(file: str | os.PathLike[str] | None, model: str) -> SourceContract | None:
    """The contract in the file, which is of this model; None without a file.

    Raises:
        ConfigError: it cannot be read, or is of another model.
    """
    if file is None:
        return None
    from producers.at_source.source_contract import SourceContract

    contract = SourceContract.from_file(Path(file), os.environ)
    contract.require_model(model)
    return contract


def spool_of(given: str | os.PathLike[str] | None) -> Spool | None:
    """The opened spool in the directory that is given, else in the environment's; None where that names none, or an empty text is given.

    Raises:
        ConfigError: the directory cannot be one.
    """
    if not (os.environ.get("HINDCAST_SPOOL") if given is None else given):
        return None
    from producers.spool import Spool, SpoolSettings

    settings = SpoolSettings.from_environment(os.environ)
    directory = settings.directory if given is None else Path(given)
    assert directory is not None
    spool = Spool(directory, limit_bytes=settings.limit_bytes, sync=settings.sync)
    spool.open()
    return spool


def kafka_of(settings: KafkaSettings) -> tuple[Sink, Registry | None]:
    """The way to Kafka, and the schema registry where the settings name one."""
    from producers.kafka_sink import KafkaSink  # a test with its own sink needs no Kafka

    if not settings.schema_registry:
        return KafkaSink(settings), None
    from producers.registry import registry_of  # loads urllib

    return KafkaSink(settings), registry_of(settings)
