"""What a page is about is sent before what stands beside it: the browser draws the chart while the rest is on its way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of charts and choosers in the order in which a page draws them."""
    keys: list[str] = []
    for name in ("plotly_chart", "selectbox", "download_button"):
        real = getattr(st, name)

        def noted(*given: object, real: Callable[..., object] = real, **named: object) -> object:
            keys.append(str(named.get("key")))
            return real(*given, **named)

        monkeypatch.setattr(st, name, noted)
    return keys


def test_the_fronts_chart_comes_before_its_card(open_page: Callable[..., AppTest], drawn: list[str]) -> None:
    open_page("front")
    first = drawn.index("front-chart")
    for later in ("pick-subnet", "subnet-diagram", "download-bundle"):
        assert first < drawn.index(later)
