"""Preparing Kafka's directory."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hindcast.local.kafka import prepare_kafka
from hindcast.local.ports import free_port


def test_an_identity_may_begin_with_a_dash(tmp_path: Path) -> None:
    """One in 64 random cluster ids does, and Kafka's tool must not take it for an option."""
    known = {"cluster_id": "-rgKHopqTyWEQtxar86z5Q", "port": free_port(), "controller_port": free_port()}
    (tmp_path / "node.json").write_text(json.dumps(known))
    node, _ = prepare_kafka(tmp_path, environment=os.environ)
    assert "cluster.id=-rgKHopqTyWEQtxar86z5Q" in (node.data / "meta.properties").read_text()
