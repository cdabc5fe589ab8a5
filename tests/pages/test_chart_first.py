"""A new chart is sent before what stands beside it, so that the browser draws it meanwhile; the answer to a click before a chart that is there."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest


def test_the_fronts_chart_comes_before_its_card(open_page: Callable[..., AppTest], drawn: list[str]) -> None:
    open_page("front")
    first = drawn.index("front-chart")
    for later in ("pick-subnet", "subnet-diagram", "download-bundle"):
        assert first < drawn.index(later)


def test_after_a_pick_the_card_comes_before_the_fronts_chart(
    open_page: Callable[..., AppTest], drawn: list[str]
) -> None:
    app = open_page("front")
    drawn.clear()
    app.button(key="knee-distance").click().run()
    assert drawn.index("subnet-diagram") < drawn.index("front-chart")
