"""A given network becomes a supernet: its largest subnet is the network, the rest is said or refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.supernets.converted import Converted
from core.supernets.converting import convert, difference, require_equal
from core.supernets.files import build
from core.supernets.reading.exported_file import read_exported
from core.supernets.reading.exported_run import run_exported
from core.supernets.reading.onnx_file import read_onnx
from tests.helpers.given_networks import EXPORTED, onnx_file, residual_onnx
from tests.helpers.nets import disturb

IMAGES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(3))


def test_an_exported_program_is_read_as_torch_runs_it() -> None:
    data = EXPORTED.read_bytes()
    made = convert(read_exported(data))
    assert "logits" in require_equal(made, IMAGES, run_exported(data, IMAGES), 1e-5) or made.facts
    assert difference(made, IMAGES, run_exported(data, IMAGES)) < 1e-5
    space = made.supernet.space
    assert {choice.kind for choice in space.choices} == {"width", "depth"}
    assert space.to_dict(space.largest)["depth_1"] == 2
    assert [cost.label for cost in made.supernet.costs(space.largest)] == ["stem", "block1", "block2", "head"]
    assert made.fixed == (("head", "Its channels stay: these are the classes."),)


def test_units_stand_by_importance_and_another_order_would_be_noticed() -> None:
    made = convert(read_onnx(residual_onnx()))
    for stage in made.supernet.segments:
        for group in stage.plan.groups:
            total = sum(
                found for each in made.supernet.segments if (found := each.importance(group)) is not None
            )
            assert isinstance(total, torch.Tensor)
            assert (total.diff() <= 1e-5).all()
    data = residual_onnx()
    from core.supernets.reading.onnx_run import run_onnx

    expected = run_onnx(data, IMAGES)
    assert difference(made, IMAGES, expected) < 1e-5
    stage = made.supernet.segments[1]
    with torch.no_grad():
        weight = stage.layers["1"].weight
        weight.copy_(weight.flip(0))
    with pytest.raises(InvalidInput, match="answers otherwise"):
        require_equal(made, IMAGES, expected, 1e-4)


def test_a_network_of_which_nothing_can_change_is_refused_with_the_reason() -> None:
    from onnx import helper

    nodes = [helper.make_node("Flatten", ["x"], ["a"]), helper.make_node("Gemm", ["a", "w"], ["y"], transB=1)]
    data = onnx_file(nodes, {"w": np.ones((10, 64), np.float32)})
    with pytest.raises(InvalidInput, match="Nothing of this network can change") as refusal:
        convert(read_onnx(data))
    assert "classes" in str(refusal.value)


def test_a_layer_of_one_channel_is_named() -> None:
    from onnx import helper

    node = helper.make_node
    nodes = [node("Conv", ["x", "one.weight"], ["a"]), node("Conv", ["a", "two.weight"], ["b"])]
    nodes += [
        node("Conv", ["b", "three.weight"], ["c"]),
        node("GlobalMaxPool", ["c"], ["d"]),
        node("Flatten", ["d"], ["y"]),
    ]
    rng = np.random.default_rng(0)
    shapes = {"one": (1, 1, 3, 3), "two": (5, 1, 3, 3), "three": (10, 5, 1, 1)}
    made = convert(
        read_onnx(onnx_file(nodes, {f"{n}.weight": rng.random(s, np.float32) for n, s in shapes.items()}))
    )
    said = dict(made.fixed)
    assert set(said) == {"one", "three"}
    assert "1 channels" in said["one"]
    assert "classes" in said["three"]
    # Quarters of five channels: 1, 3, 4 and 5.
    (width,) = made.supernet.config.widths
    assert len(width.ratios) == 4


def test_choices_are_one_for_each_group_or_one_for_each_size_of_maps() -> None:
    given = read_onnx(residual_onnx())
    own, shared = (convert(given, choose=how) for how in ("group", "size"))
    assert len(own.supernet.config.widths) == 2
    assert len(shared.supernet.config.widths) == 1
    assert shared.supernet.config.widths[0].groups == (0, 1)
    few = convert(given, ratios=(0.5, 1.0))
    assert [c.options for c in few.supernet.space.choices if c.kind == "width"] == [(0.5, 1.0)] * 2


def folded() -> Converted:
    """The example without its norms, as an exporter would leave it: convolutions with biases."""
    said = json.loads(Converted.example((1, 8, 8)).model_dump_json())
    for segment in said["segments"]:
        gone, number, steps = {}, {0: 0}, []
        for at, step in enumerate(segment["steps"], 1):
            if step["op"] == "norm":
                number[at] = number[step["of"][0]]
                gone[at] = True
                continue
            steps.append(
                {**step, "of": [number[value] for value in step["of"]]}
                | ({"bias": True} if step["op"] == "conv" else {})
            )
            number[at] = len(steps)
        segment["steps"] = steps
    torch.manual_seed(0)
    return disturb(build("converted", said), seed=2).requires_grad_(False)  # type: ignore[return-value]


def test_norms_are_put_back_without_changing_the_largest_subnet() -> None:
    net = folded()
    assert not net.needs_statistics
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with_norms = net.prepared(images)
    assert with_norms is not net
    assert with_norms.needs_statistics
    assert with_norms.space == net.space
    with torch.no_grad():
        expected = net(images, net.largest)
        for arch, same in ((net.largest, True), (net.smallest, False)):
            found = with_norms(images, arch, with_norms.calibrate(arch, images))
            assert torch.allclose(found, net(images, arch), atol=1e-4) == same
    assert torch.equal(net(images, net.largest), expected), "the one there was is not changed"
    again = net.prepared(images)
    assert all(
        torch.equal(a, b)
        for a, b in zip(again.state_dict().values(), with_norms.state_dict().values(), strict=True)
    )
    assert with_norms.prepared(images) is with_norms


@pytest.mark.parametrize(
    "broken",
    [
        {"widths": [{"groups": [0, 0], "ratios": [0.5, 1.0]}]},
        {"widths": [{"groups": [99], "ratios": [0.5, 1.0]}]},
        {"widths": [{"groups": [0], "ratios": [0.5, 0.9]}]},
        {"widths": [{"groups": [0], "ratios": [0.0, 1.0]}]},
        {"depths": [{"first": 0, "options": [0, 1]}]},
        {"depths": [{"first": 1, "options": [0, 3]}]},
        {"depths": [{"first": 1, "options": [0, 2]}, {"first": 2, "options": [0, 1]}]},
        {"widths": [], "depths": []},
        {"classes": 9},
        {"input_shape": (2, 8, 8)},
        {"segments": []},
        {"segments": [{"label": "<b>", "steps": [{"op": "relu", "of": [0]}]}]},
    ],
)
def test_an_impossible_configuration_is_refused(broken: dict) -> None:
    said = json.loads(Converted.example((1, 8, 8)).model_dump_json())
    with pytest.raises(InvalidInput, match="The converted configuration is wrong"):
        build("converted", said | broken)
