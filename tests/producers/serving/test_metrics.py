"""The counts of a logger as Prometheus reads them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families
from waiting import eventually

from producers import KafkaSettings, PredictionLogger
from producers.metrics import CONTENT_TYPE, METRICS, ProducerCollector, render
from producers.testing import MemorySink

ROOT = Path(__file__).parents[3]
PREFIX = "hindcast_producer_"


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of the real client, with nothing in it."""
    return CollectorRegistry()


def by_reason(registry: CollectorRegistry, reason: str) -> float | None:
    """Events of model m dropped for a reason."""
    return registry.get_sample_value(f"{PREFIX}dropped_total", {"model": "m", "reason": reason})


def test_a_scrape_shows_the_counts_of_its_moment(registry: CollectorRegistry) -> None:
    """What was taken, delivered, refused, dropped and waits is shown by model, and a loss by its reason, which begins at 0."""
    sink = MemorySink()
    sink.refuse = {"deployments": "TOPIC_AUTHORIZATION_FAILED"}
    log = PredictionLogger(model="m", sink=sink)
    registry.register(ProducerCollector(log))
    assert by_reason(registry, "invalid") == 0
    for _ in range(3):
        log.prediction(score=0.5)
    log.prediction(features={"x": [1]})
    log.deployment(role="champion")
    assert log.flush() == 0
    sink.away = True
    log.prediction()
    found = {
        metric.name.removeprefix(PREFIX): registry.get_sample_value(metric.name, {"model": "m"})
        for metric in METRICS
        if metric.reasons is None
    }
    expected = {"accepted_total": 6, "delivered_total": 3, "spooled_total": 0, "replayed_total": 0}
    assert found == {**expected, "waiting": 1, "faulty": 0}
    why = {"model": "m", "reason": "TOPIC_AUTHORIZATION_FAILED"}
    assert registry.get_sample_value(f"{PREFIX}failed_total", why) == 1
    assert by_reason(registry, "invalid") == 1
    sink.away = False
    log.close()


def test_a_fault_is_shown(registry: CollectorRegistry) -> None:
    """A logger whose settings are refused is faulty."""
    log = PredictionLogger(model="m", kafka=KafkaSettings("127.0.0.1:1", properties={"no.such.setting": "1"}))
    log.prediction()
    registry.register(ProducerCollector(log))
    eventually(lambda: log.stats.fault, saying="the fault")
    assert registry.get_sample_value(f"{PREFIX}faulty", {"model": "m"}) == 1
    log.close(0.1)


def test_loggers_of_one_model_are_added_up(registry: CollectorRegistry) -> None:
    """Two loggers of a model are one series, two models are two; names may hold anything."""
    odd = 'quo"te\\ \n飛'
    logs = [PredictionLogger(model=model, sink=MemorySink()) for model in ("m", "m", odd)]
    for log in logs:
        log.prediction()
        assert log.flush() == 0
    registry.register(ProducerCollector(*logs))
    assert registry.get_sample_value(f"{PREFIX}delivered_total", {"model": "m"}) == 2
    assert registry.get_sample_value(f"{PREFIX}delivered_total", {"model": odd}) == 1
    ours = text_string_to_metric_families(render(*logs))
    theirs = text_string_to_metric_families(generate_latest(registry).decode())
    assert sorted(ours, key=lambda family: family.name) == sorted(theirs, key=lambda family: family.name)
    for log in logs:
        log.close()


def test_metrics_keep_the_rules_of_prometheus(registry: CollectorRegistry) -> None:
    """A counter's name ends in total and no other's does, each has a meaning, and the text is of the type it says."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith(PREFIX)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.meaning.endswith(".")
    assert CONTENT_TYPE == CONTENT_TYPE_PLAIN_0_0_4
    registry.register(ProducerCollector())
    families = {family.name: family for family in registry.collect()}
    assert {metric.name.removesuffix("_total") for metric in METRICS} == set(families)


def test_text_needs_no_client() -> None:
    """A service without prometheus_client may answer a scrape itself."""
    program = (
        "import sys; from producers import PredictionLogger; from producers.testing import MemorySink\n"
        "from producers.metrics import render\n"
        "print(render(PredictionLogger(model='m', sink=MemorySink())))\n"
        "print([name for name in sys.modules if name.startswith('prometheus')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 'hindcast_producer_accepted_total{model="m"} 0' in done.stdout
    assert done.stdout.rstrip().endswith("[]")


def test_the_page_lists_every_metric() -> None:
    """docs/logging.md names each metric of a logger, and no other."""
    page = (ROOT / "docs" / "logging.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(hindcast_producer_\w+)`", page)) == {metric.name for metric in METRICS}
