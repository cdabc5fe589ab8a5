"""Lesson 9: its searches are those of the Search page, and its verdict that of a coin."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np
import pytest

from core import pareto
from core.lessons import random_or_evolution as lesson_file
from core.lessons.base import LESSONS, shipped
from core.lessons.random_or_evolution import BUDGET, SETTINGS, RandomOrEvolution
from core.lessons.searching import NAMES
from core.library import supernets
from core.library.library import Library
from core.objectives.base import usual_pair
from core.store import MemoryLedger
from core.workflows import search_front
from tests.lessons.computing import computed, resumed


@pytest.mark.parametrize("algorithm", list(SETTINGS))
def test_the_shipped_searches_are_those_of_the_page(algorithm: str) -> None:
    ledger = MemoryLedger()
    request = search_front.Request(
        supernet="digits-lesson",
        algorithm=algorithm,
        config=SETTINGS[algorithm],
        objectives=list(usual_pair() or ()),
        budget=BUDGET,
        seed=1,
    )
    for _ in search_front.run(request, ledger, Library()):
        pass
    found = np.array([[m.values[name] for name in NAMES] for _, m in ledger.measurements()])
    table = supernets.table(Library().supernet("digits-lesson"))
    assert table is not None
    whole = table[list(NAMES)].to_numpy(float)
    reference = pareto.reference_point(whole, maximize=[True, False])
    share, everything = (pareto.hypervolume(p, reference, maximize=[True, False]) for p in (found, whole))
    small = shipped(LESSONS.create("random_or_evolution")).small
    curves = small.random if algorithm == "random_search" else small.evolution
    assert curves[1][-1] == pytest.approx(share / everything, abs=1e-4)


@pytest.mark.slow
def test_what_was_cut_goes_on_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_file, "BUDGET", 20)
    lesson = LESSONS.create("random_or_evolution")
    assert isinstance(lesson, RandomOrEvolution)

    def work(ledger):  # type: ignore[no-untyped-def]
        return lesson._computed(2, ledger, Library(), 1, 1)

    whole = computed(work)
    assert resumed(work, after=1) == whole
    assert whole.large.size > 10**6
    assert all(0 < a <= b <= 1 for curve in whole.large.evolution for a, b in pairwise(curve))


@pytest.mark.parametrize(("ahead", "behind"), [(0, 0), (10, 10), (14, 6), (15, 5), (5, 15), (20, 0), (3, 0)])
def test_beyond_chance_is_what_a_coin_seldom_gives(ahead: int, behind: int) -> None:
    n = ahead + behind
    seldom = sum(comb(n, k) for k in range(n + 1) if abs(k - n / 2) >= abs(ahead - n / 2)) / 2**n
    assert RandomOrEvolution._beyond(ahead, behind) is (seldom < 0.05)
