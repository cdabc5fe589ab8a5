"""Evolving a layer: cut anywhere and resumed it is the same, and it counts and compares what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import Cancelled, InvalidInput
from core.library.library import Library
from core.library.norm_search import EVOLVED, TABLE_FILE, NormSearch
from core.norm_search import trial
from core.norm_search.expressions import size
from core.norm_search.layers import BASELINES, ExpressionLayer
from core.norm_search.trial import Sizes
from core.records import Metric
from core.store import MemoryLedger
from core.views.norm_search import NormView
from core.workflows.evolve_norm import Request, run

REQUEST = Request(population=4, children=3, generations=3, tournament=2, steps=8, seeds=6, seed=1)
ROWS = 4 + 2 * 3 + 5 * 6


class CutLedger(MemoryLedger):
    """Its worker is gone at one writing."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def log_metrics(self, step: int, metrics: Mapping[str, Metric]) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("cut")
        super().log_metrics(step, metrics)


@pytest.fixture(autouse=True)
def quick_work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Worth by arithmetic: what is tried here is the order of doing, writing down and saying."""
    done: list[str] = []

    def small(make: Any) -> int:
        layer = make(4)
        return size(layer.tree) if isinstance(layer, ExpressionLayer) else 4

    def rejected(make: Any, digits: Any, seed: int, sizes: Sizes) -> str:
        done.append("look")
        return "learns nothing" if small(make) % 4 == 0 else ""

    def fitness(name: str, make: Any, digits: Any, seed: int, sizes: Sizes) -> tuple[float, float]:
        done.append(f"{name} {sizes.steps}")
        return 0.5 + small(make) / 100, 0.4 + small(make) / 100 + seed / 1000

    monkeypatch.setattr(trial, "rejected", rejected)
    monkeypatch.setattr(trial, "fitness", fitness)
    return done


def finished(ledger: MemoryLedger, request: Request = REQUEST) -> tuple[Any, ...]:
    steps = list(run(request, ledger, Library()))
    assert [s.fraction for s in steps] == sorted(s.fraction for s in steps)
    assert steps[-1].fraction == 1
    return ledger.metrics(), ledger.artifact(TABLE_FILE)


def test_cut_after_any_writing_it_goes_on_as_if_nothing_had_happened(quick_work: list[str]) -> None:
    whole = finished(MemoryLedger())
    assert len(whole[0]) == ROWS
    once = len(quick_work)
    for cut in range(0, ROWS, 3):
        quick_work.clear()
        ledger = CutLedger(cut)
        with pytest.raises(Cancelled):
            finished(ledger)
        ledger.left = ROWS
        assert finished(ledger) == whole
        # At most one expression (a look and two trainings) is tried again.
        assert len(quick_work) <= once + 3


def test_rows_of_other_settings_are_not_continued() -> None:
    ledger = MemoryLedger()
    finished(ledger)
    with pytest.raises(InvalidInput, match="start the search again"):
        finished(ledger, REQUEST.model_copy(update={"seed": 2}))


def test_only_what_is_not_rejected_is_trained_and_the_comparison_has_other_seeds() -> None:
    ledger = MemoryLedger()
    finished(ledger)
    found = NormSearch.of(ledger.metrics())
    assert len(found.candidates) == 10
    for candidate in found.candidates:
        assert bool(candidate.rejected) == (size(candidate.tree) % 4 == 0) == (candidate.accuracy is None)
    assert found.best is not None
    assert found.best.accuracy == max(c.accuracy for c in found.candidates if c.accuracy is not None)
    assert [layer.name for layer in found.layers] == [EVOLVED, *BASELINES]
    assert all(set(layer.tests) == {2, 3, 4, 5, 6, 7} for layer in found.layers)
    view = NormView.of(ledger.metrics())
    assert view.rejected == sum(bool(c.rejected) for c in found.candidates)
    assert len(view.sentences) == 4
    assert all(EVOLVED in sentence for sentence in view.sentences)
    means = [row.accuracy.mean for row in view.rows]
    assert means == sorted(means, reverse=True)


def test_a_tournament_larger_than_the_population_is_refused() -> None:
    with pytest.raises(ValueError, match="at most as many contestants"):
        Request(population=3, tournament=4)
