"""`hindcast gateway`: predictions, labels and deployments over HTTP, and the keys of who may send them."""

from __future__ import annotations

import ipaddress
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from hindcast.cli.servers import KAFKA, variables
from producers.errors import ConfigError
from producers.settings import KafkaSettings

PORT = 8700
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_FILE = click.Path(path_type=Path, dir_okay=False)
_keys_file = click.option(
    "--keys",
    "keys",
    type=_FILE,
    help="The file of API keys.  [default: HINDCAST_GATEWAY_KEYS]",
)


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True, help="0: a free one."
)
@_keys_file
@click.option("--without-keys", is_flag=True, help="Take events from whoever reaches this address.")
@click.option(
    "--spool",
    type=click.Path(path_type=Path, file_okay=False),
    help="A directory for what Kafka does not take.  [default: HINDCAST_SPOOL]",
)
@click.option("--ssl-certfile", help="Speak HTTPS with this certificate (PEM).")
@click.option("--ssl-keyfile", help="Its key; the password in HINDCAST_GATEWAY_SSL_PASSWORD if it has one.")
@click.option("--ssl-ca-certs", help="Ask clients for certificates signed by one of these.")
@click.pass_context
def gateway(
    context: click.Context,
    host: str,
    port: int,
    keys: Path | None,
    without_keys: bool,
    spool: Path | None,
    ssl_certfile: str | None,
    ssl_keyfile: str | None,
    ssl_ca_certs: str | None,
) -> None:
    """Take predictions, labels and deployments over HTTP and send them to Kafka. Runs until SIGTERM."""
    if context.invoked_subcommand is not None:
        return
    from producers.gateway.outlet import kafka_channel
    from producers.gateway.server import Tls, listen, server_of
    from producers.gateway.settings import GatewaySettings
    from producers.limits import Limits
    from producers.spool import SpoolSettings

    logging.basicConfig(level=logging.WARNING, format=_FORMAT)
    environment = variables(os.environ, KAFKA)
    settings = GatewaySettings.from_environment(environment)
    settings = replace(settings, keys=None if without_keys else keys or settings.keys)
    _require_keys(settings.keys, host, without_keys=without_keys)
    tls = Tls(ssl_certfile, ssl_keyfile, environment.get("HINDCAST_GATEWAY_SSL_PASSWORD"), ssl_ca_certs)
    kafka = KafkaSettings.from_environment(environment)
    limits = Limits()
    if settings.items > limits.events:
        raise ConfigError(
            f"HINDCAST_GATEWAY_ITEMS is {settings.items}: a request of more than {limits.events} never finds room"
        )
    disk = SpoolSettings.from_environment(environment)
    channel = kafka_channel(kafka, limits, replace(disk, directory=spool or disk.directory))
    server = server_of(settings, channel, tls)
    bound = listen(host, port)
    channel.open()
    shown, taken = bound.getsockname()[:2]
    click.echo(
        f"listening on {'https' if ssl_certfile else 'http'}://{f'[{shown}]' if ':' in shown else shown}:{taken},"
        f" sending to {kafka.bootstrap}"
    )
    server.run(sockets=[bound])


@gateway.group()
def keys() -> None:
    """Who may send, and for which models."""


@keys.command()
@click.argument("name")
@click.option("--model", "models", multiple=True, help="A model it may speak for. Repeatable.")
@click.option("--every-model", is_flag=True, help="It may speak for every model.")
@_keys_file
def add(name: str, models: tuple[str, ...], every_model: bool, keys: Path | None) -> None:
    """Make a key and print it, once: the file keeps only its hash. Gateways that run take it within a second."""
    from producers.gateway.keys import EVERY_MODEL, add_key

    if bool(models) == every_model:
        raise click.UsageError("say --model, once for each, or --every-model")
    allowed = (EVERY_MODEL,) if every_model else models
    click.echo(add_key(_file(keys), name, allowed, datetime.now(UTC)))


@keys.command("list")
@_keys_file
def list_keys(keys: Path | None) -> None:
    """List who has a key, for which models, and since when."""
    from producers.gateway.keys import EVERY_MODEL, read_keys

    found = read_keys(_file(keys))
    for key in found:
        models = "every model" if EVERY_MODEL in key.models else ", ".join(key.models)
        click.echo(f"{key.name}: {models}, since {key.created:%Y-%m-%d %H:%M} UTC")
    if not found:
        click.echo("no keys")


@keys.command()
@click.argument("name")
@_keys_file
def remove(name: str, keys: Path | None) -> None:
    """Take a key away. Gateways that run refuse it within a second."""
    from producers.gateway.keys import remove_key

    remove_key(_file(keys), name)
    click.echo(f"{name} may not send any more")


def _file(named: Path | None) -> Path:
    found = named or os.environ.get("HINDCAST_GATEWAY_KEYS")
    if not found:
        raise ConfigError("no key file is named: --keys FILE, or HINDCAST_GATEWAY_KEYS")
    return Path(found)


def _require_keys(keys: Path | None, host: str, *, without_keys: bool) -> None:
    """Raise ConfigError where others than this machine could send without a key and nobody said they may."""
    if keys is None and not without_keys and not _is_loopback(host):
        raise ConfigError(
            f"without keys whoever reaches {host} may send: name a key file (--keys), or say --without-keys"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
