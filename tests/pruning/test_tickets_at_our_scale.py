"""The claims that the README and the Pruning page make about tickets, with three seeds (a minute each)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.library.networks import load_model
from core.library.trainings import training_of
from core.pruning.experiments.base import EXPERIMENTS, Experiment, Row
from core.pruning.experiments.comparing import at, difference
from core.pruning.experiments.lottery_tickets import RANDOM, REDRAWN, TICKET
from core.pruning.pruners.base import PruningTask
from tests.helpers.pruning import LARGEST

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def task() -> PruningTask:
    model = load_model(None, LARGEST)
    training, _ = training_of(model.entry)
    return PruningTask(model.net, model.dataset, training.model_copy(update={"seed": 0}), 0)


def rows(experiment: Experiment, task: PruningTask) -> Iterator[Row]:
    for part in experiment.parts():
        yield from (step for step in experiment.run_part(task, part) if isinstance(step, Row))


@pytest.mark.parametrize("sparsity", [0.8, 0.9, 0.95])
def test_a_lottery_ticket_beats_its_controls(task: PruningTask, sparsity: float) -> None:
    experiment = EXPERIMENTS.create("lottery_tickets", {"seeds": 3, "sparsities": (sparsity,)})
    found = list(rows(experiment, task))
    for control in (REDRAWN, RANDOM):
        apart = difference(at(found, TICKET, sparsity), at(found, control, sparsity))
        assert apart is not None
        assert apart.seeds == 3
        assert apart.larger, f"{control}: {apart}"


def test_a_grokking_ticket_generalizes_in_less_than_half_the_steps(task: PruningTask) -> None:
    found = list(rows(EXPERIMENTS.create("grokking_tickets", {"seeds": 3}), task))

    def steps(condition: str) -> dict[int, float]:
        """Seed -> first step at 95 % test accuracy; infinite where it never got there."""
        there: dict[int, float] = {r.seed: float("inf") for r in found if r.condition == condition}
        for r in found:
            if r.condition == condition and r.split == "test" and r.y >= 0.95:
                there[r.seed] = min(there[r.seed], r.x)
        return there

    dense, ticket, random = (steps(name) for name in ("dense", "grokking ticket", "random mask"))
    assert len(dense) == len(ticket) == 3
    for seed in dense:
        assert ticket[seed] < dense[seed] / 2
        assert random[seed] > dense[seed]
