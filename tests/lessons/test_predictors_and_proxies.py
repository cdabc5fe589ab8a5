"""Lesson 10: its proxies are scored as on the Search page, and what a predictor is judged on it never learned from."""

from __future__ import annotations

import numpy as np
import pytest

from core.lessons import predictors_and_proxies as lesson_file
from core.lessons.base import LESSONS, shipped
from core.lessons.predictors_and_proxies import BASELINE, ZERO_COST, PredictorsAndProxies
from core.library.library import Library
from core.library.proxies import ProxiesRecord
from core.store import MemoryLedger
from core.views.proxies import rows
from core.workflows import score_proxies
from tests.lessons.computing import computed, resumed


def _work(ledger):  # type: ignore[no-untyped-def]
    lesson = LESSONS.create("predictors_and_proxies")
    assert isinstance(lesson, PredictorsAndProxies)
    return lesson._computed(1, ledger, Library(), 8, 1)


@pytest.mark.slow
def test_scores_are_those_of_the_page_and_what_was_cut_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_file, "LABELS", (10, 20))
    whole = computed(_work)
    assert resumed(_work, after=2) == whole
    ledger = MemoryLedger()
    request = score_proxies.Request(supernet="digits-lesson", subnets=8, proxies=ZERO_COST, seed=1)
    for _ in score_proxies.run(request, ledger, Library()):
        pass
    record = ProxiesRecord.so_far(ledger)
    assert record is not None
    assert [row.measured for row in record.rows] == pytest.approx(whole.measured, abs=1e-6)
    for name in (BASELINE, *ZERO_COST):
        scores = [row.scores[name] for row in record.rows]
        assert scores == pytest.approx(whole.scores[name], rel=1e-6)
        shown = next(row for row in rows(record) if row.name == name)
        link = LESSONS.create("predictors_and_proxies").further(whole)[0]
        assert link.numbers[f"tau of {name}"] == pytest.approx(shown.tau)


def test_nothing_is_learned_from_what_it_is_judged_on(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Library().supernet("digits-lesson")
    held = entry.space.sample_array(40, np.random.default_rng(0))
    seen: list[np.ndarray] = []

    class Spy:
        def fit(self, rows, values, beside=None):  # type: ignore[no-untyped-def]
            seen.append(rows)

        def predict(self, rows, beside=None):  # type: ignore[no-untyped-def]
            return type("Said", (), {"mean": np.arange(len(rows))})

    monkeypatch.setattr(lesson_file.PREDICTORS, "create", lambda *_, **__: Spy())
    learn = lesson_file._learner(entry, held, 0)
    for resample in range(3):
        learn(50, resample)
    judged = set(entry.space.arch_ids(held))
    assert all(not judged & set(entry.space.arch_ids(each)) and len(each) == 50 for each in seen)
    assert seen[0].tolist() != seen[1].tolist()


def test_the_shipped_run_has_ten_resamples_of_every_number() -> None:
    evidence = shipped(LESSONS.create("predictors_and_proxies"))
    assert [len(taus) for taus in evidence.taus] == [10] * len(evidence.labels)
