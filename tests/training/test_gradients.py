"""What a step does to the weights, against gradients written out by hand.

Method cards 1, 2 and 7: accumulation, in-place distillation, detached teachers, nestedness, locality.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from core.evaluation.costs import CostTable
from core.seeding import stream
from core.supernets.base import Supernet
from core.supernets.elastic_cnn import BlockStage
from core.training.losses import distilling
from core.training.losses.distilling import soft_cross_entropy
from core.training.strategies import STRATEGIES, Draw, Term
from tests.helpers.nets import disturb, random_dataset, small_cnn
from tests.training.small import fresh_net, one_step, weights

DATA = random_dataset(40)
IMAGES, LABELS = torch.from_numpy(DATA.train.x), torch.from_numpy(DATA.train.y)


def hard(logits: Tensor) -> Tensor:
    return -logits.log_softmax(1)[torch.arange(len(LABELS)), LABELS].mean()


def soft(logits: Tensor, teacher: Tensor) -> Tensor:
    return -(teacher.softmax(1) * logits.log_softmax(1)).sum(1).mean()


def gradient(net: Supernet, loss: Callable[[Supernet], Tensor]) -> dict[str, np.ndarray]:
    net = copy.deepcopy(net)
    loss(net).backward()
    return {n: (torch.zeros_like(p) if p.grad is None else p.grad).numpy() for n, p in net.named_parameters()}


def step_of(net: Supernet, **changes: object) -> dict[str, np.ndarray]:
    """Gradient that the loop applied, read off the weights."""
    net = copy.deepcopy(net)
    before = weights(net)
    one_step(net, DATA, **changes)
    after = weights(net)
    return {name: before[name] - after[name] for name in before}


def distance(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


def draws_of(name: str, net: Supernet, config: dict[str, object] | None = None, seed: int = 0) -> list[Draw]:
    """The draws of the first step, as the loop makes them."""
    strategy = STRATEGIES.create(name, config)
    return strategy.draws(net.space, strategy.phases(net.space)[0], stream(seed, "draws", 0, 0))


def test_sandwich_step_is_the_gradient_of_labels_for_the_largest_plus_imitation_for_the_others() -> None:
    net = small_cnn(kernel_transform=True)
    draws = draws_of("sandwich", net)
    assert [d.losses for d in draws] == [(Term("labels"),), *[(Term("distill_largest"),)] * 3]
    assert [d.arch for d in draws][:2] == [net.largest, net.smallest]

    def loss(net: Supernet, *, detached: bool) -> Tensor:
        largest = net(IMAGES, draws[0].arch)
        teacher = largest.detach() if detached else largest
        return hard(largest) + sum(soft(net(IMAGES, d.arch), teacher) for d in draws[1:])

    step = step_of(net, strategy="sandwich")
    assert distance(step, gradient(net, lambda n: loss(n, detached=True))) < 1e-5
    assert distance(step, gradient(net, lambda n: loss(n, detached=False))) > 1e-2


def test_the_check_notices_a_teacher_that_is_not_detached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this the test above might pass for a loop that never distills."""
    net = small_cnn()
    honest = step_of(net, strategy="sandwich")
    monkeypatch.setattr(distilling, "soft_cross_entropy", lambda logits, *rest: 0 * logits.sum())
    assert distance(honest, step_of(net, strategy="sandwich")) > 1e-2


def test_no_gradient_reaches_a_teacher_on_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, teacher = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    soft_cross_entropy(logits, teacher).backward()
    assert logits.grad is not None
    assert teacher.grad is None
    given: list[Tensor] = []
    for strategy, epochs in (("sandwich", 1), ("progressive_shrinking", 4)):
        monkeypatch.setattr(
            distilling, "soft_cross_entropy", lambda y, teacher, *rest: given.append(teacher) or y.sum() * 0
        )
        one_step(small_cnn(), DATA, strategy=strategy, epochs=epochs)
    # Three children of one sandwich; then 1, 2 and 4 draws in the phases with a frozen teacher.
    assert [t.requires_grad for t in given] == [False] * (3 + 1 + 2 + 4)


def test_sandwich_without_distillation_teaches_everyone_by_labels() -> None:
    net = small_cnn()
    config = {"distill": False, "n_random": 1}
    archs = [d.arch for d in draws_of("sandwich", net, config)]
    step = step_of(net, strategy="sandwich", strategy_config=config)
    assert distance(step, gradient(net, lambda n: sum(hard(n(IMAGES, a)) for a in archs))) < 1e-5


def test_uniform_and_sorted_net_steps_are_sums_over_their_draws() -> None:
    net = small_cnn()
    for name, config in (("uniform", {}), ("sorted_net", {"accumulate": 3})):
        archs = [d.arch for d in draws_of(name, net, config)]
        assert len(archs) == config.get("accumulate", 1)
        step = step_of(net, strategy=name, strategy_config=config)
        assert (
            distance(step, gradient(net, lambda n, archs=archs: sum(hard(n(IMAGES, a)) for a in archs)))
            < 1e-5
        )


