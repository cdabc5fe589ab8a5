"""Lesson 12: it is the experiment of the Pruning page, and a lead within the scatter of the seeds is none."""

from __future__ import annotations

import pytest

from core.lessons import what_survives as lesson_file
from core.lessons.base import LESSONS
from core.lessons.what_survives import (
    DENSE,
    EXPERIMENT,
    REDRAWN,
    SHARE,
    SPARSE,
    TICKET,
    Survivors,
    WhatSurvives,
)
from core.library.experiments import ExperimentRecord
from core.library.library import Library
from core.store import MemoryLedger
from core.workflows import prune_experiment
from tests.lessons.computing import resumed


@pytest.mark.slow
def test_it_is_the_experiment_of_the_page_and_goes_on_where_it_was_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lesson_file, "SPARSITIES", (0.5,))
    lesson = LESSONS.create("what_survives")
    assert isinstance(lesson, WhatSurvives)

    def work(ledger):  # type: ignore[no-untyped-def]
        return lesson._computed(0, ledger, Library(), 2, 2)

    whole = resumed(work, after=1)
    ledger = MemoryLedger()
    settings = {"seeds": 2, "epochs": 2, "sparsities": [0.5], "share": SHARE}
    request = prune_experiment.Request(experiment=EXPERIMENT, config=settings, model=whole.network, seed=0)
    for _ in prune_experiment.run(request, ledger, Library()):
        pass
    record = ExperimentRecord.so_far(ledger)
    assert record is not None
    for name in (DENSE, *SPARSE):
        shown = [row.y for row in record.rows if row.condition == name]
        assert shown == pytest.approx(whole.dense if name == DENSE else whole.accuracy[name][0], abs=1e-6)
        assert len(shown) == 2


@pytest.mark.parametrize(("scatter", "expected"), [(0.001, "0.9"), (0.2, "none")])
def test_a_lead_within_the_scatter_is_none(scatter: float, expected: str) -> None:
    ticket = (0.9, 0.9 + scatter, 0.9 - scatter)
    other = (0.85, 0.85 - scatter, 0.85 + scatter)
    evidence = Survivors(
        network="example",
        sparsities=(0.9,),
        dense=(0.95,) * 3,
        accuracy={TICKET: (ticket,), REDRAWN: (other,), "random mask": (other,)},
    )
    assert LESSONS.create("what_survives").answer(evidence, {}) == expected
