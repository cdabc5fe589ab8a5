"""The contract of an architecture of folders, held by every registered one; `tests/helpers/tiny_folders.py` has a folder of each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from core.errors import InvalidInput
from core.supernets.base import Supernet
from core.supernets.folders.base import ARCHITECTURES, architecture_of
from core.supernets.folders.folder import of_zip
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.understood import Understood
from tests.helpers.tiny_folders import FOLDERS, Files, sharded, tensors_of, with_config, with_tensors, zipped

ELASTIC = FolderOptions(width=(0.5, 1.0), heads=(0.5, 1.0), ffn=(0.25, 0.5, 1.0))


@pytest.fixture(params=ARCHITECTURES.names())
def files(request: pytest.FixtureRequest) -> Files:
    return FOLDERS[request.param]()


def made(files: Files, options: FolderOptions = ELASTIC) -> tuple[Supernet, Understood]:
    folder = of_zip("tiny.zip", zipped(files))
    return architecture_of(folder).supernet(folder, options)


def understood(files: Files, options: FolderOptions = ELASTIC) -> Understood:
    folder = of_zip("tiny.zip", zipped(files))
    return architecture_of(folder).understood(folder, options)


def answers(net: Supernet, arch: Any = None) -> Tensor:
    inputs = net.task.random_inputs(net.config, 6, torch.Generator().manual_seed(0))
    with torch.no_grad():
        return net(inputs, net.largest if arch is None else arch)


def test_every_one_says_what_it_is_and_has_a_folder() -> None:
    assert set(FOLDERS) == set(ARCHITECTURES.names())
    for name in ARCHITECTURES.names():
        kind, info = ARCHITECTURES.get(name), ARCHITECTURES.info(name)
        assert info.label
        assert info.source
        assert kind.classes
        assert architecture_of(of_zip("x.zip", zipped(FOLDERS[name]()))).name == name


def test_what_is_told_before_is_what_is_made(files: Files) -> None:
    before = understood(files)
    net, told = made(files)
    assert told == before
    assert (told.family, told.size, told.choices) == (net.name, net.space.size, len(net.space))
    assert told.params == sum(p.numel() for p in net.parameters())
    assert (told.task, told.classes, told.input_shape) == (net.task.name, net.classes, net.config.input_shape)
    assert told.sizes
    assert told.fixed
    assert all(each.options == tuple(sorted(set(each.options))) and each.choices > 0 for each in told.elastic)
    assert bool(told.tokenizer) == bool(net.tokenizer)
    offered = {tuple(choice.options) for choice in net.space.choices}
    for each in told.elastic:
        if each.options != (0, 1):
            kept = [options for options in offered if set(each.options) <= set(options)]
            assert kept, f"{each.part}: {each.options} is no choice of the space"


def test_nothing_is_elastic_that_is_not_asked_for(files: Files) -> None:
    fixed = FolderOptions(heads=(1.0,), ffn=(1.0,), width=(1.0,), skip=False)
    told = understood(files, FolderOptions(**{**fixed.model_dump(), "ffn": (0.5, 1.0)}))
    assert [len(each.options) for each in told.elastic] == [2]
    assert told.size == 2**2


def test_the_largest_is_the_network_and_can_be_cut_out(files: Files) -> None:
    net, _ = made(files)
    inputs = net.task.random_inputs(net.config, 6, torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(net.extract(net.largest)(inputs), answers(net), atol=1e-5, rtol=0)
    assert not torch.allclose(answers(net, net.smallest), answers(net), atol=0.01)


def test_parts_half_precision_and_a_second_reading_are_the_same_network(files: Files) -> None:
    whole = answers(made(files)[0])
    assert torch.equal(answers(made(files)[0]), whole)
    assert torch.equal(answers(made(sharded(files, 3))[0]), whole)
    halves = {name: tensor.to(torch.bfloat16) for name, tensor in tensors_of(files).items()}
    rounded = {name: tensor.float() for name, tensor in halves.items()}
    half = answers(made(with_tensors(files, halves))[0])
    assert torch.equal(half, answers(made(with_tensors(files, rounded))[0]))
    assert not torch.equal(half, whole)


def test_a_missing_tensor_is_named_or_told_to_be_new(files: Files) -> None:
    tensors = tensors_of(files)
    refused = 0
    for name in tensors:
        said = _refusal(with_tensors(files, {other: t for other, t in tensors.items() if other != name}))
        refused += bool(said)
        first, _, rest = name.partition(".")
        short = rest if first in ("bert", "vit", "deit", "model", "transformer") else name
        assert not said or short in said or name.rpartition(".")[0] in said, f"{name}: {said}"
    assert refused >= len(tensors) - 4, "a pooler or a classifier alone can be drawn anew"


def _refusal(files: Files) -> str:
    """Why a folder is refused; "" for one that is not, which then tells what is new in it."""
    try:
        told = understood(files)
    except InvalidInput as error:
        return str(error)
    assert told.fresh
    return ""


def test_a_tensor_of_another_shape_is_refused(files: Files) -> None:
    tensors = tensors_of(files)
    for name, tensor in tensors.items():
        if ".layer.1." in name or ".h.1." in name or ".layers.1." in name:
            continue  # as in the layer before
        for axis in range(tensor.ndim):
            larger = torch.cat([tensor, tensor.narrow(axis, 0, 1)], axis)
            with pytest.raises(InvalidInput):
                understood(with_tensors(files, tensors | {name: larger}))


def test_what_nobody_knows_is_refused(files: Files) -> None:
    more = tensors_of(files) | {"adapter.lora_A.weight": torch.zeros(2)}
    with pytest.raises(InvalidInput, match=r"holds adapter\.lora_A\.weight, which"):
        understood(with_tensors(files, more))
    with pytest.raises(InvalidInput, match="names the class Other"):
        understood(with_config(files, architectures=["Other"]))
    packed = {name: (tensor * 100).to(torch.int8) for name, tensor in tensors_of(files).items()}
    with pytest.raises(InvalidInput, match="quantized or packed weights are not read"):
        understood(with_tensors(files, packed))
