"""Where an answer goes: the terminal, a file, or a picture of either."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click
import pyarrow as pa

from evaluation.frames import refuse_equal_names
from hindcast.cli.answers import FORMATS, write_answer
from hindcast.cli.plots import SUFFIXES, draw, draw_file, picture
from producers.errors import ConfigError

PARQUET = "parquet"
_TERMINAL = "-"


@dataclass(frozen=True)
class Output:
    """What the options say.

    Attributes:
        form: one of `FORMATS` or parquet; None: by the file's name, else a table.
        file: where to; None: the standard output.
        plot: file of a picture, or ``-`` for the terminal; None: no picture.
        axes: columns of the picture that were named; what is not named is the question's business.
    """

    form: str | None
    file: Path | None
    plot: str | None
    axes: Mapping[str, str]

    @classmethod
    def from_options(
        cls, form: str | None, file: str | None, plot: str | None, axes: str, *, as_json: bool
    ) -> Output:
        """The same, checked before anything is asked.

        Raises:
            ConfigError: options that contradict one another, or a picture of an unknown kind.
        """
        if as_json and form not in (None, "json"):
            raise ConfigError(f"--json is --format json: leave it out, or --format {form}")
        form = "json" if as_json else form
        if plot is not None and (form or file):
            raise ConfigError("--plot draws: leave --format and --output out")
        if plot not in (None, _TERMINAL) and Path(str(plot)).suffix.lower() not in SUFFIXES:
            raise ConfigError(
                f"--plot wants nothing, or a file that ends in {', '.join(SUFFIXES)}, not {plot!r}"
            )
        path = Path(file) if file else None
        if form is None and path is not None and path.suffix[1:].lower() in (*FORMATS, PARQUET):
            form = path.suffix[1:].lower()
        if form == PARQUET and path is None and sys.stdout.isatty():
            raise ConfigError("Parquet is not for a terminal: --output FILE.parquet says where to")
        return cls(form or "table", path, plot, _axes(axes))

    def write(self, answer: pa.Table, usual_axes: Mapping[str, str] | None = None) -> None:
        """Write or draw an answer. A file appears when it is whole, or not at all.

        Raises:
            ConfigError: columns of one name where each must have its own, nothing to draw, or a file that cannot be written.
        """
        if self.plot is not None:
            self._draw(answer, {**_with_values(answer, usual_axes or {}), **self.axes})
        elif self.file is None:
            _write(answer, str(self.form), sys.stdout)
        else:
            _whole(self.file, lambda path: _to_file(answer, str(self.form), path))

    def _draw(self, answer: pa.Table, axes: Mapping[str, str]) -> None:
        drawn = picture(answer, axes)
        if self.plot == _TERMINAL:
            draw(drawn, sys.stdout, width=shutil.get_terminal_size().columns)
        else:
            _whole(Path(str(self.plot)), lambda path: draw_file(drawn, path))


def output_options(command: Any) -> Any:
    """The options `Output.from_options` takes."""
    for option in (
        click.option("--axes", default="", metavar="x=COLUMN,y=COLUMN,by=COLUMN", help="Columns of --plot, where others than the usual are wanted."),
        click.option("--plot", is_flag=False, flag_value=_TERMINAL, metavar="[FILE]", help="Draw the answer in the terminal, or into a file (.png, .svg, .pdf)."),
        click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
        click.option("--output", "-o", "file", type=click.Path(dir_okay=False), help="Write to this file; its ending gives the form unless --format does."),
        click.option("--format", "form", type=click.Choice((*FORMATS, PARQUET)), help="Form of the answer; a table unless said."),
    ):  # fmt: skip
        command = option(command)
    return command


def _axes(text: str) -> dict[str, str]:
    pairs = dict(part.partition("=")[::2] for part in text.split(",") if part)
    if set(pairs) - {"x", "y", "by"} or not all(pairs.values()):
        raise ConfigError(f"--axes wants x=COLUMN,y=COLUMN,by=COLUMN, not {text!r}")
    return pairs


def _with_values(answer: pa.Table, usual: Mapping[str, str]) -> dict[str, str]:
    """The usual axes; of ``a|b`` the first column that has a value, such as the one of a feature's kind, or ``a``."""
    chosen = {}
    for axis, columns in usual.items():
        names = columns.split("|")
        chosen[axis] = next(
            (name for name in names if answer.column(name).null_count < answer.num_rows), names[0]
        )
    return chosen


def _write(answer: pa.Table, form: str, out: TextIO) -> None:
    if form != PARQUET:
        write_answer(answer, form, out)
        return
    held = io.BytesIO()
    _parquet(answer, held)
    sys.stdout.buffer.write(held.getbuffer())


def _to_file(answer: pa.Table, form: str, path: Path) -> None:
    if form == PARQUET:
        _parquet(answer, path)
        return
    with path.open("w", encoding="utf-8", newline="") as out:
        write_answer(answer, form, out)


def _parquet(answer: pa.Table, where: Path | io.BytesIO) -> None:
    import pyarrow.parquet as pq  # a table in the terminal does not need it

    refuse_equal_names(answer)
    pq.write_table(answer, where, compression="zstd")


def _whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside the file and put it there when it is whole.

    Raises:
        ConfigError: the file cannot be written there.
    """
    beside = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        write(beside)
        beside.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise ConfigError(f"cannot write {path}: {os.strerror(error.errno)}") from None
    finally:
        beside.unlink(missing_ok=True)
