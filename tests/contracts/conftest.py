"""What tests of the contract commands share."""

from __future__ import annotations

import pytest

from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics


@pytest.fixture
def contracts_topic(kafka: str, topic_prefix: str) -> dict[str, str]:
    """Variables of a command that publishes: its own topic of contracts, and a lead that nobody waits for."""
    create_topics(KafkaSettings(kafka, topic_prefix), [topics()["contracts"]])
    return {
        "HINDCAST_KAFKA": kafka,
        "HINDCAST_TOPIC_PREFIX": topic_prefix,
        "HINDCAST_CONTRACT_LEAD": "0.1",
    }
