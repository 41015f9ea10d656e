"""Fixtures of the profiler's tests: topics of their own, and a profiler run over what is on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from profiled_log import SketchLog
from running_profiler import all_read, running_profiler

from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> KafkaSettings:
    """A prefix with our topics created."""
    found = KafkaSettings(bootstrap=kafka, topic_prefix=topic_prefix)
    wanted = [topics()[name] for name in ("predictions", "contracts", "sketches")]
    create_topics(found, wanted, partitions=3)
    return found


@pytest.fixture
def profiled(settings: KafkaSettings) -> Callable[[], SketchLog]:
    """Run a profiler until everything is read, and give what it wrote."""

    def profile() -> SketchLog:
        with running_profiler(settings):
            return all_read(settings)

    return profile
