"""What a query reads, as ClickHouse plans it, and what of that is too much."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.queries import NamedQuery
from stream_processors.clickhouse import Store
from stream_processors.sql_files import sql_files

# they grow with the traffic; all others with models, versions and deployments
BIG = ("predictions", "sketches", "labels", "outcomes", "intake")
# kept for ever and sorted by the id they are about: nothing of a time can be spared
WITHOUT_PARTITIONS = ("labels",)


@dataclass(frozen=True)
class Read:
    """One reading of a table.

    Attributes:
        pruned: some of its parts are not read.
        by_key: the sort key narrows what is read.
        by_index: names of data-skipping indexes that narrow what is read.
    """

    table: str
    pruned: bool
    by_key: bool
    by_index: tuple[str, ...] = ()


def reads(store: Store, statement: str, bound: Mapping[str, Any]) -> list[Read]:
    """Every reading of a big table by a statement."""
    rows = store.rows(f"EXPLAIN json = 1, indexes = 1 {statement}", bound)
    plan = json.loads("\n".join(row["explain"] for row in rows))
    return [read for part in plan for read in _reads(part["Plan"]) if read.table in BIG]


def _reads(node: Mapping[str, Any]) -> Iterator[Read]:
    if node["Node Type"] == "ReadFromMergeTree":
        indexes = node.get("Indexes", [])
        yield Read(
            node["Description"].rpartition(".")[2],
            bool(indexes) and indexes[-1]["Selected Parts"] < indexes[0]["Initial Parts"],
            any(index["Type"] == "PrimaryKey" and index.get("Keys") for index in indexes),
            tuple(
                index["Name"]
                for index in indexes
                if index["Type"] == "Skip" and index["Selected Parts"] < index["Initial Parts"]
            ),
        )
    for inner in node.get("Plans", []):
        yield from _reads(inner)


def too_much(found: Sequence[Read], of_query: Sequence[str], of_views: Sequence[str]) -> list[str]:
    """What is wrong with the readings of a query, in words; nothing where all is well.

    Every reading narrows by the sort key, and every table is read in part. What a query's own header names may be read whole; what the header
    of a view names may be read once more, whole but for the sort key.
    """
    wrong = []
    for table in sorted({read.table for read in found}):
        here = [read for read in found if read.table == table]
        if table in of_query:
            if all(read.pruned and read.by_key for read in here):
                wrong.append(f"{table} is said to be read whole and is not")
            continue
        if not all(read.by_key for read in here):
            wrong.append(f"{table} is read without its sort key")
        if table not in WITHOUT_PARTITIONS and not any(read.pruned for read in here):
            wrong.append(f"{table} is read in all its parts")
        elif table not in (*WITHOUT_PARTITIONS, *of_views) and not all(read.pruned for read in here):
            wrong.append(f"{table} is read again in all its parts")
    return wrong + [
        f"{table} is said to be read whole and is not read"
        for table in set(of_query) - {r.table for r in found}
    ]


def said_by_views(query: NamedQuery) -> list[str]:
    """Tables that the views a query uses say they read whole, views of views included."""
    texts = {path.stem[3:]: path.read_text(encoding="utf-8") for path in sql_files("views")}
    seen: set[str] = set()
    waiting = [query.text]
    while waiting:
        text = waiting.pop()
        named = {name for name in texts if re.search(rf"\b{name}\b", text)} - seen
        seen |= named
        waiting += [texts[name] for name in named]
    return [
        table
        for name in sorted(seen)
        for table in re.findall(r"^-- whole: (\w+): .+$", texts[name], re.MULTILINE)
    ]
