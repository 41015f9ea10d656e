"""Pseudonyms are HMAC-SHA256 as the standard has it, and the key is asked for in words."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.at_source.pseudonyms import Pseudonyms
from producers.errors import ConfigError


@given(st.binary(min_size=16, max_size=200), st.text())
def test_a_pseudonym_is_the_standard_hmac(key: bytes, text: str) -> None:
    """The standard library's HMAC-SHA256 agrees for every key, longer than a block too, and every text."""
    found = Pseudonyms(key)
    expected = "hmac:" + hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]
    assert found(text) == found.remembered(text) == found.remembered(text) == expected


def test_the_vector_of_the_standard() -> None:
    """RFC 4231, test case 1, truncated."""
    assert Pseudonyms(b"\x0b" * 20)("Hi There") == "hmac:b0344c61d8db38535ca8afceaf0bf12b"


def test_the_key_is_read_from_the_environment() -> None:
    """Hex digits, in either case."""
    plain = Pseudonyms(bytes.fromhex("ab" * 16))
    assert Pseudonyms.from_environment({"HINDCAST_PII_KEY": "AB" * 16 + "\n"})("x") == plain("x")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "HINDCAST_PII_KEY is not set"),
        (" ", "HINDCAST_PII_KEY is not set"),
        ("c2VjcmV0c2VjcmV0c2VjcmV0", "no key in hex digits"),
        ("abc", "no key in hex digits"),
        ("ab" * 15, "a key of 15 bytes: at least 16"),
    ],
)
def test_a_key_that_is_none_is_said_and_never_shown(key: str | None, said: str) -> None:
    """One line that names the variable and says what to do."""
    with pytest.raises(ConfigError, match=said) as refusal:
        Pseudonyms.from_environment({} if key is None else {"HINDCAST_PII_KEY": key})
    assert not key or not key.strip() or key not in str(refusal.value)
