"""Which servers a command speaks to: those that the environment names, else those of the stack that runs in `.hindcast`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hindcast.local.directories import full_path
from hindcast.local.layout import DEFAULT_DIRECTORY, Layout, read_record
from hindcast.local.supervisor import is_held

# variables that name a server, or say how to speak to one that is not ours
KAFKA = ("HINDCAST_KAFKA", "HINDCAST_KAFKA_PROPERTIES", "HINDCAST_SCHEMA_REGISTRY")
CLICKHOUSE = ("HINDCAST_CLICKHOUSE", "HINDCAST_CLICKHOUSE_CLUSTER")


def variables(
    environment: Mapping[str, str], naming: tuple[str, ...], *, directory: Path = DEFAULT_DIRECTORY
) -> Mapping[str, str]:
    """The variables for a command whose servers are named by ``naming``.

    They are those of the environment when it sets any of these: a command never speaks to two installations. Else those of the stack that
    runs in the directory are added, and give way to the environment where both set one.

    Raises:
        ConfigError: the stack's files cannot be read.
    """
    given = {name: value for name, value in environment.items() if value}
    if given.keys() & set(naming) or not is_held(Layout(directory).lock):
        return given
    layout = Layout(full_path(directory))
    record = read_record(layout)
    return given if record is None else {**record.environment(layout), **given}
