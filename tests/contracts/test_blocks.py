"""What every kind of block promises: written, stored, loaded, matched, pruned and counted from its one file."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from core.errors import InvalidInput
from core.export.source_code import block_classes, rebuild, write_source
from core.geometry.alignment import match_weights
from core.networks import answers, blocks
from core.networks.blocks import BLOCKS, BlockKind, kind_of
from core.networks.blocks.base import named_kind
from core.networks.calibration import recalibrate, remeasure
from core.networks.capture import Captured, as_rows, capture, layers_of
from core.networks.chain import blocks_of, build_net, declared, example_inputs, fresh_like, one_batch
from core.networks.costs import count_macs, count_parameters
from core.networks.cut import compact, masked, removable_groups
from core.networks.file import KEY, dump_net, load_net
from core.networks.trees import leaves, n_rows
from core.networks.units import permute, unit_groups
from core.pruning.feature_merging import fold
from core.pruning.pruners.layer_ticket import removable_blocks, without_blocks
from core.pruning.supermasks import random_weights
from core.seeding import stream
from tests.helpers.plain_nets import example_net, example_samples

FOLDER = Path(blocks.__file__).parent
kinds = pytest.mark.parametrize("name", BLOCKS.names())


def kind(name: str) -> BlockKind:
    made: BlockKind = BLOCKS.get(name)()
    return made


def places(net: nn.Sequential, name: str) -> list[int]:
    """Where in an example the block stands."""
    return [index for index, block in enumerate(net) if type(block) is kind(name).module]


def same(a: nn.Module, b: nn.Module, inputs: Any, tolerance: float = 1e-5) -> bool:
    with torch.no_grad():
        pairs = zip(leaves(a(inputs)), leaves(b(inputs)), strict=True)
        return all(torch.allclose(x, y, atol=tolerance, rtol=1e-4) for x, y in pairs)


def test_every_module_of_the_package_is_the_module_of_a_kind() -> None:
    known = {BLOCKS.get(name).module for name in BLOCKS.names()}
    for path in sorted(FOLDER.glob("*.py")):
        module = importlib.import_module(f"core.networks.blocks.{path.stem}")
        own = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
        modules = [c for c in own if issubclass(c, nn.Module)]
        assert set(modules) <= known
        assert len(modules) == (path.stem not in ("__init__", "base")), "one file, one block"


@kinds
def test_describes_itself(name: str) -> None:
    info, cls = BLOCKS.info(name), kind(name).module
    assert info.label != name
    assert info.source
    assert info.summary
    assert cls.__doc__
    assert info.module.rsplit(".", 1)[1] == name
    assert kind_of(cls(**_arguments(name))).module is cls
    assert named_kind(cls.__name__) is not None
    assert named_kind(name) is None, "files name the class"
    assert list(kind(name).arguments) == list(inspect.signature(cls).parameters)


def _arguments(name: str) -> dict[str, Any]:
    return next(dict(a) for b, a in kind(name).example.chain if b == kind(name).module.__name__)


@kinds
def test_what_it_names_is_there(name: str) -> None:
    net = example_net(name)
    assert places(net, name)
    for index in places(net, name):
        block, it = net[index], kind(name)
        parameters, buffers = dict(block.named_parameters()), dict(block.named_buffers())
        assert set(it.embeddings) <= set(parameters)
        layers = {
            f"{n}.weight"
            for n, m in block.named_modules()
            if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)
        }
        tables = {n for n, p in parameters.items() if sum(size > 1 for size in p.shape) > 1}
        assert tables - layers <= set(it.embeddings), "zeros would hide places or tokens from each other"
        assert set(it.offsets) | set(it.positive) <= set(buffers)
        assert all(getattr(block, norm).num_features for _, norm in it.foldable)
        state = block.state_dict()
        for argument, (tensor, axis) in it.sizes.items():
            assert state[tensor].shape[axis] == block.arguments[argument]
        assert it.fitting(block, {n: t.shape for n, t in state.items()}) == block.arguments


# --- written -----------------------------------------------------------------------------------------


@kinds
def test_its_source_runs_without_the_project(name: str) -> None:
    net = example_net(name)
    source = write_source(net, "A test.")
    assert not [
        n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom) and "core" in (n.module or "")
    ]
    world: dict[str, Any] = {"__name__": "model", "__file__": "model.py"}
    exec(compile(source, "model.py", "exec"), world)
    for made in (world["build"](), rebuild(source, block_classes(net))):
        made.load_state_dict(net.state_dict())
        assert same(made.eval(), net, example_samples(net, name), 0)


# --- stored and loaded -------------------------------------------------------------------------------


@kinds
def test_it_comes_back_from_a_file(name: str) -> None:
    net, shape = example_net(name), kind(name).example.input_shape
    data = dump_net(net, shape, {"note": name})
    again, about = load_net(data)
    assert about == {"note": name}
    assert blocks_of(again) == blocks_of(net)
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in net.state_dict().items())
    assert dump_net(again, shape, about) == data
    assert same(net, again, example_samples(net, name), 0)


@kinds
def test_impossible_arguments_are_refused(name: str) -> None:
    right = _arguments(name)
    required = {n for n, p in inspect.signature(kind(name).module).parameters.items() if p.default is p.empty}
    wrong: list[Any] = [{**right, "more": 1}, "text", None]
    wrong += [{k: v for k, v in right.items() if k != left_out} for left_out in required]
    for argument in kind(name).arguments:
        wrong += [{**right, argument: value} for value in (True, 0, -1, 1.5, 10**12, "8", None, [], ["rm"])]
    for arguments in wrong:
        with pytest.raises(InvalidInput, match=kind(name).module.__name__):
            build_net([{"block": kind(name).module.__name__, "arguments": arguments}])


@kinds
def test_files_with_other_inputs_or_buffers_are_refused(name: str) -> None:
    net, shape = example_net(name), kind(name).example.input_shape
    data = dump_net(net, shape, {})
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    for other in ([10**9] * len(shape), list(shape[:-1]), [*shape, 1], [True] * len(shape), "8"):
        header = json.loads(metadata[KEY]) | {"input_shape": other}
        with pytest.raises(InvalidInput):
            load_net(save(load(data), metadata={KEY: json.dumps(header)}))
    for buffer in declared(net, lambda each: each.positive):
        spoiled = load(data)
        spoiled[buffer] = torch.zeros_like(spoiled[buffer])
        with pytest.raises(InvalidInput, match="zero"):
            load_net(save(spoiled, metadata=metadata))


@kinds
def test_a_fresh_one_keeps_its_constants_and_nothing_else(name: str) -> None:
    net = example_net(name)
    fresh = fresh_like(net, 3)
    for index in places(net, name):
        constants = {n for n in dict(net[index].named_buffers()) if "running" not in n and "tracked" not in n}
        assert constants >= {*kind(name).offsets, *kind(name).positive}
        assert all(torch.equal(fresh[index].get_buffer(n), net[index].get_buffer(n)) for n in constants)
    drawn = [n for n, p in net.named_parameters() if p.ndim > 1 and "position" not in n]
    assert not any(torch.equal(fresh.get_parameter(n), net.get_parameter(n)) for n in drawn)


# --- matched and pruned ------------------------------------------------------------------------------


@kinds
def test_every_axis_of_its_weights_belongs_to_units(name: str) -> None:
    net = example_net(name)
    covered = {(m.tensor, m.axis) for group in unit_groups(net) for m in group.members}
    for index in places(net, name):
        if index == len(net) - 1 and index == 0:
            continue
        weights = [
            n for n, m in net[index].named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)
        ]
        # The channels of the input and the classes keep their places.
        free = {1} if index == 0 else {0} if index == len(net) - 1 else set()
        for layer in weights:
            found = {axis for tensor, axis in covered if tensor == f"{index}.{layer}.weight"}
            # A depthwise convolution has one input channel per output channel: nothing lies along that axis.
            told = {axis for axis in (0, 1) if net[index].get_parameter(f"{layer}.weight").shape[axis] > 1}
            assert found >= told - free, layer
        tensors = {tensor for tensor, _ in covered}
        uncovered = [n for n, _ in net[index].named_parameters() if f"{index}.{n}" not in tensors]
        assert index == len(net) - 1 or not uncovered


@kinds
def test_permuting_its_units_changes_nothing(name: str) -> None:
    net = example_net(name)
    rng = stream(0, "permute")
    orders = {g.name: rng.permutation(g.size) for g in unit_groups(net)}
    twin, samples = permute(net, orders), example_samples(net, name)
    assert orders
    assert same(net, twin, samples)
    back = permute(twin, match_weights(net, twin))
    assert same(net, back, samples)
    for group in unit_groups(net):
        moved = permute(net, {group.name: np.roll(np.arange(group.size), 1)})
        assert same(net, moved, samples), group.name
        for module, offset, repeat in group.reads:
            before, after = (
                capture(each, samples, [module], pooling="pooled")[module][
                    :, offset : offset + group.size * repeat
                ]
                for each in (net, moved)
            )
            shifted = np.roll(before.reshape(len(before), group.size, repeat), 1, axis=1)
            assert np.allclose(shifted.reshape(before.shape), after, atol=1e-4), (group.name, module)


@kinds
@pytest.mark.parametrize("streams", [True, False])
def test_masked_and_compact_compute_the_same(name: str, streams: bool) -> None:
    net = example_net(name)
    groups = removable_groups(net, streams=streams)
    rng = stream(1, "cut")
    kept = {g.name: np.sort(rng.choice(g.size, max(1, g.size // 2), replace=False)) for g in groups}
    full, small, samples = masked(net, kept), compact(net, kept), example_samples(net, name)
    assert same(full, small, samples)
    assert [type(b) for b in small] == [type(b) for b in net]
    for block, description in zip(small, blocks_of(small), strict=True):
        build_net([description])[0].load_state_dict(block.state_dict())
    if any(g.size > 1 for g in groups):
        assert count_parameters(small) < count_parameters(net)
        assert count_macs(small, kind(name).example.input_shape) < count_macs(
            net, kind(name).example.input_shape
        )
    again, _ = load_net(dump_net(small, kind(name).example.input_shape, {}))
    assert same(again, small, samples, 0)


@kinds
def test_what_can_be_dropped_leaves_a_network(name: str) -> None:
    net = example_net(name)
    assert set(removable_blocks(net)) >= {i for i in places(net, name) if kind(name).droppable(net[i])}
    rest = without_blocks(net, removable_blocks(net))
    with torch.no_grad():
        whole, left = (leaves(each(example_samples(net, name)))[0] for each in (net, rest))
    assert whole.shape == left.shape


@kinds
def test_folding_and_new_statistics_leave_the_function(name: str) -> None:
    net, samples = example_net(name), example_samples(net=example_net(name), name=name)
    folded = fold(net)
    assert same(net, folded, samples)
    for index in places(net, name):
        for _, norm in kind(name).foldable:
            assert (getattr(folded[index], norm).weight == 1).all()
    remeasure(folded, samples)
    assert same(net, folded, samples, 1e-4)
    recalibrate(folded, samples)
    assert all(torch.isfinite(t).all() for t in folded.state_dict().values())


@kinds
def test_random_weights_tell_inputs_apart(name: str) -> None:
    net = example_net(name)
    random_weights(net, "kaiming", 1.0, 0)
    recalibrate(net, example_samples(net, name))
    for index in places(net, name):
        for embedding in kind(name).embeddings:
            assert net[index].get_parameter(embedding).std() > 0
    with torch.no_grad():
        outputs = leaves(net(example_samples(net, name)))[0]
    assert outputs.std(0).max() > 0


# --- asked and counted -------------------------------------------------------------------------------


@kinds
def test_answers_come_in_batches_and_layers_are_seen(name: str) -> None:
    net = example_net(name)
    samples = example_samples(net, name, rows=answers.BATCH + 20)
    with torch.no_grad():
        expected = leaves(net(samples))[0]
    found = leaves(answers.outputs(net.train(), samples))[0]
    assert net.training
    assert torch.allclose(found, expected, atol=1e-5)
    net.eval()
    layers = layers_of(net, samples, inside=True)
    assert {str(index) for index in range(len(net))} <= {layer.layer_id for layer in layers}
    last = str(len(net) - 1)
    rows = capture(net, samples, [last])[last]
    pooled = as_rows(Captured(expected), "pooled")
    assert rows.shape == tuple(pooled.shape)
    assert np.allclose(rows, pooled.numpy(), atol=1e-5)


@kinds
def test_counted_macs_are_those_of_its_layers(name: str) -> None:
    net, shape = example_net(name), kind(name).example.input_shape
    # Attention multiplies activations with each other, log-mel frames with constants.
    counted, others = 0, any(hasattr(block, "heads") or hasattr(block, "basis") for block in net)

    def count(layer: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal counted
        per_output = layer.weight[0].numel()
        counted += per_output * output.numel()

    layers = [m for m in net.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        net(example_inputs(net, shape))
    for hook in hooks:
        hook.remove()
    macs = count_macs(net, shape)
    assert macs >= counted > 0
    assert others or one_batch(net) or macs == counted
    assert count_parameters(net) == sum(t.numel() for t in net.parameters()) > 0


@kinds
def test_it_says_what_it_takes_where_it_can_stand_first(name: str) -> None:
    net = example_net(name)
    if places(net, name)[0]:
        with pytest.raises(InvalidInput, match=kind(name).module.__name__):
            kind(name).input_shape(net[places(net, name)[0]])
        return
    assert len(kind(name).input_limits) == len(kind(name).example.input_shape)
    assert kind(name).takes(kind(name).example.input_shape)
    zeros = example_inputs(net, rows=2)
    assert n_rows(zeros) == 2 or one_batch(net)
    with torch.no_grad():
        assert all(torch.isfinite(leaf).all() for leaf in leaves(net(zeros)))
