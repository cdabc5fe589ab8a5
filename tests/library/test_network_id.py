"""One id for every network: written and read in one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput, NotFound
from core.library.network_id import NetworkId, is_network_id
from core.library.origins.base import ORIGINS

part = st.text("abcXYZ019_.-", min_size=1, max_size=80)


@given(st.sampled_from(ORIGINS.names()), part, part)
def test_every_id_is_read_back_as_it_was_written(origin: str, owner: str, number: str) -> None:
    which = NetworkId(origin, owner, number)
    assert NetworkId.parse(str(which)) == which


@pytest.mark.slow
@given(st.text(max_size=40))
def test_any_other_text_is_refused_with_the_forms_there_are(text: str) -> None:
    if is_network_id(text):
        assert str(NetworkId.parse(text)) == text
    else:
        with pytest.raises(
            InvalidInput,
            match="alone:RUN:NUMBER, pruned:RUN:NUMBER, subnet:SUPERNET:ARCHITECTURE or tuned:RUN",
        ):
            NetworkId.parse(text)


def test_a_number_that_is_none_is_a_plain_sentence() -> None:
    assert NetworkId.parse("pruned:abc:3").number == 3
    with pytest.raises(NotFound, match="a number"):
        _ = NetworkId.parse("pruned:abc:x").number
