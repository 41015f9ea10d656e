"""One properties file of librdkafka's serves Faust too."""

from __future__ import annotations

import ssl

import pytest
from faust.types.auth import AuthProtocol, SASLMechanism

from producers.errors import ConfigError
from stream_processors.monitor.credentials import broker_credentials


def test_plain_text_needs_no_credentials() -> None:
    """Without a protocol, or with other properties only, nothing is said to Faust."""
    assert broker_credentials({}) is None
    assert broker_credentials({"security.protocol": "PLAINTEXT", "socket.timeout.ms": "1"}) is None


def test_sasl_over_tls_is_carried_over() -> None:
    """User, password, mechanism and TLS reach Faust."""
    found = broker_credentials(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "scram-sha-512",
            "sasl.username": "u",
            "sasl.password": "p",
            "ssl.endpoint.identification.algorithm": "none",
        }
    )
    assert found is not None
    assert found.protocol == AuthProtocol.SASL_SSL
    assert (found.username, found.password, found.mechanism) == ("u", "p", SASLMechanism("SCRAM-SHA-512"))
    assert not found.ssl_context.check_hostname


def test_tls_verifies_unless_told_otherwise() -> None:
    """The default verifies the broker; the property that switches it off is honoured."""
    strict = broker_credentials({"security.protocol": "ssl"})
    loose = broker_credentials({"security.protocol": "ssl", "enable.ssl.certificate.verification": "false"})
    assert strict is not None
    assert loose is not None
    assert strict.context.verify_mode == ssl.CERT_REQUIRED
    assert loose.context.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"security.protocol": "tls"}, "security.protocol"),
        ({"security.protocol": "sasl_plaintext", "sasl.mechanism": "GSSAPI"}, "sasl.mechanism"),
        ({"security.protocol": "ssl", "ssl.ca.location": "/nowhere.pem"}, "ssl.ca.location"),
    ],
)
def test_what_faust_cannot_use_is_an_error_that_names_the_property(
    properties: dict[str, str], named: str
) -> None:
    """A person learns which line of the file to mend."""
    with pytest.raises(ConfigError, match=named):
        broker_credentials(properties)
