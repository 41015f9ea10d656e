"""The client examples run as they are, each by its own runtime."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from gateway_process import ROOT
from running_gateway import GOOD, RunningGateway, running_gateway
from runtimes import curl, go, node
from waiting import eventually

from producers.gateway.keys import add_key
from producers.gateway.settings import GatewaySettings
from producers.limits import Limits
from producers.testing import MemorySink

EXAMPLES = ROOT / "examples" / "gateway"
START_S = 300


def of_curl() -> list[str]:
    """The shell finds curl on the PATH."""
    assert curl()
    return ["sh", str(EXAMPLES / "send.sh")]


def of_node() -> list[str]:
    """TypeScript as it stands."""
    return [node(), str(EXAMPLES / "send.ts")]


def of_go() -> list[str]:
    """Built where it is run; Go keeps what it built of its own library."""
    return [go(), "run", str(EXAMPLES / "send.go")]


def variables(gateway: RunningGateway, key: str) -> dict[str, str]:
    """Where the gateway is; Go's caches beside ours, and nothing of Go from elsewhere."""
    cache = Path(os.environ.get("HINDCAST_CACHE") or ROOT / ".cache")
    return {
        **os.environ,
        "GATEWAY_URL": f"http://127.0.0.1:{gateway.port}",
        "GATEWAY_KEY": key,
        "PREDICTION_ID": "order-17",
        "GOCACHE": str(cache / "go-build"),
        "GOPATH": str(cache / "go"),
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
        "CGO_ENABLED": "0",
    }


@pytest.mark.timeout(2 * START_S)
@pytest.mark.parametrize("command", [of_curl, of_node, of_go])
def test_the_example_arrives(command: Callable[[], list[str]], tmp_path: Path) -> None:
    """Two predictions and a label, with a key; one that finds no room at first is sent again."""
    file = tmp_path / "keys.json"
    key = add_key(file, "example", ("delivery", "churn"), datetime.now(UTC))
    sink = MemorySink(capacity=1)
    sink.away = True
    settings = GatewaySettings(keys=file, items=5)
    with running_gateway(settings, sink=sink, limits=Limits(events=5)) as gateway:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        eventually(lambda: gateway.send("predictions", GOOD, headers).status == 503, saying="it is full")
        running = subprocess.Popen(
            command(),
            cwd=tmp_path,
            env=variables(gateway, key),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            refused = 'hindcast_gateway_requests_total{status="503",stream="predictions"} 2.0'
            eventually(
                lambda: refused in gateway.ask("GET", "/metrics").body.decode() or running.poll() is not None,
                within=START_S,
                saying="the example was refused once",
            )
            sink.away = False
            said, complained = running.communicate(timeout=START_S)
        finally:
            running.kill()
            running.wait()
        assert running.returncode == 0, complained
        assert b"delivered" in said
        records = gateway.recorded("predictions", ["order-17-1", "order-17-2"])
        (label,) = gateway.recorded("labels", ["order-17-1-arrived"])
    assert [record["categorical_features"] for record in records] == [{"vehicle": "bike"}, {"vehicle": "van"}]
    assert [record["numeric_features"] for record in records] == [{"distance_km": 3.2}, {"distance_km": 12.0}]
    assert (label["prediction_id"], label["truth_value"]) == ("order-17-1", 25.0)


@pytest.mark.timeout(2 * START_S)
@pytest.mark.parametrize("command", [of_curl, of_node, of_go])
def test_the_example_fails_where_the_key_is_wrong(command: Callable[[], list[str]], tmp_path: Path) -> None:
    """It ends with an error and shows the gateway's own words."""
    file = tmp_path / "keys.json"
    add_key(file, "example", ("delivery",), datetime.now(UTC))
    with running_gateway(GatewaySettings(keys=file)) as gateway:
        done = subprocess.run(
            command(),
            cwd=tmp_path,
            env=variables(gateway, "hgk_wrong"),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert "this API key is not known" in done.stdout + done.stderr
