"""What it costs to keep an event on disk while Kafka is away, and to read it again, and what compression would cost and save.

Predictions with 16 numeric and 4 categorical features, appended 64 at a time, as the sender does. CPU time of the whole process,
the kernel's part included; nothing is sent anywhere.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

from producers.codec import encode
from producers.events import prediction_record
from producers.ids import prediction_id_at
from producers.ledger import HOUR
from producers.spool import Spool, Spooled
from producers.spool.message import pack

AN_APPEND = 64
START = 1_760_000_400_000_000


def prediction(chance: random.Random, number: int) -> Spooled:
    """One event, a millisecond after the one before."""
    at = START + 1_000 * number
    features: dict[str, object] = {f"numeric_{n}": chance.gauss(0, 100) for n in range(16)}
    features |= {f"category_{n}": chance.choice(["JFK", "LGA", "EWR", "other"]) for n in range(4)}
    prediction_id = prediction_id_at(at)
    record = prediction_record(
        prediction_id=prediction_id,
        model="flights",
        model_version="1",
        environment="production",
        event_time=at,
        features=features,
        score=chance.random(),
        producer_id="01998d5e-0000-7000-8000-000000000000",
        sequence=number,
    )
    value = encode("prediction", record)
    return Spooled("predictions", prediction_id.encode(), value, "flights", "production", at - at % HOUR)


def main() -> None:
    """Append, read and compress, and print what that took."""
    count = 20_000 if os.environ.get("QUICK") else 200_000
    chance = random.Random(1)
    events = [prediction(chance, number) for number in range(count)]
    appends = [events[place : place + AN_APPEND] for place in range(0, count, AN_APPEND)]
    with tempfile.TemporaryDirectory() as directory:
        spool = Spool(Path(directory))
        began = time.process_time()
        for messages in appends:
            spool.append(messages)
        appended = time.process_time() - began
        spool.close()
        size = sum(path.stat().st_size for path in Path(directory).iterdir())
        began, read = time.process_time(), 0
        while (segment := spool.claim()) is not None:
            read += sum(1 for _ in segment.messages())
            segment.done()
        reading = time.process_time() - began
    assert read == count
    blocks = [b"".join(map(pack, messages)) for messages in appends]
    began = time.process_time()
    deflated = sum(len(zlib.compress(block, level=1)) for block in blocks)
    deflating = time.process_time() - began
    for measure, value, unit in (
        ("spool.append_cpu_us_per_event", appended / count * 1e6, "us"),
        ("spool.read_cpu_us_per_event", reading / count * 1e6, "us"),
        ("spool.bytes_per_event", size / count, "bytes"),
        ("spool.deflate_cpu_us_per_event", deflating / count * 1e6, "us"),
        ("spool.deflated_ratio", deflated / sum(map(len, blocks)), "ratio"),
    ):
        print(json.dumps({"measure": measure, "value": round(value, 2), "unit": unit, "n": count}))


if __name__ == "__main__":
    main()
