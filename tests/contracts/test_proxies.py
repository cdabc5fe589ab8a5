"""What every zero-cost proxy promises, and what each one's paper says it computes."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.errors import InvalidInput
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.stem import Stem
from core.networks.calibration import batch_norms
from core.networks.chain import fresh_like
from core.proxies import PROXIES, LayerProxy
from core.proxies.copies import input_gradients, prepared
from core.proxies.naswot import agreement
from core.pruning.criteria.base import prunable_weights
from core.tasks.base import Batch
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import example_net, example_samples, extracted

NAMES = PROXIES.names()
NOT_DEFINED = {
    ("synflow", "elastic_vit"): "attention",
    ("synflow", "plain_vit"): "attention",
    ("synflow", "elastic_conv_vit"): "attention",
    ("synflow", "chain"): "attention",
    ("naswot", "elastic_vit"): "has none",
    ("naswot", "plain_vit"): "has none",
}
# Its only ReLUs are the few of squeeze-and-excite: many samples switch them alike.
WORST_OF_ALL = {("naswot", "elastic_conv_vit")}


def some(n: int = 16, seed: int = 2) -> Batch:
    data = random_dataset(n, seed=seed).train
    return Batch(*(torch.from_numpy(each) for each in (data.x, data.y, data.ids)))


@pytest.fixture(scope="module")
def batch() -> Batch:
    return some()


def score(name: str, net: nn.Sequential, batch: Batch, seed: int = 0) -> float:
    return PROXIES.create(name).score(net, batch, seed)


@pytest.mark.parametrize(("name", "family"), list(itertools.product(NAMES, IMAGE_FAMILIES)))
def test_every_network_gets_a_number_and_stays_as_it_was(name: str, family: str, batch: Batch) -> None:
    net = fresh_like(extracted(family), seed=1)
    net[0].requires_grad_(False)
    first = next(p for p in net.parameters() if p.requires_grad)
    first.grad = torch.ones_like(first)
    net.eval()
    list(net.children())[-1].train()
    before = {n: t.clone() for n, t in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    wanted = [p.requires_grad for p in net.parameters()]
    chance = torch.random.get_rng_state()
    if (name, family) in NOT_DEFINED:
        with pytest.raises(InvalidInput, match=NOT_DEFINED[name, family]):
            score(name, net, batch)
    else:
        found = score(name, net, batch)
        assert math.isfinite(found) != ((name, family) in WORST_OF_ALL)
        assert found == score(name, net, batch), "the same network, batch and seed give the same number"
    assert all(torch.equal(t, before[n]) for n, t in net.state_dict().items())
    assert [m.training for m in net.modules()] == modes
    assert [p.requires_grad for p in net.parameters()] == wanted
    assert torch.equal(first.grad, torch.ones_like(first))
    assert all(p.grad is None for p in net.parameters() if p is not first)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.equal(torch.random.get_rng_state(), chance)


@pytest.mark.parametrize("name", NAMES)
def test_norms_go_by_the_batch_whatever_statistics_are_kept(name: str, batch: Batch) -> None:
    net = fresh_like(extracted(), seed=1)
    before = score(name, net, batch)
    for norm in batch_norms(net):
        norm.running_mean.fill_(0.7)  # type: ignore[union-attr]
        norm.running_var.fill_(9.0)  # type: ignore[union-attr]
    assert score(name, net, batch) == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cell", ["none", "dead input", "fine"])
def test_a_network_through_which_nothing_passes_comes_last(name: str, cell: str, batch: Batch) -> None:
    """NAS-Bench-201 has cells without any way from the first node to the last, and cells whose way starts nowhere."""
    from core.spaces.cell_string import OPERATIONS
    from core.supernets.families import FAMILIES

    none, conv = OPERATIONS.index("none"), OPERATIONS.index("nor_conv_3x3")
    edges = {"none": [none] * 6, "dead input": [none, none, conv, none, conv, conv], "fine": [conv] * 6}[cell]
    plugin = FAMILIES.get("nas_bench_201")
    torch.manual_seed(0)
    supernet = plugin(plugin.example((1, 8, 8)))
    net = supernet.extract(edges, supernet.calibrate(edges, batch.inputs))
    found = score(name, fresh_like(net, 0), batch)
    if cell == "fine" or PROXIES.get(name).baseline:
        assert math.isfinite(found)
    else:
        assert found == -math.inf


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("block", ["masked_mean_head", "graph_head"])
def test_other_data_get_a_number_or_a_sentence(name: str, block: str) -> None:
    net = example_net(block)
    inputs = example_samples(net, block, rows=6)
    other = Batch(inputs, torch.arange(6) % 3, torch.arange(6))
    try:
        assert math.isfinite(score(name, net, other))
    except InvalidInput as refused:
        assert str(refused).endswith(".")  # noqa: PT017


def test_one_sample_is_too_few(batch: Batch) -> None:
    with pytest.raises(InvalidInput, match="at least two"):
        score("snip", extracted(), some(1))


def test_both_baselines_are_there_and_nothing_is_imported_for_a_list() -> None:
    assert {n for n in NAMES if PROXIES.get(n).baseline} == {"parameters", "macs"}
    code = (
        "import sys; from core.proxies import PROXIES; assert len(PROXIES.describe()) >= 10; "
        "assert not {'torch', 'core.proxies.snip'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- what each computes ----------------------------------------------------------------------------


def ready(family: str = "elastic_cnn") -> tuple[nn.Sequential, Batch]:
    net = fresh_like(extracted(family), seed=3)
    return prepared(net, some())


def gradients(net: nn.Sequential, batch: Batch) -> dict[str, torch.Tensor]:
    loss = F.cross_entropy(net(batch.inputs), batch.targets)
    parameters = dict(net.named_parameters())
    names = prunable_weights(net)
    return dict(zip(names, torch.autograd.grad(loss, [parameters[n] for n in names]), strict=True))


def test_gradient_proxies_follow_their_formulas() -> None:
    net, batch = ready()
    weights = {n: p.detach() for n, p in net.named_parameters()}
    found = gradients(net, batch)
    net_again, _ = ready()
    plain = extracted_plain()
    assert score("grad_norm", plain, some()) == pytest.approx(sum(float(g.norm()) for g in found.values()))
    expected = sum(float((weights[n] * g).abs().sum()) for n, g in found.items())
    assert score("snip", plain, some()) == pytest.approx(expected)
    # The gradient of half the squared gradient norm, by a small step along each weight's own direction.
    names = prunable_weights(net_again)
    halves = []
    for step in (1e-5, -1e-5):
        moved, _ = ready()
        with torch.no_grad():
            for name, p in moved.named_parameters():
                if name in names:
                    p.mul_(1 + step)
        halves.append(sum(float(g.square().sum()) / 2 for g in gradients(moved, batch).values()))
    assert score("grasp", plain, some()) == pytest.approx(-(halves[0] - halves[1]) / 2e-5, rel=1e-4)


def extracted_plain() -> nn.Sequential:
    return fresh_like(extracted(), seed=3)


def test_fisher_is_the_squared_sum_over_positions_of_each_channel() -> None:
    net, batch = ready()
    outputs: list[torch.Tensor] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda _, __, out: outputs.append(out))
    loss = F.cross_entropy(net(batch.inputs), batch.targets)
    total = 0.0
    for z, g in zip(outputs, torch.autograd.grad(loss, outputs), strict=True):
        product = (z * g).detach().reshape(len(z), z.shape[1], -1).sum(-1)
        total += 0.5 * float(product.square().mean(0).sum())
    assert score("fisher", extracted_plain(), some()) == pytest.approx(total)


def test_synflow_is_conserved_from_layer_to_layer() -> None:
    net = nn.Sequential(Stem(1, 6, 3, 1), PoolingHead(6, 10))
    torch.manual_seed(0)
    net = fresh_like(net, 5)
    proxy = PROXIES.create("synflow")
    assert isinstance(proxy, LayerProxy)
    parts = list(proxy.layers(net, some()).values())
    assert parts == pytest.approx([parts[0]] * len(parts))
    stem, head = net[0].conv.weight.detach().double().abs(), net[1].linear.weight.detach().double().abs()
    ones = torch.ones(1, 1, *_size(net), dtype=torch.float64) / net[0].std.double()
    flow = F.relu(F.conv2d(ones, stem, padding=1)).mean((2, 3)) @ head.T
    assert parts[0] == pytest.approx(float(flow.sum()))
    assert score("synflow", net, some()) == pytest.approx(math.log(sum(parts)))


def _size(net: nn.Sequential) -> tuple[int, int]:
    from core.networks.chain import example_inputs

    return tuple(example_inputs(net).shape[2:])


def test_synflow_survives_sixty_layers_of_width_64() -> None:
    from core.networks.blocks.residual_block import ResidualBlock

    net = nn.Sequential(
        Stem(1, 64, 3, 1), *(ResidualBlock(64, 64, 3, 1) for _ in range(30)), PoolingHead(64, 10)
    )
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.fill_(0.5)
    found = score("synflow", net, some(2))
    assert found > math.log(np.finfo(np.float32).max), "float32 could not have held it"
    assert math.isfinite(found)


def test_naswot_counts_every_rectifier_and_two_equal_samples_leave_nothing() -> None:
    net, batch = ready()
    counts: list[int] = []
    for block in net:
        block.register_forward_hook(lambda module, _, out: counts.append(_rectified(module, out)))
    kernel = agreement(net, batch)
    units = sum(counts)
    assert torch.equal(kernel.diagonal(), torch.full((len(batch),), float(units), dtype=torch.float64))
    twice = Batch(batch.inputs[[0, 0, 1, 2]].float(), batch.targets[[0, 0, 1, 2]], batch.ids[[0, 0, 1, 2]])
    assert score("naswot", extracted_plain(), twice) == -math.inf
    assert score("naswot", extracted_plain(), some()) == pytest.approx(float(torch.logdet(kernel)))


def _rectified(module: nn.Module, out: torch.Tensor) -> int:
    """ReLUs of one sample: a stem has one layer of them, a residual block two, a head none."""
    kind = type(module).__name__
    if kind == "Stem":
        return out[0].numel()
    if kind == "ResidualBlock":
        return module.conv1.out_channels * out[0, 0].numel() + out[0].numel()
    return 0


def test_naswot_leaves_out_what_leads_nowhere(batch: Batch) -> None:
    from core.networks.blocks.cell import Cell
    from core.networks.blocks.cell_head import CellHead
    from core.networks.blocks.cell_stem import CellStem

    skip, none, conv = "skip_connect", "none", "nor_conv_3x3"
    # Edge 0-1 computes, and nothing takes node 1 on.
    edges = [conv, none, none, skip, none, none]
    with_branch = nn.Sequential(CellStem(1, 4), Cell(4, edges), CellHead(4, 10))
    without = nn.Sequential(CellStem(1, 4), Cell(4, [none, none, none, skip, none, none]), CellHead(4, 10))
    without.load_state_dict({n: t for n, t in with_branch.state_dict().items() if ".convs." not in n})
    assert score("naswot", with_branch, batch) == score("naswot", without, batch)


def test_jacobian_covariance_prefers_samples_that_pull_apart() -> None:
    net = extracted_plain()
    made, batch = prepared(net, some())
    rows = input_gradients(made, batch).numpy()
    values = np.linalg.eigvalsh(np.corrcoef(rows)) + 1e-5
    assert score("jacob_cov", net, some()) == pytest.approx(
        -float((np.log(values) + 1 / values).sum()), rel=1e-3
    )


def test_zen_measures_in_the_body_and_adds_what_batch_norm_took_out() -> None:
    """A stem whose norm is given other units: the change it hides comes back, so the score goes with the weights' scale."""
    net = extracted_plain()
    found = score("zen", net, some())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3.0)
    assert score("zen", net, some()) == found, "weights are drawn anew"
    assert score("zen", net, some(seed=9)) == found, "inputs are drawn, too"
    assert score("zen", net, some(), seed=1) != found


def test_baselines_count() -> None:
    net = extracted_plain()
    assert score("parameters", net, some()) == sum(p.numel() for p in net.parameters())
    from core.networks.costs import count_macs

    assert score("macs", net, some()) == count_macs(net, (1, 8, 8))
