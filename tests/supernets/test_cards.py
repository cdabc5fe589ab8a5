"""A card is typed once: whatever it holds, its fields have their types or count as not stated."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.supernets.cards import read_card, shown_card

SOUND = {
    "title": "Small",
    "data": {"name": "digits", "config": {"limit_train": 100}, "seed": 3, "fingerprint": "ab"},
    "training": {"epochs": 3, "strategy": "sandwich"},
    "seed": 7,
    "final": {"accuracy": 0.9},
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.just("x" * 300)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
cards = st.fixed_dictionaries(
    {},
    optional={
        "title": anything,
        "data": anything
        | st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("name", "config", "seed", "fingerprint"), anything)
        ),
        "training": anything,
        "seed": anything,
        "command": anything,
        "other": anything,
    },
)


def test_a_sound_card_is_read_whole() -> None:
    card = read_card(SOUND)
    assert card.data is not None
    assert card.data.model_dump() == SOUND["data"]
    assert (card.title, card.training, card.seed) == ("Small", SOUND["training"], 7)
    assert card.note == ""


def test_a_card_by_others_may_name_its_data_alone() -> None:
    card = read_card({"data": "digits"})
    assert card.data is not None
    assert card.data.name == "digits"
    assert card.note == ""


def test_one_wrong_field_costs_only_itself() -> None:
    card = read_card({**SOUND, "seed": "seven", "data": {**SOUND["data"], "seed": True}})
    assert card.seed is None
    assert card.data is not None
    assert (card.data.name, card.data.seed, card.data.fingerprint) == ("digits", 0, "ab")
    assert card.title == "Small"
    assert card.unreadable == ("data.seed", "seed")
    assert "data.seed, seed" in card.note


def test_data_without_a_readable_name_are_not_stated() -> None:
    for data in ({"name": 5}, {"name": ""}, {"seed": 3}, ["digits"], 5, {}):
        card = read_card({"data": data})
        assert card.data is None
        assert "data" in card.note


@settings(max_examples=120, deadline=None)
@given(raw=cards)
def test_any_card_has_fields_of_their_types(raw: dict[str, Any]) -> None:
    card = read_card(raw)
    assert len(card.title) <= 200
    assert isinstance(card.training, dict)
    assert card.seed is None or (type(card.seed) is int and card.seed >= 0)
    if card.data is not None:
        assert 0 < len(card.data.name) <= 200
        assert type(card.data.seed) is int
        assert isinstance(card.data.config, dict)
    # Each field is either as it was written, or named as unreadable.
    for name in ("title", "training", "seed", "command"):
        if raw.get(name) is not None and name not in card.unreadable:
            assert repr(getattr(card, name)) == repr(raw[name])
    assert len(card.note) < 300


def test_a_very_long_card_is_shown_by_its_known_fields() -> None:
    assert shown_card(SOUND) == SOUND
    shown = shown_card({**SOUND, "notes": "x" * 30_000})
    assert shown["title"] == "Small"
    assert "notes" not in shown
