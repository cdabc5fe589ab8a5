"""Prometheus' text format, read back by a parser that was written from its grammar."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.operations.exposition import Family, text

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')


def parsed(exposed: str) -> dict[str, tuple[str, dict[tuple[tuple[str, str], ...], float]]]:
    """Name -> (kind, labels -> number); fails where the text is not in the format."""
    assert exposed.endswith("\n")
    found: dict[str, tuple[str, dict[tuple[tuple[str, str], ...], float]]] = {}
    helped: set[str] = set()
    for line in exposed.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            name, _, said = line.removeprefix("# HELP ").partition(" ")
            assert name not in helped
            assert said
            helped.add(name)
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name in helped
            assert name not in found, "all of a name stands together"
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped")
            found[name] = (kind, {})
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, inside, value = match[1], match[2] or "", match[3]
            assert name == list(found)[-1], "after its own type"
            labels = LABEL.findall(inside)
            assert "".join(f'{n}="{v}",' for n, v in labels).removesuffix(",") == inside
            meant = tuple(
                (n, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], v)) for n, v in labels
            )
            assert meant not in found[name][1], "no number twice"
            found[name][1][meant] = float(value)
    return found


@given(st.text(max_size=20), st.floats(allow_nan=False))
def test_whatever_a_label_holds_comes_back(said: str, value: float) -> None:
    family = Family("a_seconds_total", "counter", "What\nis \\ this.")
    family.add(value, {"state": said, "kind": "x"})
    kind, samples = parsed(text([family]))["a_seconds_total"]
    assert kind == "counter"
    assert samples == {(("kind", "x"), ("state", said)): value}


@pytest.mark.parametrize(
    ("value", "said"), [(math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (3.0, "3")]
)
def test_numbers_are_spelled_as_the_format_says(value: float, said: str) -> None:
    family = Family("a", "gauge", "A.")
    family.add(value)
    assert text([family]) == f"# HELP a A.\n# TYPE a gauge\na {said}\n"


def test_a_family_without_numbers_is_left_out() -> None:
    assert text([Family("a", "gauge", "A.")]) == "\n"
