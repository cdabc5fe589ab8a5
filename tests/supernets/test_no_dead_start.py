"""No channel of an elastic CNN starts dead: each gets a gradient from the first step of training.

A channel that the shortcut does not bring and whose last normalization starts at zero is 0 after the ReLU,
and so is its gradient, for ever: a supernet trained so uses only its first channels.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from core.library import supernets
from core.library.activations import ProbeChoice, activations, layers, probe_of
from core.library.networks import load_model, subnet_id
from core.supernets.elastic_cnn import BlockStage, ElasticCNN, ElasticCNNConfig, GroupConfig


def fresh() -> ElasticCNN:
    torch.manual_seed(0)
    groups = (GroupConfig(widths=(2, 4)), GroupConfig(widths=(4, 16)))
    return ElasticCNN(ElasticCNNConfig(groups=groups))


def test_every_channel_gets_a_gradient_at_the_first_step() -> None:
    net = fresh()
    images, labels = torch.rand(32, 1, 8, 8), torch.arange(32) % 10
    for width in (0, 1):
        net.zero_grad()
        arch = net.space.canonical(
            [width if c.name.startswith("width") else len(c.options) - 1 for c in net.space.choices]
        )
        F.cross_entropy(net(images, arch), labels).backward()
        for stage in net.stages:
            if isinstance(stage, BlockStage) and stage.first:
                grown = stage._width(arch) - int(stage.option(arch, stage._in_choice))
                grad = stage.norm2.weight.grad
                assert grad is not None
                new = grad[stage._width(arch) - max(grown, 0) : stage._width(arch)]
                assert (new != 0).all(), "a channel that the block adds is dead from the start"


def test_a_block_still_starts_as_its_shortcut() -> None:
    """BigNAS: blocks that only repeat a width begin as the identity, so all depths start equal."""
    net = fresh()
    for stage in net.stages:
        if isinstance(stage, BlockStage) and not stage.first:
            assert not stage.norm2.weight.any()


def test_the_shipped_supernet_has_no_dead_unit() -> None:
    entry = supernets.find(None, "digits-cnn")
    model = load_model(None, subnet_id(entry, entry.space.arch_id(entry.space.largest)))
    probe = probe_of(model, ProbeChoice())
    for layer in layers(model):
        assert (activations(model, probe, layer.layer_id).std(0) > 0).all(), layer.label
