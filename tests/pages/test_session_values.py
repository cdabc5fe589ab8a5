"""What a session remembers, with a dictionary in place of Streamlit's: choosers, selections, clicks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.networks import MOST_MODELS
from pages.ui import history, state
from pages.ui.pruning import view_state as pruning
from pages.ui.selection import SelectedSamples, Selection, picked_id, picked_on, picked_samples, samples_on
from pages.ui.similarity import view_state as similarity
from pages.ui.similarity.selection import Asked


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    values: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", values)
    return values


def test_a_chooser_keeps_what_is_allowed_and_nothing_else(session: dict[str, Any]) -> None:
    assert state.keep("c", ["a", "b"], "b") == "b"
    session["c"] = "a"
    assert state.keep("c", ["a", "b"], "b") == "a"
    assert state.keep("c", ["b"], "b") == session["c"] == "b"
    assert state.keep("c", {}, None) is None


def test_a_chooser_that_may_be_empty_starts_with_what_is_wanted(session: dict[str, Any]) -> None:
    assert state.keep("c", [None, "a"], "a") == "a"
    session["c"] = None
    assert state.keep("c", [None, "a"], "a") is None, "emptied by hand"


def test_a_widget_starts_once(session: dict[str, Any]) -> None:
    assert state.start("w", 3) == 3
    assert state.start("w", 4) == 3


def test_widgets_are_forgotten_by_prefix(session: dict[str, Any]) -> None:
    session.update({"a-1": 1, "b-1": 2, "ab": 3, "c": 4})
    state.forget_widgets(("a-", "b-"))
    assert session == {"ab": 3, "c": 4}
    state.forget_widgets("c")
    assert session == {"ab": 3}


def test_a_session_has_one_id_and_enters_a_page_once(session: dict[str, Any]) -> None:
    assert state.session_id() == state.session_id() != ""
    first = session.pop("session")
    assert state.session_id() != first
    assert [state.entered_page(name) for name in ("front", "front", "runs", "front")] == [
        True,
        False,
        True,
        True,
    ]


def test_a_click_moves_no_chart_and_a_choice_elsewhere_does(session: dict[str, Any]) -> None:
    chosen: Selection[str] = Selection("now", "seed", "")
    assert (chosen.now(), chosen.seed()) == ("", "")
    chosen.select("a")
    chosen.clicked("b")
    assert (chosen.now(), chosen.seed()) == ("b", "a")
    chosen.select("c")
    assert (chosen.now(), chosen.seed()) == ("c", "c")


def test_a_chart_that_is_new_anyway_starts_from_what_is_selected_now(session: dict[str, Any]) -> None:
    chosen: Selection[str] = Selection("now", "seed", "")
    chosen.select("a")
    assert chosen.start("front", "macs") == "a"
    chosen.clicked("b")
    assert chosen.start("front", "macs") == "a", "the browser has moved the highlight by itself"
    assert chosen.start("map", "macs") == "b", "another chart has not"
    assert chosen.start("front", "params") == "b"
    chosen.clicked("c")
    assert chosen.start("front", "params") == "b"
    chosen.select("b")
    assert chosen.start("front", "params") == "b"
    assert chosen.edition() == 1
    chosen.clicked("c")
    session["visits"] = 1
    assert chosen.start("front", "params") == "c", "who comes back to the page finds a new chart"


def test_what_the_chart_started_from_is_drawn_anew_after_a_click(session: dict[str, Any]) -> None:
    chosen: Selection[str] = Selection("now", "seed", "")
    chosen.select("a")
    chosen.select("b")
    assert chosen.edition() == 0, "the figure itself has changed"
    chosen.clicked("c")
    assert chosen.edition() == 0
    chosen.select("b")
    assert chosen.edition() == 1, "the same figure, but the browser has moved its highlight"
    chosen.select("b")
    assert chosen.edition() == 1


@pytest.mark.parametrize("pick", ["clicked", "select"])
def test_a_chooser_that_has_not_heard_of_a_pick_chooses_nothing(
    session: dict[str, Any], monkeypatch: pytest.MonkeyPatch, pick: str
) -> None:
    chosen: Selection[str] = Selection("now", "seed", "")
    chosen.select("a")
    getattr(chosen, pick)("b")
    monkeypatch.setattr(history, "is_behind", lambda: True)
    chosen.chosen("a")
    assert chosen.now() == "b", "what the chooser said before the pick"
    getattr(chosen, pick)("e")
    chosen.chosen("a")
    assert chosen.now() == "e", "what it said before two picks"
    chosen.chosen("c")
    assert chosen.now() == "c", "another choice is one, however soon"
    chosen.clicked("d")
    monkeypatch.setattr(history, "is_behind", lambda: False)
    chosen.chosen("c")
    assert chosen.now() == "c", "back to the one before"


def test_forgotten_samples_make_a_new_chart(session: dict[str, Any]) -> None:
    samples = SelectedSamples("s")
    assert (samples.now(), samples.edition()) == ((), 0)
    samples.select([3, 1])
    assert (samples.now(), samples.edition()) == ((3, 1), 0)
    samples.clear()
    samples.clear()
    assert (samples.now(), samples.edition()) == ((), 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["selection", "points", "customdata", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
EVENTS = JSON | st.fixed_dictionaries(
    {
        "selection": JSON
        | st.fixed_dictionaries({"points": JSON | st.lists(st.fixed_dictionaries({"customdata": JSON}))})
    }
)


@given(event=EVENTS)
def test_whatever_a_browser_sends_is_a_selection_or_none(event: Any) -> None:
    assert isinstance(picked_id(event), str)
    ids = picked_samples(event)
    assert len(ids) == len(set(ids))
    assert all(isinstance(value, int) for value in ids)


@given(ids=st.lists(st.integers(0, 40), max_size=60), wrapped=st.booleans(), most=st.integers(1, 30))
def test_selected_samples_come_once_in_order_and_not_too_many(
    ids: list[int], wrapped: bool, most: int
) -> None:
    points = [{"customdata": [str(i)] if wrapped else str(i)} for i in ids] + [{"x": 1}, {"customdata": None}]
    assert picked_samples({"selection": {"points": points}}, most) == list(dict.fromkeys(ids))[:most]


def test_the_first_point_is_the_one_that_was_picked(session: dict[str, Any]) -> None:
    session["chart"] = {"selection": {"points": [{"customdata": ["7"]}, {"customdata": "8"}]}}
    assert picked_on("chart") == "7"
    assert samples_on("chart") == [7, 8]
    assert (picked_on("other"), samples_on("other")) == ("", [])


@pytest.mark.parametrize("module", [pruning, similarity])
@pytest.mark.parametrize("text", ["", "|", "a", "a|", "|b"])
def test_half_a_cell_selects_nothing(session: dict[str, Any], module: Any, text: str) -> None:
    before = module.selection.now()
    module.clicked(text)
    assert module.selection.now() == before
    module.clicked("a|b")
    assert module.selection.now() == ("a", "b")
    assert module.selection.seed() == before


def test_a_layer_that_a_net_lacks_gives_way_to_its_last_before_the_answer(session: dict[str, Any]) -> None:
    similarity.selection.select(("stem", "gone"))
    assert similarity.cell(["stem", "body", "head"], ["one", "two", "head"]) == ("stem", "two")
    assert similarity.selection.now() == ("stem", "two")
    assert similarity.cell(["only"], ["only"]) == ("only", "only")


@given(data=st.data())
def test_one_model_more_finds_room_without_losing_the_two_compared(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        chosen = [f"m{i}" for i in range(data.draw(st.integers(2, MOST_MODELS)))]
        a, b = data.draw(st.permutations(chosen))[:2]
        values: dict[str, Any] = {"sim-models": list(chosen), "sim-a": a, "sim-b": b}
        patch.setattr("streamlit.session_state", values)
        as_b = data.draw(st.booleans())
        similarity.add_model("new", as_b=as_b)
        now = values["sim-models"]
        assert now[-1] == "new"
        assert len(now) == min(len(chosen) + 1, MOST_MODELS)
        assert a in now
        assert values["sim-b"] == ("new" if as_b else b)
        if not as_b:
            assert b in now
        elif len(chosen) == MOST_MODELS:
            assert b not in now
        assert similarity.extra_models() == ["new"]
        similarity.add_model("new")
        assert values["sim-models"] == now


def test_what_a_chart_was_clicked_for_happens_once_at_the_next_run(session: dict[str, Any]) -> None:
    session["sim-models"] = ["m0"]
    similarity.pick_b("m1")
    similarity.pick_layer("3")
    assert session["sim-models"] == ["m0"]
    similarity.take_picked()
    assert (session["sim-models"], session["sim-b"]) == (["m0", "m1"], "m1")
    assert similarity.selection.now() == ("3", "3")
    similarity.selection.select(("1", "2"))
    similarity.take_picked()
    assert similarity.selection.now() == ("1", "2")


@pytest.mark.parametrize(
    ("asked", "supernet"),
    [
        (Asked(), ""),
        (Asked(a="alone:r:0", models=("subnet:s:1",)), ""),
        (Asked(models=("subnet:s:1", "subnet:t:1")), "s"),
        (Asked(a="subnet:t:1", models=("subnet:s:1",)), "t"),
    ],
)
def test_a_link_belongs_to_the_supernet_of_its_first_model(asked: Asked, supernet: str) -> None:
    assert similarity.supernet(asked) == supernet
