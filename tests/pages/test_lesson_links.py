"""The numbers of a lesson stand on the page that it links to as well: read from what that page shows."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.lessons.base import LESSONS, evidence_of
from core.library.library import Library

Open = Callable[..., AppTest]
UNITS = {"%": (0.01, 1.0), "k": (1e3,), "M": (1e6,), "G": (1e9,), "": (1.0,)}
NUMBER = re.compile(r"(?<![\w.])([-−]?\d[\d,]*(?:\.\d+)?)\s*([%kMG])?B?(?![\w])")


def written(text: str) -> Iterator[tuple[float, float]]:
    """(value, half of its last digit) of every number in a text; percent as a share and as it reads."""
    for digits, unit in NUMBER.findall(text):
        plain = digits.replace(",", "").replace("−", "-")
        half = 0.5 * 10.0 ** -len(plain.partition(".")[2])
        for factor in UNITS[unit]:
            yield float(plain) * factor, half * factor


def drawn(value: Any) -> Iterator[float]:
    """Every number in the data of a figure."""
    if isinstance(value, dict) and {"dtype", "bdata"} <= set(value):
        yield from np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"])).astype(float)
    elif isinstance(value, dict):
        for each in value.values():
            yield from drawn(each)
    elif isinstance(value, list):
        for each in value:
            yield from drawn(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def shown(app: AppTest) -> list[tuple[float, float]]:
    """(value, how far what is written may be from the truth) of every number on a page."""
    parts = [*app.markdown, *app.caption, *app.info, *app.metric, *app.get("html")]
    texts = [str(getattr(each, "value", "") or each.proto.body) for each in parts]
    texts += [option for box in app.selectbox for option in box.options]
    found = [pair for text in texts for pair in written(re.sub(r"<[^>]*>", " ", text))]
    for chart in app.get("plotly_chart"):
        for trace in json.loads(chart.proto.spec)["data"]:
            values = [*drawn(trace.get("x")), *drawn(trace.get("y")), *drawn(trace.get("z"))]
            # What is drawn in percent is a share.
            found += [(value, 1e-6 * abs(value) + 1e-9) for value in values]
            found += [(0.01 * value, 1e-6 * abs(value) + 1e-9) for value in values]
    return found


@pytest.mark.parametrize("name", LESSONS.names())
def test_the_numbers_stand_there(open_page: Open, name: str) -> None:
    lesson: Any = LESSONS.create(name)
    for link in lesson.further(evidence_of(lesson, Library(None))):
        if not link.numbers:
            continue
        app = open_page(link.page, **link.params)
        assert not app.warning, "the page takes the link"
        there = shown(app)
        for what, number in link.numbers.items():
            assert any(abs(value - number) <= half * (1 + 1e-6) for value, half in there), (what, number)
