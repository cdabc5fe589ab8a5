"""Every experiment keeps the contract; each shows what its method promises; verdicts follow the rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from core.errors import InvalidInput, NotFound
from core.networks.answers import accuracy
from core.pruning.criteria.base import prunable_weights
from core.pruning.experiments import (
    EXPERIMENTS,
    Experiment,
    Row,
    modular_addition,
    supermasks,
)
from core.pruning.experiments import grokking_tickets as grokking
from core.pruning.experiments import lottery_tickets as lottery
from core.pruning.experiments import random_sparse as sparse
from core.pruning.experiments.comparing import NOTHING, claim, compared, difference
from core.pruning.experiments.small_nets import loss_on, mlp, prepared
from core.pruning.pruners.base import PruningTask
from core.records import Progress
from tests.helpers.plain_nets import extracted
from tests.training.small import digits, settings

# An experiment that is not named here runs with its defaults and one seed, which may take too long.
TINY: dict[str, dict[str, Any]] = {
    "lottery_tickets": {"epochs": 2, "sparsities": (0.5, 0.7), "share": 0.5},
    "grokking_tickets": {"steps": 100},
    "supermasks": {"tasks": 2, "width": 16, "epochs": 2},
    "random_sparse": {"draws": 3, "width": 16, "epochs": 1},
}


def task(seed: int = 0) -> PruningTask:
    return PruningTask(extracted(), digits(96), settings(), seed)


def rows_of(experiment: Experiment, about: PruningTask) -> list[Row]:
    return [
        step
        for part in experiment.parts()
        for step in experiment.run_part(about, part)
        if isinstance(step, Row)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TINY))
def test_every_experiment_keeps_the_contract(name: str) -> None:
    experiment = EXPERIMENTS.create(name, {**TINY[name], "seeds": 2})
    for text in (experiment.label, experiment.source, experiment.x_label, experiment.y_label):
        assert text
    assert experiment.question.endswith("?")
    assert experiment.verdict([]) == [NOTHING]
    for field in experiment.Config.model_fields.values():
        assert field.description
    parts = experiment.parts()
    assert json.loads(json.dumps(parts)) == parts
    assert len(parts) == 2
    parent = extracted()
    before = {name: tensor.clone() for name, tensor in parent.state_dict().items()}
    about = replace(task(3), parent=parent)
    steps = list(experiment.run_part(about, parts[1]))
    shares = [s.fraction for s in steps if isinstance(s, Progress)]
    rows = [s for s in steps if isinstance(s, Row)]
    assert shares
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)
    assert {row.seed for row in rows} == {4}
    assert all(0 <= row.y <= 1 for row in rows)
    assert rows == [s for s in experiment.run_part(about, parts[1]) if isinstance(s, Row)]
    assert all(torch.equal(tensor, before[key]) for key, tensor in parent.state_dict().items())
    assert all(sentence.endswith(".") for sentence in experiment.verdict(rows))
    with pytest.raises(InvalidInput):
        list(experiment.run_part(about, {"repetition": "x"}))


def test_the_registry_names_them_and_wrong_settings_are_explained() -> None:
    assert set(TINY) <= set(EXPERIMENTS.names())
    with pytest.raises(NotFound):
        EXPERIMENTS.create("lottery")
    with pytest.raises(InvalidInput, match="seeds"):
        EXPERIMENTS.create("supermasks", {"seeds": 11})
    with pytest.raises(InvalidInput, match="ascend"):
        EXPERIMENTS.create("lottery_tickets", {"sparsities": (0.9, 0.8)})


def test_a_difference_counts_only_beyond_the_spread_of_the_seeds() -> None:
    close = difference({0: 0.90, 1: 0.94}, {0: 0.91, 1: 0.92})
    far = difference({0: 0.90, 1: 0.91}, {0: 0.50, 1: 0.51, 2: 0.9})
    one = difference({0: 0.9}, {0: 0.1})
    assert close is not None
    assert far is not None
    assert one is not None
    assert close.larger is None
    assert far.larger is True
    assert far.seeds == 2
    assert one.larger is None
    assert "a tie" in compared(close, "a", "b")
    assert "40.0 points more" in compared(far, "a", "b")
    assert "one seed" in compared(one, "a", "b")
    assert difference({0: 1.0}, {1: 1.0}) is None
    back = difference({0: 0.50, 1: 0.51}, {0: 0.90, 1: 0.91})
    assert back is not None
    assert claim("it works", [far, far]) == "Here it shows that it works."
    assert "1 of 2" in claim("it works", [far, close, one])
    assert claim("it works", [close, back]) == "That it works does not show here."
    assert claim("it works", [back], smaller=True) == "Here it shows that it works."
    assert claim("it works", [close], smaller=True) == "That it works does not show here."
    assert claim("it works", [one]) == "One seed cannot tell whether it works."


def flat(condition: str, x: float, *values: float, split: str = "validation") -> list[Row]:
    return [Row(condition, seed, x, y, split) for seed, y in enumerate(values)]


def test_verdicts_change_with_the_rows() -> None:
    others = flat(lottery.REDRAWN, 0.9, 0.7, 0.71) + flat(lottery.RANDOM, 0.9, 0.94, 0.96)
    wins = EXPERIMENTS.create("lottery_tickets").verdict(flat(lottery.TICKET, 0.9, 0.95, 0.96) + others)
    loses = EXPERIMENTS.create("lottery_tickets").verdict(flat(lottery.TICKET, 0.9, 0.55, 0.56) + others)
    assert any("tie" in s and "random mask" in s for s in wins)
    assert "Here it shows that the ticket beats the same mask on new weights." in wins
    assert "That the ticket beats the same mask on new weights does not show here." in loses
    better = flat(sparse.CHOSEN, 0.5, 0.9, 0.91) + flat(sparse.DRAWN, 0.5, 0.8, 0.81)
    same = flat(sparse.CHOSEN, 0.5, 0.9, 0.91) + flat(sparse.DRAWN, 0.5, 0.9, 0.91)
    assert "shows that" in EXPERIMENTS.create("random_sparse").verdict(better)[-1]
    assert "does not show" in EXPERIMENTS.create("random_sparse").verdict(same)[-1]
    kept = flat(supermasks.KNOWN, 1, 0.9, 0.91)
    forgets = EXPERIMENTS.create("supermasks").verdict(kept + flat(supermasks.DENSE, 1, 0.2, 0.21))
    keeps = EXPERIMENTS.create("supermasks").verdict(kept + flat(supermasks.DENSE, 1, 0.9, 0.91))
    assert "shows that" in forgets[1]
    assert "does not show" in keeps[1]


def curve(condition: str, seed: int, reached: float) -> list[Row]:
    return [Row(condition, seed, x, 1.0 if x >= reached else 0.1, "test") for x in (0, 50, 100, 150, 200)]


def test_the_grokking_verdict_counts_steps_and_says_who_never_got_there() -> None:
    fast = [row for seed in (0, 1) for row in curve(grokking.TICKET, seed, 50)]
    never = [row for seed in (0, 1) for row in curve(grokking.DENSE, seed, 999)]
    said = EXPERIMENTS.create("grokking_tickets").verdict(fast + never)
    assert any("not reached in 200 steps by any of 2 seeds" in s for s in said)
    assert any("count with the steps" in s for s in said)
    assert "Here it shows that the grokking ticket generalizes sooner than the dense network." in said
    slow = [replace(row, condition=grokking.DENSE) for row in fast]
    said = EXPERIMENTS.create("grokking_tickets").verdict(fast + slow)
    assert "That the grokking ticket generalizes sooner than the dense network does not show here." in said
    assert grokking.steps_to(fast, grokking.TICKET) == {0: (50, True), 1: (50, True)}


def test_a_grokking_ticket_keeps_its_first_weights_and_its_zeros() -> None:
    start = modular_addition.fresh(11, 0)
    data = modular_addition.pairs(11, 0.6, 0)
    assert len(data.train_y) + len(data.test_y) == 11 * 12 // 2
    assert torch.equal(data.train_x.sum(1), torch.full((len(data.train_y),), 2.0))
    dense = list(modular_addition.train(data, start, {}, 100, 1.0))
    mask = grokking.ticket_mask(dense[-1].weights, 0.6)
    kept = sum(int(m.sum()) for m in mask.values()) / sum(m.numel() for m in mask.values())
    assert kept == pytest.approx(0.4, abs=1e-5)
    first, *_, last = modular_addition.train(data, start, mask, 100, 1.0)
    for name, where in mask.items():
        assert torch.equal(first.weights[name], start[name] * where)
        assert not last.weights[name][~where].any()
    changed = (last.weights["embed"] != first.weights["embed"])[mask["embed"]]
    assert changed.float().mean() > 0.9


def test_products_of_matrices_are_the_network_token_by_token() -> None:
    weights = {name: tensor.double() for name, tensor in modular_addition.fresh(7, 1).items()}
    data = modular_addition.pairs(7, 0.5, 1)
    numbers = [int(v) for v in data.test_x[0].nonzero().flatten()]
    a, b = numbers[0], numbers[-1]  # a number with itself has one entry, a 2
    tokens = weights["embed"][a] @ weights["first"] + weights["embed"][b] @ weights["first"]
    expected = torch.relu(tokens) @ weights["second"] @ weights["unembed"]
    assert torch.allclose(modular_addition.logits(weights, data.test_x[:1].double())[0], expected)
    assert int(data.test_y[0]) == (a + b) % 7


@pytest.mark.slow
def test_supermasks_forget_nothing_and_infer_the_task() -> None:
    experiment = supermasks.Supermasks(supermasks.Supermasks.Config(tasks=5, width=128))
    dataset = digits(800)
    variants = [experiment._variant(dataset, 0, index) for index in range(5)]
    learner = supermasks.SupSup([64, 128, 128, 10], 0.3, 0)

    def digest() -> str:
        parameters = learner.net.parameters()
        return hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in parameters)).hexdigest()

    before = digest()
    learner.learn(variants[0], 8)
    first = accuracy(learner.net_of(0), variants[0], "validation")
    for variant in variants[1:]:
        learner.learn(variant, 8)
    assert digest() == before
    assert accuracy(learner.net_of(0), variants[0], "validation") == first > 0.6
    for masks in learner.masks:
        assert set(masks) == set(prunable_weights(learner.net))
        assert all(int(m.sum()) == round(0.3 * m.numel()) for m in masks.values())
    images = [torch.from_numpy(variant.validation.x[:100]) for variant in variants]
    assert sum(learner.infer(x) == index for index, x in enumerate(images)) >= 3


def test_the_chosen_random_network_starts_best_and_is_the_parent_with_other_units_at_zero() -> None:
    data = prepared(digits(96), 96)
    widths = [64, 20, 20, 10]
    parent = mlp(widths, 1)
    draws = [sparse.units_of(widths, 0.8, 0, k) for k in range(6)]
    assert all([len(k) for k in kept] == [4, 4] for kept in draws)
    assert len({tuple(kept[0].tolist()) for kept in draws}) > 1
    nets = [sparse.with_units(parent, kept) for kept in draws]
    x = torch.from_numpy(data.train.x)
    held = mlp(widths, 1)
    hidden = [layer for layer in held if isinstance(layer, torch.nn.Linear)][:-1]
    with torch.no_grad():
        for layer, kept in zip(hidden, draws[0], strict=True):
            gone = torch.ones(20, dtype=torch.bool)
            gone[kept] = False
            layer.weight[gone] = 0
        assert torch.allclose(nets[0](x), held(x), atol=1e-5)
    best = sparse.best_start(nets, data)
    assert all(loss_on(best, data.train) <= loss_on(net, data.train) for net in nets)
    config = {"draws": 6, "width": 20, "epochs": 1, "sparsities": (0.8,), "seeds": 1}
    assert len(rows_of(EXPERIMENTS.create("random_sparse", config), task())) == 3
