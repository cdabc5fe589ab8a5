"""What every pruning method promises, on every family; new methods are picked up by themselves."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from core.networks.cut import compact
from core.networks.file import dump_net, load_net
from core.networks.masks import density
from core.pruning.criteria.base import prunable_weights
from core.pruning.pruners import Pruned, PruningTask
from core.pruning.pruners.base import sparsity_of, weight_count
from core.pruning.pruners.creating import METHODS
from core.pruning.retraining import settle, train_masked
from core.records import Progress
from core.training.config import TrainingConfig
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted

SPARSITIES = [0.2, 0.5]
DATA = random_dataset(48, seed=6)
TRAINING = TrainingConfig(batch_size=16, learning_rate=0.02)
NAMES = [info.name for info in METHODS.describe()]
# Tiny settings, for methods that have them: what is promised does not depend on how long one trains.
TINY = {"epochs": 1, "rounds": 2, "rewind_epochs": 0}
REFUSED = {
    ("bn_scale", "elastic_vit"): "no BatchNorm",
    ("bn_scale", "plain_vit"): "no BatchNorm",
    ("bn_scale", "chain"): "no BatchNorm",  # its attention heads
    ("bn_scale", "ofa_mobilenet_v3"): "no BatchNorm",  # its squeezed units
    ("bn_scale", "converted"): "no BatchNorm",  # its squeezed units
    ("bn_scale", "elastic_conv_vit"): "no BatchNorm",  # its squeezed units
    ("synflow", "elastic_vit"): "attention",
    ("synflow", "plain_vit"): "attention",
    ("synflow", "elastic_conv_vit"): "attention",
    ("synflow", "chain"): "attention",
    ("feature_merging", "elastic_vit"): "ReLU",
    ("feature_merging", "plain_vit"): "ReLU",
    ("feature_merging", "converted"): "ReLU",  # its blocks name no convolution with its BatchNorm
    ("layer_ticket", "nas_bench_201"): "shortcut",
    ("layer_ticket", "nasnet_cells"): "shortcut",
}


def _in_each_run(method: str, family: str) -> bool:
    """Each method meets two or three families in each run, each family a third of the methods; all meet in the slow one."""
    return (NAMES.index(method) + list(IMAGE_FAMILIES).index(family)) % 3 == 0


CASES = [
    pytest.param(*case, marks=[] if _in_each_run(*case) else [pytest.mark.slow])
    for case in itertools.product(NAMES, IMAGE_FAMILIES)
    if case not in REFUSED
]


def config_of(method: str) -> dict[str, int]:
    plugin = METHODS.get(method)
    # Units are scored once.
    once = plugin.removes == "units"
    return {n: v for n, v in TINY.items() if n in plugin.Config.model_fields and not (once and n == "rounds")}


def state(net: nn.Module) -> list[bytes]:
    return [t.numpy().tobytes() for t in net.state_dict().values()]


def outputs(net: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = net(torch.from_numpy(DATA.test.x))
    return result


def rounding(net: nn.Sequential) -> float:
    """One weight per layer, the finest step where each layer rounds for itself, as a share of all weights."""
    return len(prunable_weights(net)) / weight_count(net)


def prune(method: str, family: str) -> tuple[nn.Sequential, list[Pruned]]:
    parent = extracted(family)
    before = state(parent)
    found = []
    for step in METHODS.create(method, config_of(method)).prune(
        PruningTask(parent, DATA, TRAINING, 1), SPARSITIES
    ):
        if isinstance(step, Progress):
            assert 0 <= step.fraction <= 1
        else:
            found.append(step)
    assert state(parent) == before
    assert not any(p.requires_grad or p.grad is not None for p in parent.parameters())
    return parent, found


@functools.cache
def results(method: str, family: str) -> tuple[nn.Sequential, list[Pruned]]:
    """Pruned once for all tests, which change copies only."""
    return prune(method, family)


@pytest.mark.parametrize(("method", "family"), list(REFUSED))
def test_what_it_cannot_prune_it_refuses_in_words(method: str, family: str) -> None:
    with pytest.raises(InvalidInput, match=REFUSED[method, family]) as error:
        prune(method, family)
    assert str(error.value).endswith(".")


@pytest.mark.slow
@pytest.mark.parametrize(("method", "family"), CASES)
def test_one_network_per_sparsity_as_asked(method: str, family: str) -> None:
    parent, found = results(method, family)
    assert [pruned.asked for pruned in found] == SPARSITIES
    for pruned in found:
        assert not pruned.net.training
        assert not any(p.requires_grad for p in pruned.net.parameters())
        assert torch.isfinite(outputs(pruned.net)).all()
        assert pruned.note or sparsity_of(pruned, parent) >= pruned.asked - rounding(parent)
        assert 0 <= sparsity_of(pruned, parent) < 1


@pytest.mark.parametrize(("method", "family"), CASES)
def test_removed_entries_are_zero_and_density_is_exact(method: str, family: str) -> None:
    parent, found = results(method, family)
    for pruned in found:
        parameters = dict(pruned.net.named_parameters())
        for name, mask in pruned.masks.items():
            assert mask.dtype == torch.bool
            assert mask.shape == parameters[name].shape
            assert not parameters[name][~mask].any()
        if METHODS.get(method).removes == "weights":
            assert pruned.masks
            assert not pruned.kept
            assert set(pruned.masks) <= set(prunable_weights(parent))
            assert density(pruned.masks) == pytest.approx(1 - pruned.asked, abs=rounding(parent))


@pytest.mark.slow
@pytest.mark.parametrize(("method", "family"), CASES)
def test_small_and_masked_networks_agree_also_after_a_save(method: str, family: str) -> None:
    _, found = results(method, family)
    for pruned in found:
        small = pruned.compact()
        assert torch.allclose(outputs(pruned.net), outputs(small), atol=1e-5)
        loaded, about = load_net(dump_net(small, DATA.input_shape, {"asked": pruned.asked}))
        assert about == {"asked": pruned.asked}
        assert torch.equal(outputs(loaded), outputs(small))


@pytest.mark.parametrize(("method", "family"), CASES)
def test_fine_tuning_keeps_removed_weights_at_zero(method: str, family: str) -> None:
    _, found = results(method, family)
    pruned = found[-1]
    net, _ = load_net(dump_net(pruned.net, DATA.input_shape, {}))
    start = {n: p.clone() for n, p in net.named_parameters()}
    config = TRAINING.model_copy(update={"epochs": 1, "momentum": 0.9})
    assert list(train_masked(net, DATA, config, pruned.masks))[-1] == 1.0
    parameters = dict(net.named_parameters())
    assert all(not parameters[name][~mask].any() for name, mask in pruned.masks.items())
    assert any(not torch.equal(p, start[n]) for n, p in parameters.items())
    if pruned.kept:
        settle(net, DATA)
        assert torch.allclose(outputs(net), outputs(compact(net, pruned.kept)), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("method", NAMES)
def test_the_seed_decides_everything(method: str) -> None:
    family = "elastic_cnn"
    _, found = results(method, family)
    torch.manual_seed(987)
    _, again = prune(method, family)
    for first, second in zip(found, again, strict=True):
        assert state(first.net) == state(second.net)
        assert all(torch.equal(mask, second.masks[name]) for name, mask in first.masks.items())
        assert first.note == second.note


@pytest.mark.parametrize("method", NAMES)
def test_it_says_who_it_is(method: str) -> None:
    plugin = METHODS.get(method)
    assert plugin.name == method
    assert plugin.removes in ("weights", "units", "blocks")
    assert plugin.label
    assert plugin.source
    assert plugin.__doc__
    with pytest.raises(InvalidInput, match=r"\.$"):
        METHODS.create(method, {"no_such_setting": 1})
