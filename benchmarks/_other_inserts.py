"""The same predictions stored as one would without a recorder: a row an event with clickhouse-connect, and Avro as the engine reads it itself.

Both leave out what a recorder is for: no Kafka, no row in ``intake``, no place in the topic, no look-up of what is there already.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import islice

import clickhouse_connect
import fastavro
from clickhouse_connect.driver import Client

from producers.codec import SINGLE_OBJECT_HEADER, decode
from producers.schema_files import newest
from stream_processors.clickhouse import Store

# messages in one Avro file, which is one insert, as large as a recorder's
PER_FILE = 50_000


@contextmanager
def _client(store: Store, table: str) -> Iterator[Client]:
    """A client, and a table of that name that takes predictions."""
    client = clickhouse_connect.get_client(
        **store.settings.parts(), database=store.database, compress=False, autogenerate_session_id=False
    )
    client.command(f"CREATE TABLE {table} AS predictions")
    try:
        yield client
    finally:
        client.command(f"DROP TABLE {table} SYNC")
        client.close()


def row_inserts(store: Store, messages: Iterable[bytes]) -> float:
    """Rows per second of decoding each message by itself and giving it to ``client.insert``."""
    names = [field["name"] for field in newest("prediction").parsed["fields"]]
    count = 0
    with _client(store, "row_by_row") as client:
        started = time.perf_counter()
        for message in messages:
            record = decode(message)[1]
            record["known_at"] = record["known_at"] or record["event_time"]
            client.insert("row_by_row", [[record[name] for name in names]], column_names=names)
            count += 1
        return count / (time.perf_counter() - started)


def avro_inserts(store: Store, messages: Iterable[bytes]) -> float:
    """Rows per second of ``INSERT ... FORMAT Avro``, from messages whose bodies are joined to files."""
    # null where the broker's time counts, which the table does not take
    names = [field["name"] for field in newest("prediction").parsed["fields"] if field["name"] != "known_at"]
    rest, count = iter(messages), 0
    with _client(store, "as_avro") as client:
        started = time.perf_counter()
        while part := list(islice(rest, PER_FILE)):
            client.raw_insert("as_avro", names, container(part), fmt="Avro")
            count += len(part)
        return count / (time.perf_counter() - started)


def container(messages: Sequence[bytes]) -> bytes:
    """An Avro object container file of one block; the messages' bodies are taken as they are.

    (Avro 1.11 specification, "Object Container Files".)
    """
    # the header, which ends with the marker, is fastavro's; a block is count, size, bodies, marker
    marker, header, sizes = secrets.token_bytes(16), BytesIO(), BytesIO()
    fastavro.writer(header, newest("prediction").parsed, [], sync_marker=marker)
    bodies = b"".join(message[SINGLE_OBJECT_HEADER:] for message in messages)
    for number in (len(messages), len(bodies)):
        fastavro.schemaless_writer(sizes, "long", number)
    return b"".join((header.getvalue(), sizes.getvalue(), bodies, marker))
