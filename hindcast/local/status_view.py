"""The status of a local stack as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hindcast.local.layout import told
from hindcast.local.status import STALE_S

_COLOURS = {"running": "green", "starting": "yellow", "stopping": "yellow", "stopped": "dim"}
_NAMED_PARTITIONS = 8


def render_status(status: Mapping[str, Any]) -> RenderableType:
    """One table with a line per process, the addresses below it, and errors in full below that."""
    if not status["running"]:
        up = told("up", Path(status["directory"]))
        return Group(_unbroken(f"nothing runs in {status['directory']}: start it with `{up}`"))
    if "problem" in status:
        return Group(_unbroken(f"{status['directory']}: {status['problem']}", style="red"))
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "state", "pid", "up", "restarts"):
        table.add_column(heading, no_wrap=True)
    for heading in ("events/s", "lag"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("furthest behind", justify="right")
    for line in status["processes"]:
        table.add_row(*_cells(line, status["topic_prefix"]))
    where = _unbroken(
        f"\nKafka       {status['kafka']}   topics {status['topic_prefix']}.*\n"
        f"ClickHouse  {status['clickhouse']}   database {status['database']}\n"
        f"data        {status['directory']}",
        style="dim",
    )
    return Group(table, where, *_troubles(status["processes"], status["disk_full"]))


def _unbroken(text: str, *, style: str = "") -> Text:
    """Lines as they are, however narrow the terminal: addresses and commands are for pasting.

    In a `Group`, since a console that is given a text itself forgets that it is not to be broken.
    """
    return Text(text, style=style, no_wrap=True, overflow="ignore")


def _cells(line: Mapping[str, Any], topic_prefix: str) -> list[RenderableType]:
    state = Text(line["state"], style=_COLOURS.get(line["state"], "red"))
    shown: list[RenderableType] = [
        str(line["name"]),
        state,
        str(line["pid"] or ""),
        _span(line["uptime_s"]),
        str(line["restarts"] or ""),
    ]
    if "lag_total" not in line:
        return [*shown, "", "", ""]
    place, lag = max(line["lag"].items(), key=lambda item: item[1], default=("", 0))
    behind = f"{place.removeprefix(topic_prefix + '.')} {lag:,}" if lag else ""
    return [*shown, f"{line['events_per_s']:,.0f}", f"{line['lag_total']:,}", behind]


def _troubles(lines: list[Mapping[str, Any]], disk_full: str) -> list[Text]:
    """What a person should know: a disk that is full, exits, paused partitions, errors, silence."""
    found = [disk_full] if disk_full else []
    for line in lines:
        if line["last_exit"]:
            found.append(
                f"{line['name']} ended ({line['last_exit']}) at {line['last_exit_at'][:19]} and was restarted"
            )
        if line.get("paused"):
            found.append(_waiting(line["name"], line["paused"]))
        if line.get("last_error"):
            found.append(f"{line['name']}: {line['last_error']}")
        if line.get("heartbeat_age_s") and line["heartbeat_age_s"] > STALE_S:
            found.append(
                f"{line['name']} has said nothing for {line['heartbeat_age_s']:.0f} s (see {line['log']})"
            )
    return [Text(f"! {text}", style="yellow") for text in found]


def _waiting(name: str, places: list[str]) -> str:
    """Which partitions stand still; the joiner's wait until the recorder has what it needs of them."""
    more = f" and {len(places) - _NAMED_PARTITIONS} more" if len(places) > _NAMED_PARTITIONS else ""
    named = ", ".join(places[:_NAMED_PARTITIONS]) + more
    return f"{name} waits for the recorder: {named}" if name == "joiner" else f"{name} has paused {named}"


def _span(seconds: float | None) -> str:
    """A span as people say it: 42s, 3m10s, 5h07m, 2d03h."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"
