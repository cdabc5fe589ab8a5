"""Ensembles of paths against the definition: averages, duplicates, what is counted once (card 18)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from core.supernets.path_ensemble import PathEnsemble
from core.supernets.path_space import OWN, PathEnsembleConfig
from core.supernets.path_stages import Apart, LayerStage
from tests.helpers.nets import disturb


@pytest.fixture(scope="module")
def net() -> PathEnsemble:
    torch.manual_seed(0)
    return disturb(PathEnsemble(PathEnsemble.example((1, 8, 8))))


def with_own(net: PathEnsemble, arch: tuple[int, ...], own: int) -> tuple[int, ...]:
    return net.space.canonical([own, *arch[1:]])


def test_the_answer_is_the_average_of_the_paths_probabilities(net) -> None:
    images = torch.rand(9, 1, 8, 8)
    for row in net.space.sample_array(8, np.random.default_rng(0)).tolist():
        with torch.no_grad():
            apart = net(images, Apart(row))
            answer = net(images, row)
        torch.testing.assert_close(answer.softmax(1), apart.softmax(2).mean(1))
        assert apart.shape[1] == (2 if row[net.space.position[OWN]] else 1)


def copied(net: PathEnsemble) -> PathEnsemble:
    """The same with the first path's weights in every path."""
    twin = PathEnsemble(net.config)
    twin.load_state_dict(net.state_dict())
    first = {s.layer.number: s for s in twin.chain if isinstance(s, LayerStage) and s.trunk}
    for stage in twin.chain:
        if isinstance(stage, LayerStage) and stage.layer.path > 1:
            stage.load_state_dict(first[stage.layer.number].state_dict())
    twin.chain[-1].linears[1].load_state_dict(twin.chain[-1].linears[0].state_dict())
    return twin


def test_an_ensemble_of_duplicates_is_the_single_model_and_has_no_diversity(net) -> None:
    twin, images = copied(net), torch.rand(9, 1, 8, 8)
    single = with_own(net, net.largest, 0)
    for own in range(1, net.config.own + 1):
        both = with_own(net, net.largest, own)
        with torch.no_grad():
            torch.testing.assert_close(
                twin(images, both).softmax(1), twin(images, single).softmax(1), atol=1e-6, rtol=1e-5
            )
        outputs, apart = twin.diversities(images, both)
        assert len(apart) == own
        assert max(apart.values()) < 1e-5
        torch.testing.assert_close(outputs.softmax(1), twin(images, single).detach().softmax(1))
        assert min(net.diversities(images, both)[1].values()) > 0.01


def test_the_trunk_is_counted_once(net) -> None:
    """An ensemble costs the single network, and once more what each further path has for itself."""
    single = net.costs(with_own(net, net.largest, 0))
    by_layer = {cost.label: cost for cost in single}
    for own in range(1, net.config.own + 1):
        costs = net.costs(with_own(net, net.largest, own))
        layers = range(sum(net.config.layers) - own + 1, sum(net.config.layers) + 1)
        extra = [by_layer[f"layer {number}"] for number in layers] + [by_layer["head"]]
        for quantity in ("macs", "params"):
            total = sum(cost.counted[quantity] for cost in costs)
            assert total == sum(c.counted[quantity] for c in single) + sum(c.counted[quantity] for c in extra)


def test_parting_earlier_adds_weights_and_changes_none(net) -> None:
    """Options of `own` stand in order: the single network's weights are those of every ensemble's first path."""
    images = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        alone = net(images, with_own(net, net.largest, 0))
        for own in range(1, net.config.own + 1):
            first = net(images, Apart(with_own(net, net.largest, own)))[:, 0]
            torch.testing.assert_close(first, alone)


@pytest.mark.parametrize(
    "wrong", [{"own": 9}, {"layers": (0, 1)}, {"kernels": (2,)}, {"expands": (2, 1)}, {"paths": 1}]
)
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        PathEnsembleConfig.model_validate({"layers": (2, 2)} | wrong)
