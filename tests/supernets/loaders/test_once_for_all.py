"""Once-for-all's checkpoints by key: every name it has had, every container, and a sentence for what does not fit."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save

from core.errors import InvalidInput
from core.supernets.loaders.ofa_layout import hints_of, plain_name
from core.supernets.loaders.ofa_mobile import MobileNetV3Layout, ProxylessLayout
from core.supernets.loaders.ofa_resnet import ResNetLayout
from core.supernets.loaders.once_for_all import OnceForAll
from tests.helpers.ofa_checkpoints import RESNET_NAME, mobile, mobile_file, resnet, saved, state_of


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return state_of(ResNetLayout(), resnet())


def loaded(content: object, name: str = RESNET_NAME, **how: bool):
    return OnceForAll().load(name, saved(content, **how))


def same(net: torch.nn.Module) -> bool:
    expected = resnet().state_dict()
    return all(torch.equal(tensor, expected[name]) for name, tensor in net.state_dict().items())


def test_every_container_gives_the_same_supernet(state) -> None:
    wrapped = {"module." + name: tensor for name, tensor in state.items()}
    plain = {plain_name(name): tensor for name, tensor in state.items() if "running" not in name}
    plain = {name: tensor for name, tensor in plain.items() if "tracked" not in name}
    for content, legacy in (
        (state, False),
        ({"state_dict": state, "epoch": 3}, True),
        ({"model": {"state_dict": wrapped}}, False),
        (plain, False),
    ):
        assert same(loaded(content, legacy=legacy).supernet)
    parameters = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
    data = save({name: tensor.contiguous() for name, tensor in parameters.items()})
    assert OnceForAll().fits("", data)
    assert same(OnceForAll().load(RESNET_NAME, data).supernet)


def test_settings_come_from_shapes_and_from_the_name(state) -> None:
    named = loaded(state)
    assert named.supernet.space == resnet().space
    assert named.supernet.config == resnet().config
    assert any("As the file's name says: depths 0, 1; expansions 0.2, 0.25" in fact for fact in named.facts)
    assert any("running statistics of BatchNorm in the file are not used" in fact for fact in named.facts)
    unnamed = loaded(state, "x.pth")
    config = unnamed.supernet.config
    assert (config.extra_depths, config.expand_ratios) == ((0, 1), (0.2, 0.25))
    assert config.width_multipliers == (0.04,), "none of the published ones is smaller"
    assert any("Taken as published" in fact for fact in unnamed.facts)


@pytest.mark.parametrize(
    ("layout", "family", "blocks"),
    [(MobileNetV3Layout(), "ofa_mobilenet_v3", 10), (ProxylessLayout(), "ofa_proxyless", 11)],
)
def test_mobile_networks_are_read_off_their_shapes(layout, family: str, blocks: int) -> None:
    net, (name, data) = mobile(family), mobile_file(layout, family)
    found = OnceForAll().load(name, data)
    assert found.supernet.config == net.config
    expected = net.state_dict()
    assert all(torch.equal(t, expected[n]) for n, t in found.supernet.state_dict().items())
    assert any("names of the first release" in fact for fact in found.facts)
    assert {each.part for each in found.fixed} >= {"first_conv", "blocks.0", "classifier"}
    state = state_of(layout, net)
    kernel = next(n for n in state if "depth_conv.conv.conv" in n and n.startswith("blocks.3."))
    with pytest.raises(InvalidInput, match="different kernels: it is one network"):
        loaded({**state, kernel: state[kernel][..., 1:-1, 1:-1]})
    last = f"blocks.{blocks}."
    with pytest.raises(InvalidInput, match=f"has {blocks} blocks"):
        loaded({n: t for n, t in state.items() if not n.startswith(last)})
    cropped = {n: t for n, t in state.items() if not n.endswith("matrix")}
    without = loaded(cropped, name)
    assert not without.supernet.config.kernel_transform
    assert without.supernet.config.kernels == (3, 5, 7)


def test_names_as_the_authors_give_them() -> None:
    assert hints_of("ofa_mbv3_d234_e346_k357_w1.2") == {
        "d": (2, 3, 4),
        "e": (3, 4, 6),
        "k": (3, 5, 7),
        "w": (1.2,),
    }
    assert hints_of("ofa_resnet50_d=0+1+2_e=0.2+0.25+0.35_w=0.65+0.8+1.0.pth")["w"] == (0.65, 0.8, 1.0)
    assert hints_of("weights.pth") == {}
    for name, plain in (
        ("blocks.1.mobile_inverted_conv.depth_conv.conv.conv.weight", "blocks.1.conv.depth_conv.conv.weight"),
        (
            "blocks.1.mobile_inverted_conv.depth_conv.conv.7to5_matrix",
            "blocks.1.conv.depth_conv.conv.7to5_matrix",
        ),
        ("module.blocks.0.conv1.bn.bn.bias", "blocks.0.conv1.bn.bias"),
        ("input_stem.1.conv.conv.conv.weight", "input_stem.1.conv.weight"),
        ("input_stem.1.conv.conv.weight", "input_stem.1.conv.weight"),
        ("classifier.linear.linear.weight", "classifier.linear.weight"),
        ("classifier.linear.bias", "classifier.linear.bias"),
        ("blocks.2.conv.depth_conv.se.fc.reduce.weight", "blocks.2.conv.depth_conv.se.fc.reduce.weight"),
    ):
        assert plain_name(name) == plain


def without(state: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    assert name in state
    return {each: tensor for each, tensor in state.items() if each != name}


LAST = "blocks.13.conv3.conv.conv.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: without(s, "blocks.1.conv2.bn.bn.bias"), "lacks blocks.1.conv2.bn.bias"),
        (
            lambda s: without(s, "blocks.0.conv1.conv.conv.weight"),
            "lacks the tensor blocks.0.conv1.conv.weight",
        ),
        (
            lambda s: {**s, "ema.decay": torch.ones(1)},
            "holds ema.decay, which Once-for-all ResNet-50 does not have",
        ),
        (lambda s: {**s, LAST: s[LAST][:-1]}, "blocks.13.conv3.conv.weight has the shape"),
        (lambda s: {**s, "classifier.linear.bias": s["classifier.linear.linear.bias"]}, "twice, under two"),
        (lambda s: without(s, "blocks.3.downsample.conv.conv.weight"), "Its groups have 6, 5, 3 blocks"),
        (lambda s: {"encoder.weight": torch.ones(2, 2)}, "is of no supernet that is known here"),
        (lambda s: {**s, "input_stem.0.conv.conv.weight": torch.tensor(float("nan"))}, "not finite"),
        (lambda s: {**s, LAST: torch.ones(1).expand(10**9, 10**9)}, "size that it claims"),
        (lambda s: {**s, LAST: s[LAST].to_sparse()}, "not a plain tensor|damaged"),
        (lambda s: {"state_dict": 3}, "no weights by name|no tensor"),
        (lambda s: [1, 2], "no weights by name"),
        (lambda s: {**s, "what": "text"}, "no tensor"),
    ],
)
def test_what_does_not_fit_is_told_by_name(change, said, state) -> None:
    with pytest.raises(InvalidInput, match=said) as refusal:
        loaded(change(state))
    assert str(refusal.value).endswith(".")
