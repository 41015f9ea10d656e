"""The user's librdkafka properties (TLS, SASL) in Faust's words, so that one properties file serves every processor."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from producers.errors import ConfigError

_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")


def broker_credentials(properties: Mapping[str, str]) -> Credentials | None:
    """Faust's credentials for ``security.protocol``, ``ssl.*`` and ``sasl.*``; None for plain text. Other properties are librdkafka's own.

    Raises:
        ConfigError: a protocol, mechanism or file that the monitor cannot use; the message names the property, never a value that is a secret.
    """
    protocol = properties.get("security.protocol", "plaintext").lower()
    if protocol not in _PROTOCOLS:
        raise ConfigError(f"security.protocol is {protocol!r}: one of {', '.join(_PROTOCOLS)} is wanted")
    context = _ssl_context(properties) if protocol.endswith("ssl") else None
    if protocol.startswith("sasl"):
        mechanism = properties.get("sasl.mechanism") or properties.get("sasl.mechanisms") or "PLAIN"
        if mechanism.upper() not in _MECHANISMS:
            raise ConfigError(f"sasl.mechanism is {mechanism!r}: the monitor knows {', '.join(_MECHANISMS)}")
        return SASLCredentials(
            username=properties.get("sasl.username"),
            password=properties.get("sasl.password"),
            ssl_context=context,
            mechanism=mechanism.upper(),
        )
    return SSLCredentials(context) if context else None


def _ssl_context(properties: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=properties.get("ssl.ca.location"))
        if certificate := properties.get("ssl.certificate.location"):
            context.load_cert_chain(
                certificate, properties.get("ssl.key.location"), properties.get("ssl.key.password")
            )
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"ssl.ca.location, ssl.certificate.location or ssl.key.location: {type(error).__name__}"
        ) from None
    if properties.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if properties.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
