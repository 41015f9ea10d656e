"""The account of each producer and hour, worked out from ledgers and arrivals in Python: sets of numbers, no SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]
Key = tuple[str, str, datetime]


def producer_hours(
    ledgers: Sequence[Row], intake: Sequence[Row], living: set[str]
) -> dict[Key, dict[str, Any]]:
    """The figures of view producer_hours by (producer, model, hour), each worked out as its header says."""
    told: dict[Key, Row] = {}
    for row in sorted(ledgers, key=lambda row: row["sent_at"]):
        told[row["producer_id"], row["model"], row["hour"]] = row
    arrived: dict[Key, set[int]] = defaultdict(set)
    for row in intake:
        hour = row["event_time"].replace(minute=0, second=0, microsecond=0)
        arrived[row["producer_id"], row["model"], hour].add(row["sequence"])
    found = {key: _told_part(told.get(key), arrived[key]) for key in {*told, *arrived}}
    for producer in {producer for producer, _, _ in found}:
        _of_producer({key: one for key, one in found.items() if key[0] == producer}, alive=producer in living)
    for place in {key[1:] for key in found}:
        _share_spool({key: one for key, one in found.items() if key[1:] == place}, living)
    for one in found.values():
        _settle(one)
    return found


def _told_part(told: Row | None, arrived: set[int]) -> dict[str, Any]:
    """What one account's newest ledger says beside what arrived of it."""
    told = told or {"accepted": 0, "dropped": {}, "failed": 0, "spooled": 0, "replayed": 0, "closing": False}
    last = told.get("last_sequence")
    last = -1 if last is None else last
    dropped = sum(told["dropped"].values())
    rest = max(0, told["accepted"] - dropped - len({number for number in arrived if number <= last}))
    failed = min(told["failed"], rest)
    return {
        "numbers": arrived,
        "last": last,
        "newest": max([last, *arrived]),
        "clean": told["closing"] and max(arrived, default=-1) <= last,
        "limit": told.get("queue_limit"),
        "dropped": dropped,
        "failed": failed,
        "nowhere": rest - failed,
        "written": told["spooled"],
        "in_spool": told["spooled"] - told["replayed"],
    }


def _of_producer(accounts: dict[Key, dict[str, Any]], *, alive: bool) -> None:
    """What can be seen only beside the producer's other accounts: its end, and gaps beyond its ledgers."""
    numbers = set().union(*(one["numbers"] for one in accounts.values()))
    told_to = max(one["last"] for one in accounts.values())
    gaps = {number for number in range(told_to + 1, max(numbers, default=-1)) if number not in numbers}
    accounts[min(accounts, key=lambda key: (-accounts[key]["last"], key[2], key[1]))]["nowhere"] += len(gaps)
    clean = all(one["clean"] for one in accounts.values())
    limit = max((one["limit"] for one in accounts.values() if one["limit"] is not None), default=None)
    newest: dict[str, Key] = {}
    for key in sorted(accounts, key=lambda key: (accounts[key]["newest"], key[2])):
        newest[key[1]] = key
    for key, one in accounts.items():
        one["state"] = "closed" if clean else "live" if alive else "silent"
        one["recent"] = alive
        one["waited"] = limit if one["state"] == "silent" and newest[key[1]] == key else 0


def _share_spool(accounts: dict[Key, dict[str, Any]], living: set[str]) -> None:
    """What lies in spools goes to those that may have written it, the living first."""
    left = sum(one["in_spool"] for one in accounts.values())
    for key in sorted(accounts, key=lambda key: (key[0] not in living, key[0])):
        one = accounts[key]
        holds = min(one["written"], one["nowhere"])
        one["spooled"] = max(0, min(holds, left))
        left -= holds


def _settle(one: dict[str, Any]) -> None:
    rest = one["nowhere"] - one["spooled"]
    one["arrived"] = len(one["numbers"])
    one["accepted"] = one["arrived"] + one["dropped"] + one["failed"] + one["nowhere"]
    one["in_flight"], one["missing"] = (rest, 0) if one["recent"] else (0, rest)
    one["unknown_at_most"] = None if one["waited"] is None else one["missing"] + one["waited"]
