"""A real Apache Kafka on this machine from packages alone: one KRaft node on loopback, all data in one directory.

`prepare_kafka` does everything up to the command line, so that a test, a supervisor or a person may run it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from hindcast.local.directories import cache_directory, explain, prepare_directory, refuse_unusable_name
from hindcast.local.jars import kafka_jars
from hindcast.local.java import file_name_variables, find_java, java_version
from hindcast.local.kafka_properties import KafkaNode, render_logging, render_properties
from hindcast.local.ports import free_port, require_free, same_port
from hindcast.local.program import Program
from hindcast.local.shared_classes import shared_class_options
from producers.errors import ConfigError

HEAP_MIB = 512
NEEDED_MIB = 256
_FORMAT_TIMEOUT_S = 60
_NATIVE_ACCESS_FROM = 22
_FRAME = re.compile(r"\s+(at |\.\.\. \d+ more)")
_INTRODUCTION = re.compile(r'^(Exception in thread "[^"]*"|Caused by:) ')


def prepare_kafka(
    directory: Path, *, environment: Mapping[str, str], port: int | None = None, bundled_java: bool = True
) -> tuple[KafkaNode, Program]:
    """A formatted node below `directory` and the program that runs it.

    The same directory gives the same node again: cluster id, data and, unless another is given, ports.

    Raises:
        ConfigError: no Java, no jars, port in use, directory unusable, disk full, data that Kafka cannot read.
    """
    refuse_unusable_name(directory)
    directory = prepare_directory(directory, free_mib=NEEDED_MIB)
    java = find_java(environment, bundled=bundled_java)
    cache = cache_directory(environment)
    jars = kafka_jars(cache)
    node = _recorded_node(directory, port) or _new_node(directory, port)
    try:
        node.properties_file.write_text(render_properties(node))
        node.logging_file.write_text(render_logging())
        _node_file(directory).write_text(json.dumps(asdict(node), default=str, indent=1))
        _empty(_scratch(directory))
    except OSError as problem:
        raise ConfigError(explain(directory, problem)) from None
    command = _java_command(java, jars, node)
    if not (node.data / "meta.properties").is_file():
        _format(command, node)
    sharing = shared_class_options(java, cache, directory)
    run = [command[0], *sharing, *command[1:], "kafka.Kafka", str(node.properties_file)]
    return node, Program("kafka", tuple(run), directory / "kafka.log", file_name_variables())


def answers(bootstrap: str, *, timeout: float = 1.0) -> bool:
    """Whether a broker at `host:port` answers a Kafka request (ApiVersions, which every broker knows)."""
    host, _, port = bootstrap.rpartition(":")
    # Header: api key 18, version 0, correlation id 1, no client id; a length of 4 bytes before it.
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection((host, int(port)), timeout=timeout) as link:
            link.settimeout(timeout)
            link.sendall(struct.pack(">i", len(request)) + request)
            reply = link.recv(10)
    except (OSError, ValueError):
        return False
    # Length, correlation id, error code.
    return len(reply) >= 10 and struct.unpack(">iih", reply[:10])[1:] == (1, 0)


def _recorded_node(directory: Path, port: int | None) -> KafkaNode | None:
    try:
        known = json.loads(_node_file(directory).read_text())
        cluster_id, old_port, old_controller = (
            str(known["cluster_id"]),
            int(known["port"]),
            int(known["controller_port"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{_node_file(directory)} is damaged: remove {directory} to start afresh") from None
    chosen = require_free(port, wanted_by="Kafka") if port else same_port(old_port)
    return KafkaNode(directory, chosen, same_port(old_controller), cluster_id)


def _new_node(directory: Path, port: int | None) -> KafkaNode:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    chosen = require_free(port, wanted_by="Kafka") if port else free_port()
    return KafkaNode(directory, chosen, free_port(), cluster_id)


def _node_file(directory: Path) -> Path:
    return directory / "node.json"


def _scratch(directory: Path) -> Path:
    """Where Java unpacks libraries written in C. A Kafka that is killed leaves them behind, so they are removed at the next start."""
    return directory / "tmp"


def _empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(exist_ok=True)


def _java_command(java: Path, jars: list[Path], node: KafkaNode) -> list[str]:
    options = [
        f"-Xmx{HEAP_MIB}m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        # The optimising compiler took a tenth of two cores for minutes, and the broker was no cheaper per message after six million
        "-XX:TieredStopAtLevel=1",
        "-Djava.awt.headless=true",
        # logs say when in the same zone as everything else
        "-Duser.timezone=UTC",
        f"-Djava.io.tmpdir={_scratch(node.directory)}",
        f"-Dlog4j2.configurationFile={node.logging_file}",
    ]
    version = java_version(java)
    if version is not None and version >= _NATIVE_ACCESS_FROM:
        options.append("--enable-native-access=ALL-UNNAMED")
    return [str(java), *options, "-cp", os.pathsep.join(str(jar) for jar in jars)]


def _format(command: list[str], node: KafkaNode) -> None:
    """Write the node's metadata, once in the life of a directory."""
    tool = ["kafka.tools.StorageTool", "format", "--standalone", "--ignore-formatted"]
    # one argument: an identity may begin with a dash
    chosen = [f"--cluster-id={node.cluster_id}", "-c", str(node.properties_file)]
    try:
        done = subprocess.run(
            [*command, *tool, *chosen],
            capture_output=True,
            text=True,
            timeout=_FORMAT_TIMEOUT_S,
            check=False,
            env={**os.environ, **file_name_variables()},
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"formatting Kafka's directory took over {_FORMAT_TIMEOUT_S} s") from None
    if done.returncode != 0:
        said = _reason(done.stderr) or _reason(done.stdout) or "no message"
        raise ConfigError(f"Kafka's directory {node.data} cannot be formatted: {said}")


def _reason(output: str) -> str:
    """The innermost exception of what a Java program said at its end, or else its last line."""
    lines = [line for line in output.splitlines() if line.strip() and not _FRAME.match(line)]
    return _INTRODUCTION.sub("", lines[-1]).strip() if lines else ""
