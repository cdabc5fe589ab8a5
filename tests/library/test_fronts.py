"""What the Front page shows, against brute force on a real table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from core.library import fronts as front_view
from core.library import supernets
from core.library.evaluations import evaluations
from core.pareto import Constraint
from core.records import Measurement, Obtained, Source
from tests.helpers.planted import COST, QUALITY, small_space

NAMES = ("macs", "accuracy")


@pytest.fixture(scope="module")
def table(digits_entry):
    """The real costs with accuracies that grow with them, noisily: a front of many points, ties included."""
    found = supernets.table(digits_entry)
    noise = np.random.default_rng(0).random(len(found))
    return found.assign(accuracy=np.round(0.1 * np.log(found["macs"]) + 0.1 * noise, 2))


def test_front_is_what_nothing_beats(table) -> None:
    view = front_view.front(table, NAMES)
    for _, row in view.table.iterrows():
        better = (table["macs"] <= row["macs"]) & (table["accuracy"] >= row["accuracy"])
        strictly = (table["macs"] < row["macs"]) | (table["accuracy"] > row["accuracy"])
        assert row["on_front"] == (not (better & strictly).any())
    assert view.members["macs"].is_monotonic_increasing
    assert set(view.knees.values()) <= set(view.members["arch_id"])


def test_constraints_cut_the_table_and_keep_the_reference(table) -> None:
    free = front_view.front(table, NAMES)
    limit = float(table["macs"].median())
    bound = front_view.front(table, NAMES, [Constraint("macs", None, limit)])
    assert bound.table["macs"].max() <= limit
    assert bound.reference == free.reference
    assert bound.hypervolume <= free.hypervolume
    nothing = front_view.front(table, NAMES, [Constraint("macs", None, 0)])
    assert (len(nothing.table), len(nothing.members), nothing.knees, nothing.hypervolume) == (0, 0, {}, 0.0)


def test_neighbors_stand_beside(table) -> None:
    view = front_view.front(table, NAMES)
    ids = view.members["arch_id"].tolist()
    below, above = front_view.neighbors_on_front(view, ids[1])
    assert (below, above) == (ids[0], ids[2])
    assert front_view.neighbors_on_front(view, ids[0])[0] is None
    assert front_view.neighbors_on_front(view, ids[-1])[1] is None
    assert front_view.neighbors_on_front(view, "nonsense") == (None, None)


def test_a_subnet_off_the_front_has_neighbors_on_it(table) -> None:
    view = front_view.front(table, NAMES)
    first = view.members[NAMES[0]]
    off = view.table[~view.table["on_front"] & (view.table[NAMES[0]] > first.iloc[0])].iloc[0]
    below, above = front_view.neighbors_on_front(view, off["arch_id"])
    value = table.set_index("arch_id")[NAMES[0]]
    assert value[below] == first[first < off[NAMES[0]]].max()
    assert (above is None) == (first.max() <= off[NAMES[0]])
    assert above is None or value[above] == first[first > off[NAMES[0]]].min()


def test_effects_are_differences_to_real_rows(digits_entry, table) -> None:
    space = digits_entry.space
    arch = space.largest
    effects = front_view.choice_effects(space, table, arch, NAMES)
    rows = table.set_index("arch_id")
    for _, effect in effects.iterrows():
        there, here = rows.loc[effect["arch_id"]], rows.loc[space.arch_id(arch)]
        assert there[effect["choice"]] == effect["option"]
        assert effect["macs"] == there["macs"] - here["macs"]
    assert len(effects) == sum(len(c.options) - 1 for c in space.choices if space.is_active(arch, c.name))


def test_changing_a_choice_moves_to_that_architecture(digits_entry) -> None:
    space = digits_entry.space
    moved = front_view.changed(space, space.largest, {"depth2": 1})
    assert space.to_dict(moved) == {
        k: v for k, v in space.to_dict(space.largest).items() if k != "kernel2_2"
    } | {"depth2": 1}
    for options in ({"depth2": 9}, {"nonsense": 1}):
        with pytest.raises(InvalidInput):
            front_view.changed(space, space.largest, options)


def test_shares_sum_to_one_per_choice(digits_entry, table) -> None:
    view = front_view.front(table, NAMES)
    shares = front_view.option_shares(digits_entry.space, table, view.members)
    np.testing.assert_allclose(shares.groupby("choice")[["front", "all"]].sum(), 1)
    for row in shares.to_dict("records"):
        for name, rows in (("front", view.members), ("all", table)):
            there = [digits_entry.space.to_dict(digits_entry.space.from_id(i)) for i in rows["arch_id"]]
            taken = sum(arch.get(row["choice"]) == row["option"] for arch in there)
            assert row[name] == pytest.approx(taken / len(there)), "a block that is not there takes no option"


def test_refuses_objectives_that_are_not_there(table) -> None:
    with pytest.raises(InvalidInput, match="not measured"):
        front_view.front(table, ("macs", "latency_ms"))
    with pytest.raises(InvalidInput, match="two different"):
        front_view.front(table, ("macs", "macs"))


@pytest.mark.parametrize("source", ["predicted", "proxy", "predicted (from a table of blocks)", "guessed"])
def test_a_guess_that_would_beat_everything_is_on_no_front_and_keeps_nothing_off_one(table, source) -> None:
    honest = front_view.front(table, NAMES)
    guess = table.iloc[[0]].assign(arch_id="guess", accuracy=1.0, macs=1.0)
    told = pd.concat([table, guess], ignore_index=True)
    told["accuracy_source"] = ["measured"] * len(table) + [source]
    view = front_view.front(told, NAMES)
    assert view.members["arch_id"].tolist() == honest.members["arch_id"].tolist()
    assert (view.knees, view.hypervolume, view.reference) == (
        honest.knees,
        honest.hypervolume,
        honest.reference,
    )
    assert "1 subnet is left out" in view.left_out
    assert "only measured, counted or trained" in view.left_out
    assert honest.left_out == ""
    allowed = front_view.front(told.assign(accuracy_source="trained"), NAMES)
    assert "guess" in allowed.members["arch_id"].tolist(), "the same numbers, obtained honestly, are on it"


def test_guesses_stay_off_the_front_of_a_csv_and_say_what_they_are() -> None:
    space = small_space()
    first, second, third = (tuple(row) for row in space.array()[:3].tolist())
    predicted = {"quality": Obtained(Source.PREDICTED)}
    told = [
        Measurement(first, {"quality": 0.5, "cost": 2.0}, {"cost": Obtained(Source.COUNTED)}),
        Measurement(second, {"quality": 0.9, "cost": 1.0}, predicted),
        Measurement(third, {"quality": 0.4, "cost": 3.0}),
    ]
    table = evaluations(space, [QUALITY, COST], told)
    assert table["on_front"].tolist() == [True, False, False]
    assert table["source"].tolist() == ["measured", "predicted: quality; measured: cost", "measured"]


def test_what_is_only_shown_decides_nothing_in_a_csv() -> None:
    space = small_space()
    archs = [tuple(row) for row in space.array()[:3].tolist()]
    shown = replace(QUALITY, name="shown", for_choosing=False)
    told = [
        Measurement(arch, {"quality": quality, "cost": cost, "shown": 1 - quality})
        for arch, quality, cost in zip(archs, (0.9, 0.5, 0.4), (1.0, 2.0, 3.0), strict=True)
    ]
    table = evaluations(space, [QUALITY, COST, shown], told)
    assert table["on_front"].tolist() == [True, False, False], "by what is shown all three would be on it"
    assert table["shown"].tolist() == pytest.approx([0.1, 0.5, 0.6])
