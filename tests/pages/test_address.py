"""Views as addresses, for the three pages that have one: hostile text, round trips, links against own addresses."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.library.benchmarks import CLEAN
from core.library.network_id import NetworkId, is_network_id
from core.library.networks import MOST_MODELS
from core.networks.poolings import POOLINGS
from core.objectives.base import OBJECTIVES, objective
from core.pareto import Constraint
from core.similarity.base import MEASURES
from pages.ui import history
from pages.ui.address import (
    LONGEST,
    PageAddress,
    format_view,
    matching,
    parse,
    part,
    whole_number,
)
from pages.ui.front.state import View
from pages.ui.pruning.view_state import Asked as PruningView
from pages.ui.similarity.selection import Asked as SimilarityView

VIEWS = (View, PruningView, SimilarityView)
KEYS = sorted({each.metadata["part"].key for view in VIEWS for each in view.__dataclass_fields__.values()})
HOSTILE = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["0", "1", "٣", "-1", "1e9", "nan", "accuracy>=nan", "subnet:a:b", "subnet:a:b\n", "a:b;c"]
    ),
    st.lists(st.text(max_size=20), max_size=3),
)

word = st.text("ABcz019_.-", min_size=1, max_size=12)
network = st.builds(NetworkId, st.sampled_from(["subnet", "alone", "pruned"]), word, word).map(str)
maybe_network = st.just("") | network
tab = st.just("") | st.sampled_from(["Shared or alone", "Experiments", "Map"])


@st.composite
def bounds(draw: st.DrawFn) -> tuple[Constraint, ...]:
    names = draw(st.lists(st.sampled_from(sorted(OBJECTIVES.names())), unique=True, max_size=5))
    found = []
    for name in sorted(names):
        value = float(f"{draw(st.floats(-1e12, 1e12)):.6g}")
        at_least = objective(name).maximize
        found.append(Constraint(name, value if at_least else None, None if at_least else value))
    return tuple(found)


front_views = st.builds(
    View,
    supernet=st.just("") | word,
    run=st.just("") | word,
    x=st.sampled_from(["", *OBJECTIVES.names()]),
    y=st.sampled_from(["", *OBJECTIVES.names()]),
    log_x=st.none() | st.booleans(),
    log_y=st.none() | st.booleans(),
    constraints=bounds(),
    pruned=maybe_network,
    sid=st.just("") | word,
)
pruning_views = st.builds(
    PruningView,
    parent=maybe_network,
    model=maybe_network,
    benchmark=st.sampled_from([CLEAN, "fgsm", "blur@3"]),
    compare=maybe_network,
    severity=st.integers(1, 5),
    tab=tab,
)
similarity_views = st.builds(
    SimilarityView,
    models=st.lists(network, unique=True, max_size=MOST_MODELS).map(tuple),
    a=maybe_network,
    b=maybe_network,
    measure=st.sampled_from(sorted(MEASURES.names())),
    pooling=st.sampled_from(sorted(POOLINGS)),
    inside=st.booleans(),
    layer_a=st.just("") | word.map(lambda text: text.replace("-", "_")),
    tab=tab,
    split=st.sampled_from(["train", "validation", "test"]),
    n=st.integers(20, 900),
    seed=st.integers(0, 10**6),
)


@pytest.mark.parametrize("view", VIEWS)
@settings(max_examples=120, deadline=None)
@given(params=st.dictionaries(st.sampled_from([*KEYS, "unknown"]), HOSTILE))
def test_a_strangers_text_is_a_view_whose_own_link_brings_it_back(view: Any, params: Any) -> None:
    shown = parse(view, params)
    link = format_view(shown)
    assert parse(view, link) == shown
    assert format_view(parse(view, link)) == link
    assert set(link) <= set(KEYS)
    assert all(isinstance(text, str) and text for text in link.values())


@settings(max_examples=150, deadline=None)
@given(view=st.one_of(front_views, pruning_views, similarity_views))
def test_every_view_survives_its_link(view: Any) -> None:
    assert parse(type(view), format_view(view)) == view.checked()


@pytest.mark.parametrize("view", VIEWS)
def test_a_default_has_an_empty_address(view: Any) -> None:
    assert format_view(view()) == {}
    assert parse(view, {}) == view()


def test_of_many_values_the_last_counts_and_none_is_none() -> None:
    assert parse(View, {"supernet": ["first", "last"]}).supernet == "last"
    assert parse(View, {"supernet": []}).supernet == ""


def test_the_longest_link_of_the_similarity_page_keeps_all_its_models() -> None:
    models = tuple(str(NetworkId("subnet", "s" * 80, f"{index}" * 80)) for index in range(MOST_MODELS))
    view = SimilarityView(models=models, a=models[0], b=models[-1])
    assert parse(SimilarityView, format_view(view)) == view


def test_text_is_cut_before_it_is_read() -> None:
    seen: list[int] = []
    parse(_probe(lambda text: seen.append(len(text))), {"p": "x" * 10**6})
    assert seen == [LONGEST]


def _probe(read: Any) -> Any:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Probe:
        value: str = part("p", read)

        def checked(self) -> Any:
            return self

    return Probe


@given(text=st.text(max_size=12), low=st.integers(0, 50), width=st.integers(0, 50))
def test_whole_numbers_lie_within_their_bounds(text: str, low: int, width: int) -> None:
    value = whole_number(low, low + width)(text)
    assert value is None or low <= value <= low + width
    for number in (low, low + width):
        assert whole_number(low, low + width)(str(number)) == number
    assert whole_number(low, low + width)(str(low + width + 1)) is None


def test_a_pattern_holds_for_the_whole_text() -> None:
    assert matching("[a-z]+")("abc") == "abc"
    for text in ("abc\n", "\nabc", "abc d", "<abc>"):
        assert matching("[a-z]+")(text) is None


def test_only_the_sensible_side_of_an_objective_is_bounded_and_the_last_bound_counts() -> None:
    limits = parse(
        View, {"limits": "accuracy<=0.5;macs>=3;macs<=9;macs<=7; accuracy>=0.25 ;beauty>=1"}
    ).constraints
    assert limits == (Constraint("accuracy", lower=0.25), Constraint("macs", upper=7.0))
    for text in ("macs<=inf", "macs<=nan", "macs<=+-", "macs<=1e999", "macs=3", "macs<=1<=2", ";" * 500):
        assert parse(View, {"limits": text}).constraints == ()
    late = ";".join(["x<=1"] * 20 + ["macs<=1"])
    assert parse(View, {"limits": late}).constraints == ()


def test_a_model_is_not_compared_with_its_own_parent() -> None:
    asked = parse(PruningView, {"parent": "subnet:s:1", "compare": "subnet:s:1", "severity": "6"})
    assert (asked.parent, asked.compare, asked.severity) == ("subnet:s:1", "", 3)
    assert "compare" not in format_view(PruningView(parent="subnet:s:1", compare="subnet:s:1"))


@given(text=st.text(max_size=60))
def test_models_of_a_link_are_ids_each_once_and_none_is_lost(text: str) -> None:
    many = ",".join(
        [text, "subnet:a:1", text, "subnet:a:1", *(f"alone:r:{i}" for i in range(20)), "subnet:a:1"]
    )
    models = parse(SimilarityView, {"models": many[:LONGEST]}).models
    # More than the page shows: it says so, the address does not cut.
    assert len(models) == len(set(models)) >= 21
    assert all(map(is_network_id, models))


class Address(dict[str, str]):
    """The browser's address bar as Streamlit offers it; counts what is written into it."""

    written = 0

    def to_dict(self) -> dict[str, str]:
        return dict(self)

    def from_dict(self, params: dict[str, str]) -> None:
        self.written += 1
        self.clear()
        self.update(params)


