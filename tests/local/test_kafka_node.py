"""Preparing Kafka's directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hindcast.local.kafka import prepare_kafka
from hindcast.local.ports import free_port
from producers.errors import ConfigError


def test_an_identity_may_begin_with_a_dash(tmp_path: Path) -> None:
    """One in 64 random cluster ids does, and Kafka's tool must not take it for an option."""
    known = {"cluster_id": "-rgKHopqTyWEQtxar86z5Q", "port": free_port(), "controller_port": free_port()}
    (tmp_path / "node.json").write_text(json.dumps(known))
    node, _ = prepare_kafka(tmp_path, environment=os.environ)
    assert "cluster.id=-rgKHopqTyWEQtxar86z5Q" in (node.data / "meta.properties").read_text()


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_the_data_lie_in_the_directory_whatever_its_letters(tmp_path: Path, locale: str) -> None:
    """Java reads settings as Latin-1, and in a POSIX locale knows no file name beyond ASCII."""
    directory = tmp_path / "café 日😀 {a} $b"
    program = (
        "import os, sys; from pathlib import Path; from hindcast.local.kafka import prepare_kafka; "
        "prepare_kafka(Path(sys.argv[1]), environment=os.environ)"
    )
    subprocess.run(
        [sys.executable, "-c", program, directory],
        env={**os.environ, "LC_ALL": locale},
        timeout=90,
        check=True,
    )
    assert (directory / "data" / "meta.properties").is_file()
    assert list(tmp_path.iterdir()) == [directory]


def test_a_directory_that_cannot_be_formatted_is_told_with_kafkas_reason(tmp_path: Path) -> None:
    """Not with the place in Kafka's source."""
    metadata = tmp_path / "data" / "__cluster_metadata-0"
    metadata.parent.mkdir()
    metadata.touch()
    with pytest.raises(ConfigError, match=f"cannot be formatted: .*FileAlreadyExistsException: {metadata}$"):
        prepare_kafka(tmp_path, environment=os.environ)
