"""Say it: publish predictions, labels and deployments to Kafka from a serving service.

::

    from producers import PredictionLogger

    log = PredictionLogger(model="flight-delay", model_version="2")
    prediction_id = log.prediction(features={"dep_delay": 11.0, "carrier": "UA"}, score=0.31, decision="on_time")
    log.label(prediction_id, truth="late")

Importing this package loads none of its modules: a name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producers.errors import (
        BrokerUnavailable,
        ConfigError,
        ContractError,
        HindcastError,
        InvalidEvent,
        SpoolUnavailable,
        StoreUnavailable,
        TransientError,
        Undecodable,
        UnknownSchema,
    )
    from producers.intake import Stats
    from producers.logged import Logged
    from producers.logger import PredictionLogger
    from producers.settings import KafkaSettings

__all__ = [
    "BrokerUnavailable",
    "ConfigError",
    "ContractError",
    "HindcastError",
    "InvalidEvent",
    "KafkaSettings",
    "Logged",
    "PredictionLogger",
    "SpoolUnavailable",
    "Stats",
    "StoreUnavailable",
    "TransientError",
    "Undecodable",
    "UnknownSchema",
]

_ELSEWHERE = {
    "KafkaSettings": "settings",
    "Logged": "logged",
    "PredictionLogger": "logger",
    "Stats": "intake",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