@pytest.fixture
def bar(monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    bar = Address()
    monkeypatch.setattr("streamlit.query_params", bar)
    monkeypatch.setattr("streamlit.session_state", {})
    return bar


def page(arrived: list[PruningView]) -> PageAddress[PruningView]:
    return PageAddress(PruningView, key="view", widgets=("pr-",), on_arrival=arrived.append)


def test_a_link_is_taken_once_and_own_addresses_are_no_links(bar: Address) -> None:
    import streamlit

    arrived: list[PruningView] = []
    address = page(arrived)
    assert address.current() == PruningView()
    assert arrived == []
    streamlit.session_state.update({"pr-severity": 4, "other": 1})
    bar.update({"severity": "5", "junk": "<script>"})
    assert address.current().severity == 5
    assert arrived == [PruningView(severity=5)]
    assert "pr-severity" not in streamlit.session_state, "widgets start from the link"
    assert streamlit.session_state["other"] == 1
    address.current()
    assert len(arrived) == 1
    # A click while the address of the last click is still under way: both are ours.
    for severity in (1, 2):
        address.publish(PruningView(severity=severity))
    assert not history.is_behind()
    bar.from_dict({"severity": "1"})
    assert history.is_behind(), "the browser has not seen the second answer"
    assert address.current() == PruningView(severity=2)
    assert len(arrived) == 1
    bar.from_dict({"severity": "3"})
    assert not history.is_behind(), "a link of somebody's"


def test_publishing_writes_only_what_changed(bar: Address) -> None:
    address = page([])
    link = address.publish(PruningView(severity=4))
    assert (link, dict(bar), bar.written) == ({"severity": "4"}, {"severity": "4", **history.MARK}, 1)
    address.publish(PruningView(severity=4))
    assert bar.written == 1
    assert address.publish(PruningView()) == {}
    assert dict(bar) == {}
    assert address.kept() == PruningView()


def test_what_completes_an_address_takes_its_entry_and_a_pick_is_one(bar: Address) -> None:
    address = page([])
    bar.update({"severity": "5"})
    address.publish(address.current())
    assert bar.written == 0, "the link said all there is"
    address.publish(PruningView(severity=4))
    assert dict(bar) == {"severity": "4"}, "a pick, so an entry of its own"
    history.enter()
    bar.from_dict({"severity": "2"})
    assert address.current().severity == 2
    address.publish(PruningView(severity=2, tab="Map"))
    assert list(bar.items()) == [("severity", "2"), ("tab", "Map"), *history.MARK.items()]
    history.enter()
    address.start_over(PruningView(severity=1))
    address.publish(PruningView(severity=1))
    assert dict(bar) == {"severity": "1"}, "somebody chose to start over"


def test_back_brings_a_view_that_is_our_own(bar: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[PruningView] = []
    address = page(arrived)
    for severity in (1, 2):
        address.publish(PruningView(severity=severity))
    went_back = SimpleNamespace(is_history_navigation=True)
    monkeypatch.setattr(history, "get_script_run_ctx", lambda **_: went_back)
    bar.from_dict({"severity": "1", **history.MARK})
    assert not history.is_behind()
    assert address.current() == PruningView(severity=1)
    assert arrived == [PruningView(severity=1)]
    assert address.current() == PruningView(severity=1)
    assert len(arrived) == 1, "a second run of the same step is no step"
    bar.from_dict({"severity": "2"})
    assert address.current() == PruningView(severity=2)


def test_an_old_address_of_ours_counts_as_a_link_again(bar: Address) -> None:
    arrived: list[PruningView] = []
    address = page(arrived)
    for index in range(8):
        address.publish(PruningView(tab=f"tab {'abcdefgh'[index]}"))
        bar.from_dict({"tab": f"tab {'abcdefgh'[index]}"})
    bar.from_dict({"tab": "tab h"})
    assert address.current().tab == "tab h"
    assert arrived == []


def test_another_page_makes_an_equal_address_news(bar: Address) -> None:
    arrived: list[PruningView] = []
    address = page(arrived)
    address.publish(PruningView(severity=4))
    address.start_over(PruningView(severity=2))
    assert address.current().severity == 2
    history.enter()
    assert address.current().severity == 4
    assert arrived == [PruningView(severity=4)]
