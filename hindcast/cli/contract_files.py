"""What the commands of `hindcast contract` read and write: contract files, their baselines, training data, the published."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from hindcast.cli.servers import KAFKA, variables
from producers.errors import ConfigError
from producers.settings import KafkaSettings
from stream_processors.contracts.baseline_file import baseline_path, read_baseline
from stream_processors.contracts.document import ContractFileError, Problem
from stream_processors.contracts.effect import ContractHistory
from stream_processors.contracts.follower import ContractFollower
from stream_processors.contracts.model import Contract
from stream_processors.contracts.tables import read_table
from stream_processors.contracts.values import seconds

FILE = click.Path(path_type=Path, dir_okay=False)
contract_argument = click.argument("contract_file", metavar="CONTRACT.yaml", type=FILE)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


def length_of_time(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """Seconds of an option such as ``1d``."""
    try:
        found = None if value is None else seconds(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if found is not None and not 0 < found <= 100 * 365 * 86400:
        raise click.BadParameter("from 1s to 100 years")
    return found


def read_contract(path: Path) -> Contract:
    """The contract in a file.

    Raises:
        ConfigError: it cannot be read or is none; names the place.
    """
    try:
        written = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    try:
        text = written.decode()
    except UnicodeDecodeError as error:
        problem = Problem(written.count(b"\n", 0, error.start) + 1, "", "not UTF-8 text: save it as UTF-8")
        raise ContractFileError(str(path), [problem]) from None
    return Contract.from_yaml(text, str(path))


def baseline_of(contract_file: Path) -> list[dict[str, Any]]:
    """The baseline beside a contract; empty where there is none."""
    path = baseline_path(contract_file)
    return read_baseline(path) if path.exists() else []


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        ConfigError: the place cannot be written to.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def data_table(path: Path) -> pa.Table:
    """Training data; a file that is not there, or may not be read, is named as that."""
    try:
        return read_table(path)
    except ConfigError:
        # Arrow does not say why a file cannot be opened
        try:
            with path.open("rb"):
                raise
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def kafka() -> KafkaSettings:
    """The Kafka that contracts are published to."""
    return KafkaSettings.from_environment(variables(os.environ, KAFKA))


def published() -> ContractHistory:
    """Everything that is published now."""
    with ContractFollower(kafka()) as follower:
        follower.catch_up()
        return follower.history


def in_effect(model: str, environment: str) -> Contract | None:
    """The contract that applies to a model now; None for none."""
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    one = published().applying(model, environment, now)
    return None if one is None else one.contract


def required_in_effect(model: str, environment: str) -> Contract:
    """The contract that applies to a model now.

    Raises:
        ConfigError: there is none.
    """
    found = in_effect(model, environment)
    if found is None:
        raise ConfigError(f"model {model} has no contract in effect in {environment}")
    return found
