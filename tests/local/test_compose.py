"""docker-compose.yml and Dockerfile, as far as they can be checked without a Docker engine.

Where an engine answers, every test that asks for a server runs on the images pinned here (tests/services.py).
"""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import podman_compose
import pytest
import yaml
from services import REPOSITORY

from hindcast.local.jars import KAFKA_VERSION
from hindcast.local.pulse import main as pulse
from hindcast.local.startup import ROLES
from stream_processors.status import StatusFile

COMPOSE = REPOSITORY / "docker-compose.yml"
SERVERS = {"kafka", "clickhouse", "schema-registry", "grafana"}
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+(\.\d+)?(-[\w.-]+)?")


def rendered(variables: dict[str, str]) -> dict[str, Any]:
    """The file with its variables filled in: by Docker's own plugin where it is installed, else by podman-compose's code."""
    plugin = ["docker", "compose", "--file", str(COMPOSE), "config", "--format", "json"]
    try:
        done = subprocess.run(plugin, capture_output=True, env={"PATH": "/usr/bin:/bin:/usr/local/bin", **variables}, check=False)  # fmt: skip
    except OSError:
        done = subprocess.CompletedProcess(plugin, 1, b"", b"")
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    return dict(podman_compose.rec_subs(copy.deepcopy(yaml.safe_load(COMPOSE.read_text())), variables))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services with every default."""
    found: dict[str, Any] = rendered({})["services"]
    return found


def fits_the_schema(file: Path) -> bool:
    """Whether the compose specification's JSON schema accepts the file."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def published(port: Any) -> str:
    """A published port in the short form, whichever way it was rendered."""
    if isinstance(port, str):
        return port
    return f"{port['host_ip']}:{port['published']}:{port['target']}"


def test_it_fits_the_specification(tmp_path: Path) -> None:
    """The compose specification's schema accepts the file, and refuses a misspelt key."""
    assert fits_the_schema(COMPOSE)
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(COMPOSE.read_text().replace("healthcheck:", "healthchek:", 1))
    assert not fits_the_schema(broken)


def test_it_holds_every_server_and_every_processor(services: dict[str, Any]) -> None:
    """One service per processor, one that prepares, and the servers."""
    assert set(services) == SERVERS | set(ROLES) | {"road"}


def test_images_are_pinned(services: dict[str, Any]) -> None:
    """Each by its full version; Kafka is the one that the local stack runs."""
    for name, service in services.items():
        assert PINNED.fullmatch(service["image"]), name
    assert services["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_whatever_stays_is_health_checked_and_restarted(services: dict[str, Any]) -> None:
    """And nothing starts before what it needs is healthy."""
    for name in SERVERS | set(ROLES):
        assert services[name]["healthcheck"]["test"], name
        assert services[name]["restart"] == "unless-stopped", name
    for role in ROLES:
        assert services[role]["depends_on"]["road"]["condition"] == "service_completed_successfully"
        assert services[role]["healthcheck"]["test"][-1] == role
    for server in ("kafka", "clickhouse", "schema-registry"):
        assert services["road"]["depends_on"][server]["condition"] == "service_healthy"


def test_ports_are_bound_to_loopback_and_can_be_chosen(services: dict[str, Any]) -> None:
    """Nobody outside of the machine reaches a server, and a second stack can be given other ports."""
    ports = [published(port) for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == len(SERVERS)
    assert all(port.startswith("127.0.0.1:") for port in ports)
    moved = rendered({"KAFKA_PORT": "19092"})["services"]["kafka"]
    assert published(moved["ports"][0]) == "127.0.0.1:19092:9092"
    assert "OUTSIDE://127.0.0.1:19092" in moved["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_our_containers_are_not_root_and_cannot_become_it(services: dict[str, Any]) -> None:
    """Numeric user, no capabilities, no new privileges, nothing writable but memory."""
    for name in (*ROLES, "road"):
        service = services[name]
        assert service["user"] == "10001:10001"
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
    assert services["clickhouse"]["user"] == "101:101"
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_commands_are_modules_that_exist(services: dict[str, Any]) -> None:
    """The image's entry point is `python -m`: each command and health check names one of our modules."""
    for name in (*ROLES, "road"):
        assert importlib.util.find_spec(services[name]["command"][0]), name
    check = services["profiler"]["healthcheck"]["test"]
    assert check[:3] == ["CMD", "python", "-m"]
    assert importlib.util.find_spec(check[3])


def test_processors_are_told_where_everything_is(services: dict[str, Any]) -> None:
    """By the variables that every part of Hindcast reads, with the names of the services as hosts."""
    told = services["recorder"]["environment"]
    assert told["HINDCAST_KAFKA"].split(":")[0] in services
    assert "@clickhouse:8123" in told["HINDCAST_CLICKHOUSE"]
    assert told["HINDCAST_SCHEMA_REGISTRY"] == "http://schema-registry:8081"
    secret = rendered({"CLICKHOUSE_PASSWORD": "s3cret"})["services"]
    assert "hindcast:s3cret@" in secret["recorder"]["environment"]["HINDCAST_CLICKHOUSE"]
    assert secret["clickhouse"]["environment"]["CLICKHOUSE_PASSWORD"] == "s3cret"


def test_embedded_settings_are_what_they_seem() -> None:
    """The analyst's user file is XML and only reads, look-ups have their cache; Grafana's data source is YAML and asks as the analyst."""
    inline = rendered({})["configs"]
    analyst = ET.fromstring(inline["analyst"]["content"])
    assert analyst.findtext("profiles/analyst/readonly") == "2"
    # the analyst's limits are those that `hindcast analyst` sets, and no setting of a statement changes them
    limits = set(re.findall(r"(\w+) = \S+ CONST", (REPOSITORY / "sql/users/analyst.sql").read_text()))
    for name in limits - {"readonly"}:
        assert analyst.findtext(f"profiles/analyst/{name}")
        assert analyst.find(f"profiles/analyst/constraints/{name}/readonly") is not None
    assert (
        int(ET.fromstring(inline["look_ups"]["content"]).findtext("index_uncompressed_cache_size", "0")) > 0
    )
    assert analyst.findtext("users/analyst/grants/query") == "GRANT SELECT, SHOW ON hindcast.*"
    (source,) = yaml.safe_load(inline["datasource"]["content"])["datasources"]
    assert source["jsonData"]["username"] == "analyst"


def test_the_image_is_pinned_and_ends_as_an_ordinary_user() -> None:
    """Every base image by its full version; the last USER is a number that is not 0; no secrets are copied in."""
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases
    assert all(PINNED.fullmatch(base) for base in bases)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users[-1] == "10001:10001"
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"


def test_a_pulse_is_a_fresh_heartbeat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The health check passes while a processor beats, and fails with a line when it is silent or never spoke."""
    now = datetime.now(UTC)
    assert pulse("recorder", tmp_path, now) == 1
    StatusFile("recorder", "0", tmp_path).beat({}, {})
    assert pulse("recorder", tmp_path, datetime.now(UTC)) == 0
    assert pulse("recorder", tmp_path, now + timedelta(minutes=1)) == 1
    assert "last heartbeat" in capsys.readouterr().err
