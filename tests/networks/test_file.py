"""The file of a network: it comes back as it was, and nothing that a stranger writes gets through."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from core.errors import InvalidInput
from core.networks.chain import blocks_of, build_net
from core.networks.file import KEY, dump_net, load_net
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset, small_cnn
from tests.helpers.plain_nets import extracted

SHAPE = (1, 8, 8)


def template() -> nn.Sequential:
    net = small_cnn()
    return net.extract(
        net.smallest, net.calibrate(net.smallest, torch.from_numpy(random_dataset().calibration.x))
    )


def state(net: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_a_network_comes_back_from_its_file_as_it_was(family: str) -> None:
    subnet = extracted(family)
    data = dump_net(subnet, SHAPE, {"seed": 4})
    net, about = load_net(data)
    assert about == {"seed": 4}
    assert state(net) == state(subnet)
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    images = torch.rand(5, *SHAPE)
    assert torch.equal(net(images), subnet(images))
    assert data == dump_net(net, SHAPE, {"seed": 4})


def test_other_modules_are_not_kept() -> None:
    with pytest.raises(InvalidInput, match="Linear is not one of the plain blocks"):
        blocks_of(nn.Sequential(nn.Linear(2, 2)))


def rewritten(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A sound file whose description has been changed."""
    data = dump_net(template(), SHAPE, {})
    length = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][KEY])
    change(header)
    return save(load(data), metadata={KEY: json.dumps(header)})


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    "a class of another module": lambda h: h["blocks"][0].update(block="Linear"),
    "a dotted name": lambda h: h["blocks"][0].update(block="os.system"),
    "a name that is no text": lambda h: h["blocks"][0].update(block=["Stem"]),
    "an argument more": lambda h: h["blocks"][0]["arguments"].update(bias=True),
    "an argument less": lambda h: h["blocks"][0]["arguments"].pop("kernel"),
    "a terabyte": lambda h: h["blocks"][1]["arguments"].update(in_channels=10**6, out_channels=10**6),
    "as many parameters as allowed for one": lambda h: h.update(
        blocks=[
            *h["blocks"][:1],
            dict(
                h["blocks"][1],
                arguments={"in_channels": 8000, "out_channels": 8000, "kernel": 31, "stride": 1},
            ),
        ]
    ),
    "a fraction": lambda h: h["blocks"][0]["arguments"].update(kernel=1.5),
    "true for one": lambda h: h["blocks"][0]["arguments"].update(stride=True),
    "nothing": lambda h: h["blocks"][0]["arguments"].update(stride=0),
    "a large stride": lambda h: h["blocks"][0]["arguments"].update(stride=10**9),
    "blocks that do not fit": lambda h: h["blocks"].append(h["blocks"][0]),
    "no blocks": lambda h: h.update(blocks=[]),
    "a million blocks": lambda h: h.update(blocks=h["blocks"] * 100_000),
    "blocks that are text": lambda h: h.update(blocks="Stem"),
    "a block more": lambda h: h["blocks"].insert(1, h["blocks"][1]),
    "huge inputs": lambda h: h.update(input_shape=[1, 10**6, 10**6]),
    "inputs without height": lambda h: h.update(input_shape=[1, 8]),
    "another format": lambda h: h.update(format=2),
    "no format": lambda h: h.pop("format"),
    "no head": lambda h: h["blocks"].pop(),
    "about that is text": lambda h: h.update(about="hello"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_description_is_refused(what: str) -> None:
    with pytest.raises(InvalidInput):
        load_net(rewritten(HOSTILE[what]))


def test_the_unchanged_description_is_accepted() -> None:
    load_net(rewritten(lambda header: None))


@pytest.mark.parametrize("operations", ["none", ["none"] * 5, ["none"] * 5 + ["rm"], ["none"] * 5 + [1]])
def test_hostile_operations_are_refused(operations: Any) -> None:
    with pytest.raises(InvalidInput):
        build_net([{"block": "Cell", "arguments": {"channels": 4, "operations": operations}}])


def test_weights_that_do_not_fit_or_make_no_sense_are_refused() -> None:
    data = dump_net(template(), SHAPE, {})
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    for name, value in (
        ("0.norm.running_var", torch.full((2,), -1.0)),
        ("0.std", torch.zeros(1, 1, 1, 1)),
        ("0.norm.weight", torch.ones(3)),
        ("0.norm.bias", torch.zeros(2, dtype=torch.float64)),
        ("0.norm.bias", torch.full((2,), float("nan"))),
        ("9.more", torch.zeros(2)),
    ):
        tensors = load(data) | {name: value}
        with pytest.raises(InvalidInput):
            load_net(save(tensors, metadata=metadata))
    for broken in (b"", data[:-1], data + b"0", b"\x80\x04" + data, save(load(data))):
        with pytest.raises(InvalidInput):
            load_net(broken)
