"""The two calls of `PredictionLogger` that take whole tables."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from producers import ledger as reasons
from producers.channel import Channel
from producers.codec import Registry
from producers.errors import ConfigError

if TYPE_CHECKING:
    from producers.at_source.source_contract import SourceContract

TABLE_WAIT_S = 30.0
_log = logging.getLogger("hindcast.producers")


class BatchLogging:
    """What a logger does with tables; `PredictionLogger` is one."""

    model: str
    model_version: str
    environment: str
    _categorical: frozenset[str]
    _clock: Callable[[], int]
    _registry: Registry | None
    _channel: Channel
    _contract: SourceContract | None

    def predictions(
        self,
        table: Any,
        *,
        features: Sequence[str],
        columns: Mapping[str, str] | None = None,
        probabilities: Mapping[str, str] | None = None,
        quantiles: Mapping[str, str] | None = None,
        segments: Sequence[str] = (),
        wait: float = TABLE_WAIT_S,
        **constants: object,
    ) -> list[str]:
        """Publish one prediction per row of an Arrow, pandas or polars table; returns their prediction ids.

        This is for batch jobs: it encodes on the caller's thread and may wait for room, for as long as anything is being
        delivered and ``wait`` seconds more; what then finds none is dropped and counted, until something is delivered
        again. Needs pyarrow and numpy.

        Args:
            table: a column named like a field of prediction.v1 is that field, unless it is listed elsewhere.
            features: columns that were the model's inputs.
            columns: the column of each field that has another name, such as ``{"entity_id": "customer"}``.
            probabilities: the column of each class.
            quantiles: the column of each quantile.
            segments: columns to slice by that were no inputs; a null is left out.
            wait: seconds without a delivery.
            constants: fields with one value for all rows, such as ``served=False``.

        Raises:
            InvalidEvent: a column that is missing or would change silently; nothing is sent.
            ConfigError: pyarrow or numpy is not installed.
        """
        _need_arrow()
        from producers.bulk import (  # loads pyarrow, which a service without tables does without
            count_dropped,
            send_table,
        )
        from producers.tables import prediction_rows  # the same

        rows = prediction_rows(
            table,
            features=features,
            categorical=self._categorical,
            columns=columns or {},
            probabilities=probabilities or {},
            quantiles=quantiles or {},
            segments=segments,
            constants=constants,
            defaults={
                "model": self.model,
                "model_version": self.model_version,
                "environment": self.environment,
                "event_time": self._clock() // 1000,
            },
            kinds=self._contract.kinds if self._contract else {},
        )
        ids: list[str] = rows.fields["prediction_id"].to_pylist()
        if self._contract is not None:
            admitted = self._contract.admit_table(rows)
            count_dropped(self._channel.intake(), admitted.sampled, reasons.SAMPLED)
            count_dropped(self._channel.intake(), admitted.invalid, reasons.INVALID)
            if admitted.problem is not None:
                _log.warning(
                    "rows dropped as invalid: %d, such as %s", len(admitted.invalid), admitted.problem
                )
            rows = admitted.rows
        send_table(self._channel.intake(), rows, self._registry, wait)
        return ids

    def labels(
        self,
        table: Any,
        *,
        columns: Mapping[str, str] | None = None,
        wait: float = TABLE_WAIT_S,
        **constants: object,
    ) -> list[str]:
        """Publish one label per row; like `predictions`, with the fields of label.v1. Returns their label ids.

        A column of truths may hold classes or numbers, as `label` takes them.
        An id not given is made from the fact itself, so that a load done twice repeats nothing; that needs
        ``reported_at`` in the table, which else is the moment of this call.
        """
        _need_arrow()
        from producers.bulk import send_table  # loads pyarrow, which a service without tables does without
        from producers.tables import label_rows  # the same

        rows = label_rows(
            table,
            columns=columns or {},
            constants=constants,
            defaults={"model": self.model, "reported_at": self._clock() // 1000},
        )
        send_table(self._channel.intake(), rows, self._registry, wait)
        ids: list[str] = rows.fields["label_id"].to_pylist()
        return ids


def _need_arrow() -> None:
    for package in ("pyarrow", "numpy"):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"tables need {package}: pip install 'hindcast[processors]'")
