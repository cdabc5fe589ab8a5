"""Budgets in steps and in passes: as many epochs as come nearest, whatever the phases cost."""

from __future__ import annotations

import pytest

from core.errors import InvalidInput
from core.training.budget import Priced, allowances, epochs_within, passes_in, priced
from core.training.draws import Phase
from core.training.strategies import STRATEGIES
from tests.training.small import fresh_net

ONE, FOUR = (Priced(Phase("one"), 1.0),), (Priced(Phase("four"), 4.0),)
BEGINS = (Priced(Phase("a", 0.5), 1.0), Priced(Phase("b", 0.5), 2.0, once=7.0))
STEEP = tuple(Priced(Phase(str(k), 0.25), passes) for k, passes in enumerate((1.0, 1.0, 2.0, 9.0)))


def test_a_strategy_is_priced_by_what_its_steps_draw() -> None:
    space = fresh_net().space
    sandwich = STRATEGIES.create("sandwich", {"n_random": 3})
    assert [each.passes for each in priced(sandwich, space, 96)] == [5.0]
    assert passes_in(priced(sandwich, space, 96), 6) == 30.0


def test_what_a_phase_begins_with_is_counted_once() -> None:
    assert passes_in(BEGINS, 2) == 1 + 2 + 7
    assert passes_in(BEGINS, 6) == 3 + 6 + 7
    space = fresh_net().space
    few_shot = STRATEGIES.create("few_shot", {"levels": 1, "repeats": 10, "samples": 16})
    # Six choices of two options that every architecture makes.
    assert [each.once for each in priced(few_shot, space, 96)] == [0.0, 12 * 10 * 16 / 96]


@pytest.mark.parametrize("passes", [0.0, 3.0, 13.4, 60.0, 61.5, 400.0])
@pytest.mark.parametrize("phases", [ONE, FOUR, STEEP, BEGINS])
def test_no_other_number_of_epochs_comes_nearer(phases: tuple[Priced, ...], passes: float) -> None:
    found = epochs_within(phases, passes)
    away = {n: abs(passes_in(phases, n) - passes) for n in range(len(phases), 500)}
    assert away[found] == min(away.values())
    assert found == min(n for n in away if away[n] == away[found])


def test_the_first_method_says_what_all_may_spend() -> None:
    steps = allowances([FOUR, ONE, STEEP], 6, "steps")
    assert [(a.epochs, a.share) for a in steps] == [(6, 1.0)] * 3
    first, second = allowances([FOUR, ONE], 6, "passes")
    assert (first.epochs, first.passes, second.epochs, second.passes) == (6, 24.0, 24, 24.0)
    _, steep = allowances([ONE, STEEP], 14, "passes")
    assert steep.passes == passes_in(STEEP, steep.epochs)
    assert steep.share == steep.passes / 14.0 != 1.0, "what does not come out even is said"
    with pytest.raises(InvalidInput, match="at least 4 epochs"):
        allowances([ONE, STEEP], 3, "steps")