def test_a_step_may_combine_losses_by_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the labels and twice the divergence from the draw before, written out."""
    net = small_cnn()
    archs = [net.largest, net.smallest]
    mixed = (Term("labels", 0.5), Term("kl", 2.0, {"teacher": "previous", "temperature": 3.0}))
    drawn = [Draw(archs[0]), Draw(archs[1], mixed)]
    monkeypatch.setattr(type(STRATEGIES.create("uniform")), "draws", lambda *given: drawn)
    step = step_of(net, strategy="uniform")

    def loss(net: Supernet) -> Tensor:
        before, outputs = net(IMAGES, archs[0]), net(IMAGES, archs[1])
        wanted, given = (before.detach() / 3).softmax(1), (outputs / 3).log_softmax(1)
        divergence = 9 * (wanted * (wanted.log() - given)).sum(1).mean()
        return hard(before) + 0.5 * hard(outputs) + 2 * divergence

    assert distance(step, gradient(net, loss)) < 1e-5


def test_a_fresh_network_is_the_same_function_at_every_depth() -> None:
    """The last scale of each block starts at zero (BigNAS) where there is a shortcut, so that blocks which only
    repeat a width start as the identity. Channels that a group's first block adds have no shortcut; they are
    alive from the start, so that block's kernel counts."""
    net = fresh_net()
    at = net.space.position
    logits: dict[tuple[int, ...], Tensor] = {}
    for row in net.space.array().tolist():
        counts = tuple(row[at[name]] for name in ("width1", "width2", "kernel2_1"))
        found = net(IMAGES, tuple(row))
        assert torch.equal(found, logits.setdefault(counts, found))
    disturbed = disturb(fresh_net())
    shallow = disturbed.space.from_dict(disturbed.space.to_dict(disturbed.largest) | {"depth1": 1})
    assert not torch.allclose(disturbed(IMAGES, disturbed.largest), disturbed(IMAGES, shallow))


# --- SortedNet ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 4, 8])
def test_sorted_net_draws_from_a_chain_in_which_each_contains_the_one_before(n: int) -> None:
    net = small_cnn()
    chain = STRATEGIES.create("sorted_net", {"n_nested": n}).nested(net.space)
    assert (chain[0], chain[-1], len(chain)) == (net.smallest, net.largest, n)
    for small, large in itertools.pairwise(chain):
        assert all(a <= b for a, b in zip(small, large, strict=True))
    costs = CostTable.of(net)
    rows = np.array(chain, np.uint8)
    assert (np.diff(costs.total("params", rows)) >= 0).all()
    assert (np.diff(costs.total("macs", rows)) >= 0).all()


def test_a_step_of_a_small_subnet_leaves_everything_outside_it_alone() -> None:
    """Plain gradient descent; written out with the slices of the convolutional family."""
    net = small_cnn()
    seed = next(
        s
        for s in range(99)
        if draws_of("sorted_net", net, {"n_nested": 2, "accumulate": 1}, s)[0].arch == net.smallest
    )
    before = weights(net)
    one_step(net, DATA, strategy="sorted_net", strategy_config={"n_nested": 2, "accumulate": 1}, seed=seed)
    after = weights(net)
    inside = {name: np.zeros(array.shape, bool) for name, array in before.items()}
    for index, stage in enumerate(net.stages):
        prefix = f"stages.{index}"
        if not isinstance(stage, BlockStage) or stage.index > 1:
            continue
        width, kernel = int(stage.option(net.smallest, f"width{stage.group}")), stage.conv1.kernels[0]
        width_in = int(stage.option(net.smallest, stage._in_choice))
        margin = (stage.conv1.kernels[-1] - kernel) // 2
        center = slice(margin, margin + kernel)
        inside[f"{prefix}.conv1.weight"][:width, :width_in, center, center] = True
        inside[f"{prefix}.conv2.weight"][:width, :width] = True
        for norm in ("norm1", "norm2"):
            inside[f"{prefix}.{norm}.weight"][:width] = inside[f"{prefix}.{norm}.bias"][:width] = True
    first, last = 2, 4
    inside["stages.0.conv.weight"][:first] = inside["stages.0.norm.weight"][:first] = inside[
        "stages.0.norm.bias"
    ][:first] = True
    head = f"stages.{len(net.stages) - 1}.linear"
    inside[f"{head}.weight"][:, :last] = inside[f"{head}.bias"][:] = True
    for name, mask in inside.items():
        np.testing.assert_array_equal(after[name][~mask], before[name][~mask], err_msg=name)
    moved = sum(int((after[name] != before[name]).sum()) for name in inside)
    assert moved > 0.7 * sum(int(mask.sum()) for mask in inside.values())


# --- Once-for-all ---------------------------------------------------------------------------------


def test_sorting_channels_changes_no_subnet_of_full_width_and_every_narrower_one() -> None:
    net = small_cnn(kernel_transform=True)
    at = net.space.position
    top = [at[n] for n in ("width1", "width2", "width3")]
    rows = [tuple(r) for r in net.space.sample_array(40, np.random.default_rng(0)).tolist()]
    full = [net.space.canonical([1 if i in top else v for i, v in enumerate(row)]) for row in rows]
    before = [net(IMAGES, arch) for arch in full]
    narrow = net(IMAGES, net.smallest)
    net.sort_channels()
    for arch, logits in zip(full, before, strict=True):
        torch.testing.assert_close(net(IMAGES, arch), logits, rtol=0, atol=2e-6)
    assert not torch.allclose(net(IMAGES, net.smallest), narrow, atol=1e-2)
    for stage in net.stages:
        if isinstance(stage, BlockStage):
            importance = stage.conv2.weight.abs().sum((0, 2, 3))
            assert (importance.diff() <= 0).all()


def test_smaller_kernels_are_center_crops_until_their_matrix_is_learned() -> None:
    net = small_cnn(kernel_transform=True)
    conv = next(s for s in net.stages if isinstance(s, BlockStage)).conv1
    torch.testing.assert_close(conv.kernel_weight(4, 4, 3), conv.weight[:, :, 1:4, 1:4])
    with torch.no_grad():
        conv.transforms["3"].add_(0.1)
    assert not torch.allclose(conv.kernel_weight(4, 4, 3), conv.weight[:, :, 1:4, 1:4])
    torch.testing.assert_close(conv.kernel_weight(4, 4, 5), conv.weight)
