"""The Similarity page's view as a link: read without failing, written back as it was."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.library.activations import ProbeChoice
from core.library.networks import describe
from pages.ui.address import format_view
from pages.ui.address import parse as parse_view
from pages.ui.similarity.selection import Asked, Compared, as_asked, changed_config

LARGEST, SMALLEST = "subnet:digits-cnn:311131113111", "subnet:digits-cnn:000000000000"


def parse(params: dict[str, str]) -> Asked:
    return parse_view(Asked, params)


def link(shown: Compared) -> dict[str, str]:
    return format_view(as_asked(shown))


def view(**changes: object) -> Compared:
    a, b = describe(None, LARGEST), describe(None, SMALLEST)
    start = Compared(a, b, (a, b), "3", "2.norm1", "flattened", True, ProbeChoice(split="test", n=99, seed=7))
    return dataclasses.replace(start, **changes)  # type: ignore[arg-type]


def test_a_view_survives_its_link() -> None:
    asked = parse(link(view()))
    assert asked == Asked(
        models=(LARGEST, SMALLEST),
        a=LARGEST,
        b=SMALLEST,
        pooling="flattened",
        inside=True,
        layer_a="3",
        layer_b="2.norm1",
        split="test",
        n=99,
        seed=7,
    )
    assert asked.probe == ProbeChoice(split="test", n=99, seed=7)


def test_settings_and_tab_survive_the_link() -> None:
    shown = view(measure="mutual_knn", config=(("k", 3),), tab="Shared or alone")
    asked = parse(link(shown))
    assert (asked.measure, asked.config, asked.tab) == ("mutual_knn", (("k", 3),), "Shared or alone")
    assert parse({"measure": "mutual_knn", "set": "k:0"}).config == ()
    assert parse({"measure": "mutual_knn", "set": "k:x;q:1"}).config == ()
    assert changed_config("mutual_knn", {"k": 10}) == ()


def test_defaults_are_left_out() -> None:
    said = link(view(pooling="pooled", inside=False, probe=ProbeChoice(), layer_a="", layer_b=""))
    assert set(said) == {"models", "a", "b"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n", "5000"),
        ("n", "-3"),
        ("seed", "1e9"),
        ("split", "everything"),
        ("pooling", "max"),
        ("measure", "magic"),
        ("la", "<script>"),
        ("models", "file:/etc/passwd"),
        ("a", SMALLEST),
    ],
)
def test_what_does_not_fit_is_left_out(key: str, value: str) -> None:
    assert parse({key: value}) == Asked()


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["models", "a", "b", "measure", "pooling", "la", "lb", "n", "seed", "split", "set", "tab"]
        ),
        st.text(max_size=50),
    )
)
def test_no_address_breaks_the_page(params: dict[str, str]) -> None:
    assert isinstance(parse(params), Asked)
