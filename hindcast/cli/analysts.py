"""`hindcast analyst`: make a ClickHouse user who only reads."""

from __future__ import annotations

import os
import secrets

import click

from evaluation.analysts import analyst_statements, make_analyst
from hindcast.cli.servers import CLICKHOUSE, variables
from stream_processors.clickhouse import Store
from stream_processors.settings import ClickHouseSettings


@click.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Print the statements that would run, and run none.")
def analyst(name: str, *, dry_run: bool) -> None:
    """Make a ClickHouse user NAME who reads the record within limits, or give it a new password.

    The password is that of HINDCAST_ANALYST_PASSWORD, or one made now and shown once. The user reads the database, may not change anything,
    and cannot lift the limits of time, memory and rows.
    """
    settings = ClickHouseSettings.from_environment(variables(os.environ, CLICKHOUSE))
    given = os.environ.get("HINDCAST_ANALYST_PASSWORD", "")
    password = given or secrets.token_urlsafe(24)
    made = analyst_statements(
        name,
        password,
        salt=secrets.token_hex(16),
        database=settings.database,
        owner=str(settings.parts()["username"]),
        cluster=settings.cluster,
    )
    if dry_run:
        click.echo(";\n\n".join(made) + ";")
        return
    store = Store(settings)
    try:
        make_analyst(store, made)
    finally:
        store.close()
    click.echo(f"{name} reads {settings.database}" + ("" if given else f"; password, shown once: {password}"))
