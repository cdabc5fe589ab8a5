"""Progress is a share of the work: what is left of a training, said from its first tenth on, is right within 1.5.

Work is counted, not timed: of every stage that runs, its calls, multiply-accumulates and numbers written, three times
where a gradient follows. So whatever a strategy does besides (a teacher, looks at candidates, a memory bank) counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from core.evaluation.work import ORDINARY
from core.networks.trees import n_rows
from core.store import MemoryLedger
from core.supernets.base import Stage
from core.supernets.masked import ManyArchs
from core.training.loop import SupernetRun
from core.training.strategies import STRATEGIES, Strategy
from tests.training.small import digits, net_for, settings

FACTOR = 1.5
EPOCHS = 12
SEVERAL = [
    name
    for name in STRATEGIES.names()
    if STRATEGIES.get(name).step is not Strategy.step
    or len(STRATEGIES.create(name).phases(net_for(name).space)) > 1
]
"""Of the others every epoch is the same, however much a step is."""


@contextmanager
def counted() -> Iterator[list[float]]:
    """Seconds of an ordinary core that the stages took which ran inside; one number, which grows."""
    total, inside = [0.0], [0]

    def enter(module: nn.Module, given: tuple[object, ...]) -> None:
        inside[0] += isinstance(module, Stage)

    def count(module: nn.Module, given: tuple[object, ...], output: object) -> None:
        if not isinstance(module, Stage):
            return
        inside[0] -= 1
        if inside[0]:  # a stage that stands for others runs one of them
            return
        # Masks take the largest network, whatever each sample keeps of it.
        arch = module.space.largest if isinstance(given[1], ManyArchs) else given[1]
        cost = module.cost(arch)  # type: ignore[arg-type]
        rows = n_rows(given[0])
        parts = 1.0 * ORDINARY[0] + rows * cost.macs * ORDINARY[1] + rows * cost.output_size * ORDINARY[2]
        total[0] += parts * (3 if torch.is_grad_enabled() else 1)

    handles = [
        nn.modules.module.register_module_forward_pre_hook(enter),
        nn.modules.module.register_module_forward_hook(count),
    ]
    try:
        yield total
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_what_is_left_is_right_from_the_first_tenth_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SupernetRun, "measure", lambda run: {"phase": ""})
    monkeypatch.setattr(SupernetRun, "sentence", lambda run, metrics: "")
    run = SupernetRun(net_for(name), digits(), settings(strategy=name, epochs=EPOCHS), MemoryLedger())
    after, said, done = run.works[0].after, [], []
    with counted() as total:
        for progress in run.go():
            if progress.metrics:
                said.append(progress.fraction)
                done.append(total[0] + len(said) * after)
    assert len(said) == EPOCHS
    for fraction, work in zip(said[:-1], done[:-1], strict=True):
        if work >= 0.1 * done[-1]:
            expected, left = work * (1 - fraction) / fraction, done[-1] - work
            # What little is left at the end may be wrong by a twentieth of the whole.
            assert abs(expected - left) < 0.05 * done[-1] or 1 / FACTOR < expected / left < FACTOR, (
                f"at {work / done[-1]:.2f}: said {expected:.2f}, true {left:.2f} of {done[-1]:.2f}"
            )


@pytest.mark.parametrize("name", [n for n in STRATEGIES.names() if n not in SEVERAL])
def test_epochs_of_one_phase_are_equal_shares(name: str) -> None:
    run = SupernetRun(net_for(name), digits(), settings(strategy=name, epochs=4), MemoryLedger())
    assert len(set(run.works)) == 1
    assert run.works[0].step > 0
