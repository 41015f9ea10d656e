"""A slice's name reads back to exactly the terms it was made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processors.sketches import REST, WHOLE, parse_slice, slice_name
from stream_processors.sketches.slices import Term

TEXT = st.one_of(st.text(), st.text(alphabet="@%=&a\n\x7f"))
TERMS = st.lists(st.tuples(TEXT, st.one_of(TEXT, st.just(REST))), max_size=3)


@given(TERMS)
def test_names_read_back(terms: list[Term]) -> None:
    """Any names and values survive."""
    assert parse_slice(slice_name(terms)) == tuple(terms)


@given(TERMS, TERMS)
def test_different_slices_have_different_names(one: list[Term], other: list[Term]) -> None:
    """Two slices share a name only if they are one slice."""
    assert (slice_name(one) == slice_name(other)) == (one == other)


def test_names_are_readable() -> None:
    """Ordinary slices look as an analyst would write them."""
    assert slice_name([]) == WHOLE == ""
    assert slice_name([("origin", "JFK"), ("carrier", "UA")]) == "origin=JFK&carrier=UA"
    assert slice_name([("stadt", "Zürich Süd")]) == "stadt=Zürich Süd"


def test_a_real_value_at_other_is_not_the_rest() -> None:
    """A value that is literally ``@other`` does not collide with the rest."""
    assert slice_name([("tier", "@other")]) != slice_name([("tier", REST)]) == "tier=@other"


@pytest.mark.parametrize("name", ["origin", "a=b&", "a=@others", "a=%zz", "a=%41", "a=b=c"])
def test_other_strings_are_refused(name: str) -> None:
    """A string that no slice is named by is an error."""
    with pytest.raises(ValueError, match="slice"):
        parse_slice(name)
