"""The demo's progress: one bar per stage, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)


class Bars:
    """One progress bar per stage, and how long each took. Before the first stage nothing is drawn: rich ends without bars in an empty line."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self.seconds: dict[str, float] = {}
        self._began: dict[TaskID, tuple[str, float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._began:
            self._progress.stop()

    def add(self, name: str, total: int | None) -> TaskID:
        """A new bar; without a total it only moves."""
        self._progress.start()
        task = self._progress.add_task(name, total=total)
        self._began[task] = name, time.monotonic()
        return task

    def set(self, task: TaskID, done: int) -> None:
        """How far a bar is; its time stops when it is full."""
        self._progress.update(task, completed=done)
        name, began = self._began[task]
        if self._progress.tasks[task].finished and name not in self.seconds:
            self.seconds[name] = time.monotonic() - began

    def stage(self, name: str) -> Stage:
        """A stage of one step; inside, a function takes words to show beside its name."""
        return Stage(self, name)

    def counted(self, name: str, total: int | None) -> Counted:
        """A stage of many steps; inside, a function takes how many were done. Without a total its end is not foreseen."""
        return Counted(self, name, total)

    def describe(self, task: TaskID, words: str) -> None:
        """Other words beside a bar."""
        self._progress.update(task, description=words)


class Stage:
    """See `Bars.stage`."""

    def __init__(self, bars: Bars, name: str) -> None:
        self._bars, self._name = bars, name

    def __enter__(self) -> Callable[[str], None]:
        self._task = self._bars.add(self._name, 1)
        return lambda words: self._bars.describe(self._task, f"{self._name} [dim]({words})[/dim]")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bars.describe(self._task, self._name)
        if kind is None:
            self._bars.set(self._task, 1)


class Counted:
    """See `Bars.counted`."""

    def __init__(self, bars: Bars, name: str, total: int | None) -> None:
        self._bars, self._name, self._total, self._done = bars, name, total, 0

    def __enter__(self) -> Callable[[int], None]:
        self._task = self._bars.add(self._name, self._total)
        return self._moved

    def __exit__(self, *_: object) -> None:
        self._bars.set(self._task, self._done)

    def _moved(self, count: int) -> None:
        self._done += count
        self._bars.set(self._task, self._done)
