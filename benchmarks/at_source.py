"""What a contract at the source costs a service per event and per row: 20 features, of which two are personal data.

Time of the thread that does it, the least of many runs of 500 events each: other processes of the machine are not part of it. ``record`` is what
making the record costs anyway, ``standard_hmac`` one hash by the standard library; ``table`` is per row, by columns.
"""

from __future__ import annotations

import hmac
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

import pyarrow as pa

from producers.at_source.contract_file import promises_of
from producers.at_source.pseudonyms import Pseudonyms
from producers.at_source.source_contract import SourceContract
from producers.events import prediction_record
from producers.tables import prediction_rows

EVENTS = 500
ROWS = 20_000
KEY = Pseudonyms(bytes(range(32)))
SAID: dict[str, Any] = {"model": "bench", "model_version": "1", "environment": "production", "event_time": 0}


def contract(customer: str = "none", amount: str = "none", **more: Any) -> SourceContract:
    """Twenty required features; what becomes of two of them."""
    features: dict[str, dict[str, Any]] = {
        f"num_{i}": {"kind": "numeric", "required": True} for i in range(15)
    }
    features |= {f"cat_{i}": {"kind": "categorical", "required": True} for i in range(3)}
    features["customer"] = {"kind": "categorical", "pii": customer}
    features["amount"] = {"kind": "numeric", "pii": amount} | ({"bucket": 10} if amount == "bucket" else {})
    if amount == "hash":
        features["amount"]["kind"] = "categorical"
    return SourceContract(promises_of({"model": "bench", "features": features, **more}, "bench"), KEY)


def features(number: int) -> dict[str, object]:
    """The features of an event; numbers repeat every hundred, customers with the number."""
    found: dict[str, object] = {f"num_{i}": float(number % 100 + i) for i in range(15)}
    found |= {f"cat_{i}": f"value{number % 7}" for i in range(3)}
    return found | {"customer": f"customer-{number}", "amount": number}


def least(runs: int, prepare: Callable[[int], Any], work: Callable[[Any], object]) -> float:
    """The least seconds of this thread that a run took."""
    best = float("inf")
    for run in range(runs):
        ready = prepare(run)
        began = time.thread_time()
        work(ready)
        best = min(best, time.thread_time() - began)
    return best


def per_event(source: SourceContract, runs: int, *, new: bool) -> tuple[float, float]:
    """Microseconds of making a record and of `admit` after it; with ``new`` customers in every run, or the same hundred.

    A record is admitted while it is fresh from being made, as the sender does it, so the second is a difference of two runs.
    """

    def said(run: int) -> list[tuple[str, dict[str, object]]]:
        numbers = [run * EVENTS + i if new else i % 100 for i in range(EVENTS)]
        return [(str(number), features(number)) for number in numbers]

    def made(events: list[tuple[str, dict[str, object]]]) -> None:
        for its_id, inputs in events:
            prediction_record(
                prediction_id=its_id, request_id=its_id, features=inputs, kinds=source.kinds, **SAID
            )

    def admitted(events: list[tuple[str, dict[str, object]]]) -> None:
        for its_id, inputs in events:
            source.admit(
                prediction_record(
                    prediction_id=its_id, request_id=its_id, features=inputs, kinds=source.kinds, **SAID
                )
            )

    making = least(runs, said, made)
    return making / EVENTS * 1e6, (least(runs, said, admitted) - making) / EVENTS * 1e6


def per_row(source: SourceContract, runs: int) -> float:
    """Microseconds of `admit_table` per row, every customer another."""
    names = list(features(0))
    columns = {name: [features(n)[name] for n in range(ROWS)] for name in names}
    table = pa.table({**columns, "request_id": [f"r{n}" for n in range(ROWS)]})

    def rows(_: int) -> Any:
        return prediction_rows(
            table, features=names, categorical=(), columns={}, probabilities={}, quantiles={}, segments=(),
            constants={}, defaults=SAID, kinds=source.kinds,
        )  # fmt: skip

    return least(runs, rows, source.admit_table) / ROWS * 1e6


def say(measure: str, value: float, n: int) -> None:
    """One line of JSON."""
    line = {"measure": f"at_source.{measure}", "value": round(value, 3), "unit": "us", "n": n}
    print(json.dumps(line), flush=True)


def main() -> None:
    """Each protection and policy by itself, beside making the record."""
    runs = 40 if os.environ.get("QUICK") else 400
    key, text = bytes(range(32)), b"customer-1234"
    standard = least(
        runs, lambda _: None, lambda _: [hmac.digest(key, text, "sha256") for _ in range(EVENTS)]
    )
    say("standard_hmac_us", standard / EVENTS * 1e6, runs * EVENTS)
    for name, source, new in (
        ("kinds_us", contract(), True),
        ("reject_us", contract(on_violation="reject"), True),
        ("drop_and_bucket_us", contract("drop", "bucket"), True),
        ("hash_two_known_us", contract("hash", "hash"), False),
        ("hash_two_new_us", contract("hash", "hash"), True),
        ("sample_us", contract(sampling_rate=1 - 1e-9), True),
    ):
        making, admitting = per_event(source, runs, new=new)
        if name == "kinds_us":
            say("record_us", making, runs * EVENTS)
        say(name, admitting, runs * EVENTS)
    for name, source in (
        ("table_drop_and_bucket_us", contract("drop", "bucket")),
        ("table_hash_one_us", contract("hash")),
        ("table_sample_us", contract(sampling_rate=1 - 1e-9)),
    ):
        say(name, per_row(source, max(runs // 20, 3)), ROWS)


if __name__ == "__main__":
    main()
