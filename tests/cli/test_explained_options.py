"""Help that explains: no command and no option stands in it by its name alone."""

from __future__ import annotations

from collections.abc import Iterator

import click

from hindcast.cli import hindcast


def _commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    yield context.command_path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, click.Context(below, info_name=name, parent=context))


def test_every_command_and_option_is_explained() -> None:
    """Every command says what it does, and every option what it is for."""
    commands = list(_commands(hindcast, click.Context(hindcast, info_name="hindcast")))
    bare = [path for path, command in commands if not command.help]
    bare += [
        f"{path} {option.opts[-1]}"
        for path, command in commands
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden and not option.help
    ]
    assert len(commands) > 30
    assert bare == []
