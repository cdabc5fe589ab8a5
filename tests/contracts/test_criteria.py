"""What every criterion promises, and what each one's paper says it computes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.errors import InvalidInput
from core.library.networks import load_model
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.stem import Stem
from core.networks.cut import removable_groups
from core.networks.masks import allocate, applied, density, exponential_schedule, hold, iterative, like_layers
from core.networks.units import units_of
from core.pruning.criteria import CRITERIA, UnitCriterion, WeightCriterion
from core.pruning.criteria.base import prunable_weights
from core.pruning.criteria.gradients import trainable_copy
from core.pruning.criteria.synflow import linearized
from core.tasks.base import Batch
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted

WEIGHTS = [i.name for i in CRITERIA.describe() if issubclass(CRITERIA.get(i.name), WeightCriterion)]
UNITS = [i.name for i in CRITERIA.describe() if issubclass(CRITERIA.get(i.name), UnitCriterion)]


@pytest.fixture(scope="module")
def batch() -> Batch:
    data = random_dataset(48, seed=2).train
    return Batch(*(torch.from_numpy(each) for each in (data.x, data.y, data.ids)))


def scores(name: str, net: nn.Sequential, batch: Batch, seed: int = 0) -> dict[str, torch.Tensor]:
    criterion = CRITERIA.create(name)
    assert isinstance(criterion, WeightCriterion)
    return dict(criterion.scores(net, prunable_weights(net), batch, seed))


def unit_scores(name: str, net: nn.Sequential, batch: Batch, seed: int = 0) -> dict[str, torch.Tensor]:
    criterion = CRITERIA.create(name)
    assert isinstance(criterion, UnitCriterion)
    groups = (
        removable_groups(net) if name != "bn_scale" else [g for g in removable_groups(net) if _has_norm(g)]
    )
    return dict(criterion.scores(net, groups, batch, seed))


def _has_norm(group: object) -> bool:
    return any(m.tensor.endswith("running_var") for m in group.members)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "family"), list(itertools.product(WEIGHTS, IMAGE_FAMILIES)))
def test_every_weight_gets_a_finite_score_and_the_net_stays(name: str, family: str, batch: Batch) -> None:
    net = extracted(family)
    before = {n: t.clone() for n, t in net.state_dict().items()}
    if name == "synflow" and family in ("elastic_vit", "elastic_conv_vit", "chain", "plain_vit"):
        with pytest.raises(InvalidInput, match="attention"):
            scores(name, net, batch)
        return
    found = scores(name, net, batch)
    parameters = dict(net.named_parameters())
    assert list(found) == prunable_weights(net)
    for parameter, score in found.items():
        assert score.shape == parameters[parameter].shape
        assert score.dtype == torch.float64
        assert torch.isfinite(score).all()
        assert not score.requires_grad
    assert all(torch.equal(t, before[n]) for n, t in net.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in net.parameters())
    again = scores(name, net, batch)
    assert all(torch.equal(found[n], again[n]) for n in found)


@pytest.mark.parametrize(("name", "family"), list(itertools.product(UNITS, IMAGE_FAMILIES)))
def test_every_unit_gets_a_finite_score(name: str, family: str, batch: Batch) -> None:
    if name == "bn_scale" and family in ("elastic_vit", "plain_vit"):
        criterion = CRITERIA.create(name)
        assert isinstance(criterion, UnitCriterion)
        with pytest.raises(InvalidInput, match="no BatchNorm"):
            criterion.scores(extracted(family), removable_groups(extracted(family)), batch, 0)
        return
    net = extracted(family)
    found = unit_scores(name, net, batch)
    sizes = {g.name: g.size for g in removable_groups(net)}
    for group, score in found.items():
        assert score.shape == (sizes[group],)
        assert torch.isfinite(score).all()
        assert (score >= 0).all()


@pytest.mark.parametrize("name", [n for n in WEIGHTS + UNITS if CRITERIA.get(n).needs_data])
def test_data_are_asked_for(name: str) -> None:
    criterion, net = CRITERIA.create(name), extracted()
    target = prunable_weights(net) if isinstance(criterion, WeightCriterion) else removable_groups(net)
    with pytest.raises(InvalidInput, match="needs training samples"):
        criterion.scores(net, target, None, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["random_weights", "random_units"])
def test_chance_follows_the_seed(name: str, batch: Batch) -> None:
    take = scores if name in WEIGHTS else unit_scores
    first, same, other = (take(name, extracted(), batch, seed) for seed in (0, 0, 1))
    assert all(torch.equal(first[n], same[n]) for n in first)
    assert not all(torch.equal(first[n], other[n]) for n in first)


# --- what each computes ----------------------------------------------------------------------------


def loss(net: nn.Module, batch: Batch, temperature: float = 1.0) -> torch.Tensor:
    return F.cross_entropy(net(batch.inputs.double()) / temperature, batch.targets)


def test_snip_is_the_gradient_of_the_mask(batch: Batch) -> None:
    net = extracted()
    found = scores("snip", net, batch)
    made = trainable_copy(net)
    name = "1.conv1.weight"
    mask = torch.ones_like(dict(made.named_parameters())[name], requires_grad=True)
    weights = {n: (p * mask if n == name else p) for n, p in made.named_parameters()}
    value = F.cross_entropy(
        torch.func.functional_call(made, weights, (batch.inputs.double(),)), batch.targets
    )
    expected = torch.autograd.grad(value, mask)[0].abs()
    assert torch.allclose(found[name], expected, atol=1e-12)


def test_grasp_is_the_hessian_gradient_product_by_differences(batch: Batch) -> None:
    net = extracted()
    found = scores("grasp", net, batch)
    made = trainable_copy(net)
    names = prunable_weights(net)
    parameters = [dict(made.named_parameters())[n] for n in names]

    def gradients() -> list[torch.Tensor]:
        return list(torch.autograd.grad(loss(made, batch, 200.0), parameters))

    first = gradients()
    step = 1e-4
    with torch.no_grad():
        for p, g in zip(parameters, first, strict=True):
            p += step * g
    ahead = gradients()
    with torch.no_grad():
        for p, g in zip(parameters, first, strict=True):
            p -= 2 * step * g
    behind = gradients()
    with torch.no_grad():
        for p, g in zip(parameters, first, strict=True):
            p += step * g
    for name, p, a, b in zip(names, parameters, ahead, behind, strict=True):
        expected = p.detach() * (a - b) / (2 * step)
        assert torch.allclose(found[name], expected, atol=1e-3 * expected.abs().max().item() + 1e-15)


def test_fisher_is_the_mean_of_squared_products(batch: Batch) -> None:
    net = extracted()
    found = scores("fisher", net, batch)
    made = trainable_copy(net)
    weight = dict(made.named_parameters())["2.conv2.weight"]
    total = torch.zeros_like(weight)
    for i in range(len(batch.inputs)):
        one = Batch(*(each[i : i + 1] for each in (batch.inputs, batch.targets, batch.ids)))
        total += torch.autograd.grad(loss(made, one), weight)[0].square()
    expected = (weight.square() * total / len(batch.inputs)).detach()
    assert torch.allclose(found["2.conv2.weight"], expected, atol=1e-14)


def test_lamp_by_its_definition() -> None:
    net = nn.Sequential(PoolingHead(3, 2))
    with torch.no_grad():
        net[0].linear.weight.copy_(torch.tensor([[3.0, -1.0, 2.0], [1.0, 0.0, 2.0]]))
    found = CRITERIA.create("lamp").scores(net, ["0.linear.weight"], None, 0)["0.linear.weight"]  # type: ignore[attr-defined]
    squares = net[0].linear.weight.detach().double().square()
    for value, score in zip(squares.flatten(), found.flatten(), strict=True):
        assert score == pytest.approx(float(value / squares[squares >= value].sum()))
    assert found.max() == 1


def test_taylor_is_the_change_of_the_loss_to_first_order(batch: Batch) -> None:
    net = extracted()
    found = unit_scores("taylor", net, batch)
    [group] = [g for g in removable_groups(net) if g.name == "1.inner"]
    made = trainable_copy(net)
    share = 1e-5
    for unit in range(group.size):
        moved = trainable_copy(net)
        with torch.no_grad():
            for m in group.members:
                if m.role != "input" and m.tensor in dict(moved.named_parameters()):
                    units_of(dict(moved.named_parameters())[m.tensor], m, group.size)[unit] *= 1 - share
        slope = abs(float((loss(moved, batch) - loss(made, batch)).detach())) / share
        assert float(found["1.inner"][unit]) == pytest.approx(slope, rel=2e-2, abs=1e-7)


def test_filters_that_others_repeat_go_first() -> None:
    net = extracted()
    with torch.no_grad():
        weight = net[2].conv1.weight
        weight[:] = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
        weight[1] = weight[0]
    rows = net[2].conv1.weight.double().flatten(1)
    found = unit_scores("fpgm", net, Batch(torch.zeros(0), torch.zeros(0), torch.zeros(0)))["2.inner"]
    expected = torch.stack([(rows - r).norm(dim=1).sum() for r in rows])
    assert torch.allclose(found, expected / expected.mean())


def test_equal_batch_norm_scales_are_not_pruned_silently(batch: Batch) -> None:
    net = extracted()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.fill_(1)
    with pytest.raises(InvalidInput, match="prune at random"):
        unit_scores("bn_scale", net, batch)


def chain() -> nn.Sequential:
    """Convolutions one after another, so that all flow passes through each layer."""
    torch.manual_seed(0)
    return nn.Sequential(Stem(1, 6, 3, 1), Stem(6, 8, 3, 1), PoolingHead(8, 10)).eval()


def test_synflow_is_conserved_from_layer_to_layer() -> None:
    found = CRITERIA.create("synflow").scores(chain(), prunable_weights(chain()), None, 0)  # type: ignore[attr-defined]
    sums = [float(s.sum()) for s in found.values()]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-9)
    with torch.no_grad():
        assert (linearized(chain())(torch.ones(1, 1, 32, 32, dtype=torch.float64)) > 0).all()


def test_synflow_is_linear_whatever_the_statistics_and_the_constants_of_the_input_are() -> None:
    """Twice the input is twice the flow: a mean or an offset left anywhere would break that."""
    net = extracted()
    gone = 0
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.add_(3.0)
            gone += 1
    assert gone
    for name, buffer in net.named_buffers():
        if name.endswith(".mean"):
            buffer.fill_(0.4)
    made = linearized(net)
    x = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        bias = made(torch.zeros_like(x))
        torch.testing.assert_close(bias, torch.zeros_like(bias), atol=1e-12, rtol=0)
        torch.testing.assert_close(made(2 * x), 2 * made(x), rtol=1e-9, atol=1e-12)
        assert (made(x) > 0).any()


@pytest.mark.slow
def test_iterated_synflow_cuts_no_path_at_99_percent() -> None:
    """Flow is conserved over what every path crosses; a block beside a shortcut may end empty, both layers of it."""
    net = load_model(None, "subnet:digits-cnn:311131113111").net
    names, criterion = prunable_weights(net), CRITERIA.create("synflow")
    *_, masks = iterative(net, lambda n: criterion.scores(n, names, None, 0), 0.99, 100)  # type: ignore[attr-defined]
    assert density(masks) == pytest.approx(0.01, abs=1e-4)
    crossed = [masks["0.conv.weight"], masks["7.linear.weight"]]
    assert all(m.any() for m in crossed)
    for block in range(1, 7):
        inside = [masks[f"{block}.conv{number}.weight"].any() for number in (1, 2)]
        assert inside[0] == inside[1], "half a block leads nowhere"
    with torch.no_grad():
        flow = linearized(applied(net, masks))(torch.ones(1, 1, 32, 32, dtype=torch.float64))
    assert (flow > 0).any(), "a path from the image to an answer is left"


# --- masks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", [0.0, 0.31, 0.9, 0.99])
@pytest.mark.parametrize("allocation", ["global", "layer"])
def test_densities_are_exact(sparsity: float, allocation: str, batch: Batch) -> None:
    found = scores("magnitude", extracted(), batch)
    masks = allocate(found, sparsity, allocation)  # type: ignore[arg-type]
    total = sum(m.numel() for m in masks.values())
    if allocation == "global":
        assert sum(int((~m).sum()) for m in masks.values()) == round(sparsity * total)
        if sparsity:
            gone = torch.cat([found[n][~m] for n, m in masks.items()])
            stay = torch.cat([found[n][m] for n, m in masks.items()])
            assert gone.max() <= stay.min()
    else:
        assert all(int((~m).sum()) == round(sparsity * m.numel()) for m in masks.values())


def test_the_random_control_has_the_same_layer_densities(batch: Batch) -> None:
    masks = allocate(scores("magnitude", extracted(), batch), 0.7)
    control = like_layers(masks, scores("random_weights", extracted(), batch))
    assert all(int(control[n].sum()) == int(m.sum()) for n, m in masks.items())
    assert any(not torch.equal(control[n], m) for n, m in masks.items())


def test_masks_of_later_rounds_lie_inside_earlier_ones(batch: Batch) -> None:
    net = extracted()
    rounds = list(iterative(net, lambda n: scores("snip", n, batch), 0.9, 6))
    for wide, narrow in itertools.pairwise(rounds):
        assert all((wide[n] | ~narrow[n]).all() for n in wide)
    assert [1 - density(m) for m in rounds] == pytest.approx(exponential_schedule(0.9, 6), abs=1e-3)
    steps = np.diff([1.0, *(density(m) for m in rounds)]) / np.array(
        [1.0, *(density(m) for m in rounds[:-1])]
    )
    assert np.ptp(steps) < 0.01, "every round removes the same share of what is left"


def test_momentum_does_not_revive_removed_weights(batch: Batch) -> None:
    net = trainable_copy(extracted())
    names = prunable_weights(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    loss(net, batch).backward()
    optimizer.step()
    masks = allocate({n: dict(net.named_parameters())[n].detach().abs() for n in names}, 0.8)
    hold(net, masks)
    revived = False
    for _ in range(3):
        optimizer.zero_grad()
        loss(net, batch).backward()
        optimizer.step()
        revived |= any(bool((dict(net.named_parameters())[n][~m] != 0).any()) for n, m in masks.items())
        hold(net, masks)
        assert all(bool((dict(net.named_parameters())[n][~m] == 0).all()) for n, m in masks.items())
    assert revived, "without holding, momentum would have brought them back"


def test_applying_masks_leaves_the_net_and_refuses_strangers() -> None:
    net = extracted()
    before = net[1].conv1.weight.clone()
    mask = {"1.conv1.weight": torch.zeros_like(before, dtype=torch.bool)}
    assert not applied(net, mask)[1].conv1.weight.any()
    assert torch.equal(net[1].conv1.weight, before)
    for wrong in ({"nobody": mask["1.conv1.weight"]}, {"1.conv2.weight": torch.ones(1, dtype=torch.bool)}):
        with pytest.raises(InvalidInput, match="does not fit"):
            applied(net, wrong)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0])
def test_impossible_sparsities_are_refused(sparsity: float) -> None:
    with pytest.raises(InvalidInput, match="between 0"):
        allocate({"a": torch.ones(3)}, sparsity)
    with pytest.raises(InvalidInput, match="between 0"):
        exponential_schedule(sparsity, 3)


# --- other data than maps ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in WEIGHTS if CRITERIA.get(n).needs_data])
def test_token_ids_stay_whole_numbers(name: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 3)).eval()
    tokens = Batch(torch.randint(0, 7, (90, 3)), torch.randint(0, 3, (90,)), torch.arange(90))
    found = scores(name, net, tokens)
    assert list(found) == ["2.weight"]
    assert torch.isfinite(found["2.weight"]).all()
    assert found["2.weight"].abs().sum() > 0


@pytest.mark.parametrize("name", ["snip", "taylor"])
def test_only_rows_that_count_are_judged_by(name: str, batch: Batch) -> None:
    """A graph's other nodes follow those with a target."""
    net = extracted()
    some = Batch(batch.inputs[:20], batch.targets[:20], batch.ids[:20])
    followed = Batch(batch.inputs, batch.targets[:20], batch.ids[:20])
    judge = scores if name in WEIGHTS else unit_scores
    one, other = judge(name, net, some), judge(name, net, followed)
    assert all(torch.allclose(one[n], other[n], rtol=1e-9) for n in one)
