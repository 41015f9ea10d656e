"""What `hindcast load` is told about a file's columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from hindcast.load.mapping import LoadMapping
from producers.errors import ConfigError

Command = Callable[..., Any]
_OF_PREDICTIONS = ("features", "categorical", "segments", "probabilities", "quantiles")


def column_options(command: Command) -> Command:
    """The options that `mapping_of` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def mapping_of(
    model: str,
    *,
    labels: bool,
    map: dict[str, str],  # noqa: A002 - the option's name
    set: dict[str, str],  # noqa: A002 - the same
    model_version: str | None,
    environment: str | None,
    known_at: str | None,
    time_zone: str | None,
    nulls: tuple[str, ...],
    **of_predictions: Any,
) -> LoadMapping:
    """The mapping that the options say.

    Raises:
        ConfigError: options of predictions for labels.
    """
    if labels and any(of_predictions.values()):
        raise ConfigError("labels have no features, categories, segments, probabilities or quantiles")
    short = {"model_version": model_version, "environment": environment}
    return LoadMapping(
        name="label" if labels else "prediction",
        model=model,
        columns=map if known_at is None else {**map, "known_at": known_at},
        constants=set | {name: value for name, value in short.items() if value is not None},
        time_zone=time_zone,
        nulls=nulls,
        **of_predictions,
    )


def _pairs(context: click.Context, option: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    """Values like NAME=VALUE, each name once."""
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} is not {option.make_metavar(context)}")
        if name in found:
            raise click.BadParameter(f"{name} is given twice")
        found[name] = value
    return found


def _names(context: click.Context, option: click.Parameter, given: Sequence[str]) -> tuple[str, ...]:
    """Names separated by commas, or the option repeated."""
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise click.BadParameter(f"{min(twice)} is named twice")
    return tuple(names)


def _pair(name: str, metavar: str, text: str) -> Callable[[Command], Command]:
    return click.option(name, multiple=True, metavar=metavar, callback=_pairs, help=f"{text} Repeatable.")


def _list(name: str, text: str) -> Callable[[Command], Command]:
    return click.option(name, multiple=True, metavar="COLUMN,…", callback=_names, help=text)


_OPTIONS = (
    click.option("--labels", is_flag=True, help="The rows are labels, not predictions."),
    _pair("--map", "FIELD=COLUMN", "The column of a field that has another name."),
    _list("--features", "Columns that were the model's inputs."),
    _list("--categorical", "Those of them that are categories although they hold numbers."),
    _list("--segments", "Columns to slice by that were no inputs."),
    _pair("--probabilities", "CLASS=COLUMN", "The column of a class's probability."),
    _pair("--quantiles", "QUANTILE=COLUMN", "The column of a quantile, such as 0.1=low."),
    _pair("--set", "FIELD=VALUE", "A field with one value for all rows, such as served=false."),
    click.option("--model-version", metavar="TEXT", help="As --set model_version=TEXT."),
    click.option("--environment", metavar="TEXT", help="As --set environment=TEXT."),
    click.option(
        "--known-at", metavar="COLUMN", help="When each row became known; without it, when it happened."
    ),
    click.option(
        "--time-zone", metavar="ZONE", help="Of times that have none, such as UTC or Europe/Berlin."
    ),
    click.option(
        "--null",
        "nulls",
        multiple=True,
        metavar="WORD",
        help="A word of a CSV file that stands for nothing, such as NA. Repeatable.",
    ),
)
