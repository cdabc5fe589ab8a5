"""Activations of any network of plain torch layers, by stage and by layer inside a stage.

A subnet is first extracted, so one path serves subnets, networks trained alone and pruned ones: each is an
`nn.Sequential` whose children are the stages. Nothing of the network is changed: hooks are removed and
the training flag is put back even if a forward pass fails. Of a stage that hands on several tensors (a graph's
edges, a mask) the first is its activations; series of channels (n, c, t) are maps of height 1.

How a map of positions, or a text's tokens, become one number per unit changes what is compared, so it is always
chosen by name: "pooled" (mean over positions), "flattened" (every position a unit of its own), or "positions"
(every position a sample of its own; Li et al., Convergent Learning, 2016). Padding of texts is no position: inputs
that come with a mask (n, t) say where there are tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks import answers
from core.networks.blocks.base import known_kind
from core.networks.chain import one_batch
from core.networks.poolings import POOLINGS
from core.networks.trees import as_tensors, leaves, n_rows, rows_of

MOST_UNITS = 4096
"""Wider layers are refused when flattened: one pair of them would take minutes."""
MOST_ROWS = 20_000
"""More rows than this (samples times positions) are refused when positions are samples."""


@dataclass(frozen=True)
class Captured:
    """What one layer put out for a batch.

    Attributes:
        output: maps (n, c, h, w), tokens (n, t, d) or vectors (n, p).
        shown: (n, t) of tokens, true where there is one; None where all positions count.
    """

    output: Tensor
    shown: Tensor | None = None


@dataclass(frozen=True)
class LayerInfo:
    """A place in a network whose output can be captured.

    Attributes:
        layer_id: "3" for the output of the fourth stage, "3.norm1" for a layer inside it; permanent for a net.
        label: what a person reads.
        shape: of one sample's output, without the batch.
        units: channels of a map, width of tokens or vectors.
    """

    layer_id: str
    label: str
    shape: tuple[int, ...]
    units: int


def layers_of(
    net: nn.Sequential, inputs: Any, labels: Sequence[str] = (), *, inside: bool = False
) -> list[LayerInfo]:
    """The stages of a network in order, with the layers inside each before its output if asked.

    Args:
        net: stages as children.
        inputs: at least one sample, to learn the shapes from.
        labels: names of the stages; their class names where left out.
        inside: also convolutions, linear layers and normalizations within the stages.
    """
    names = _places(net, inside)
    some = inputs if one_batch(net) else rows_of(inputs, slice(0, 1))
    shapes = {name: tuple(out.output.shape[1:]) for name, out in next(batches(net, some, names)).items()}
    found = []
    for name in sorted(shapes, key=names.index):
        stage, _, rest = name.partition(".")
        label = labels[int(stage)] if int(stage) < len(labels) else type(net[int(stage)]).__name__
        shape = shapes[name]
        units = shape[-1] if len(shape) == 2 else shape[0]
        found.append(LayerInfo(name, f"{label} · {rest}" if rest else label, shape, int(units)))
    return found


def capture(
    net: nn.Module, inputs: Any, layers: Sequence[str], *, pooling: str = "pooled"
) -> dict[str, NDArray[np.float32]]:
    """Activations of some layers on the same samples.

    Args:
        net: any module; run in eval mode and without gradients.
        inputs: an array or a tree of arrays, one row per sample (see `core.networks.answers.batches`).
        layers: names of submodules ("3", "3.norm1").
        pooling: "pooled", "flattened" or "positions".

    Returns:
        Layer -> (n, p) float32; (n * positions, p) for "positions", the positions of a sample together, fewer where
        a text has padding.

    Raises:
        InvalidInput: there is no such layer or pooling, or a layer is too large for this pooling.
    """
    if pooling not in POOLINGS:
        raise InvalidInput(f"There is no pooling {pooling!r}; there are {', '.join(POOLINGS)}.")
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in layers}
    for batch in batches(net, inputs, layers):
        for name, out in batch.items():
            _require_small(name, out.output, n_rows(inputs), pooling)
            parts[name].append(as_rows(out, pooling).numpy().copy())
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def batches(
    net: nn.Module, inputs: Any, layers: Sequence[str], *, size: int = answers.BATCH
) -> Iterator[dict[str, Captured]]:
    """Raw outputs of some layers, a batch of samples at a time: memory does not grow with the samples.

    Raises:
        InvalidInput: there is no such layer.
    """
    for batch in answers.batches(net, inputs, size):
        shown = token_mask(batch)
        outputs = _outputs(net, batch, layers).items()
        yield {name: Captured(out, shown if _has_tokens(out, shown) else None) for name, out in outputs}


def token_mask(inputs: Any) -> Tensor | None:
    """(n, t) where there are tokens, of inputs that come with a mask; None of all others."""
    masks = [leaf for leaf in leaves(inputs) if leaf.ndim == 2 and str(leaf.dtype).endswith("bool")]
    return as_tensors(masks[0]) if masks else None


def _has_tokens(output: Tensor, shown: Tensor | None) -> bool:
    return shown is not None and output.ndim == 3 and output.shape[:2] == shown.shape


def as_rows(layer: Captured, pooling: str) -> Tensor:
    """One batch of a layer's raw output as (rows, units), as `capture` arranges it; flattened padding is zero."""
    output, shown = layer.output, layer.shown
    if output.ndim == 2:
        return output
    if shown is not None:
        if pooling == "positions":
            return output[shown]
        output = output * shown[:, :, None]
        if pooling == "pooled":
            return output.sum(1) / shown.sum(1, keepdim=True).clamp(min=1)
    if pooling == "flattened":
        return output.flatten(1)
    axes = tuple(range(2, output.ndim)) if output.ndim > 3 else (1,)
    if pooling == "pooled":
        return output.mean(axes)
    return output.movedim(1, -1).flatten(0, -2) if output.ndim > 3 else output.flatten(0, 1)


def inputs_of(net: nn.Module, inputs: Any, layer: str) -> NDArray[np.float32]:
    """What enters one layer: its first input, (n, ...) float32, for n samples.

    Raises:
        InvalidInput: there is no such layer.
    """
    module = _modules(net, [layer])[layer]
    parts: list[Tensor] = []
    with answers.evaluating(net), torch.no_grad():
        hook = module.register_forward_pre_hook(lambda _module, entered: parts.append(entered[0].detach()))
        try:
            for batch in answers.batches(net, inputs):
                net(batch)
        finally:
            hook.remove()
    entered: NDArray[np.float32] = torch.cat(parts).float().numpy()
    return entered


def _outputs(net: nn.Module, batch: Any, layers: Sequence[str]) -> dict[str, Tensor]:
    modules = _modules(net, layers)
    found: dict[str, Tensor] = {}

    def keeper(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            first = leaves(output)[0]
            if isinstance(first, Tensor):
                found[name] = _as_map(_module, first.detach())

        return keep

    # A hook hears every forward pass of its network, whoever started it: one visitor at a time.
    with answers.evaluating(net), torch.no_grad():
        hooks = [module.register_forward_hook(keeper(name)) for name, module in modules.items()]
        try:
            net(batch)
        finally:
            for hook in hooks:
                hook.remove()
    return found


def _as_map(module: nn.Module, output: Tensor) -> Tensor:
    """Channels over time (n, c, t) as a map of height 1; vectors of tokens (n, t, d) stay as they are."""
    if output.ndim != 3:
        return output
    kind = known_kind(module)
    over_time = isinstance(module, nn.Conv1d | nn.BatchNorm1d) if kind is None else kind.over_time
    return output.unsqueeze(2) if over_time else output


def _modules(net: nn.Module, layers: Sequence[str]) -> dict[str, nn.Module]:
    modules = dict(net.named_modules())
    if unknown := [name for name in layers if name not in modules or name == ""]:
        raise InvalidInput(f"This network has no layer {unknown[0]!r}.")
    return {name: modules[name] for name in layers}


def _places(net: nn.Sequential, inside: bool) -> list[str]:
    """Names of the stages, each after the layers inside it, in the order of the modules."""
    names: list[str] = []
    for index, stage in enumerate(net):
        if inside:
            inner = [n for n, m in stage.named_modules() if n and not list(m.children())]
            names += [f"{index}.{name}" for name in inner]
        names.append(str(index))
    return names


def _require_small(name: str, output: Tensor, n: int, pooling: str) -> None:
    per_sample = output[0].numel()
    units = output.shape[-1] if output.ndim == 3 else output.shape[1]
    if pooling == "flattened" and per_sample > MOST_UNITS:
        raise InvalidInput(
            f"Layer {name} has {per_sample:,} numbers per sample, more than {MOST_UNITS:,}: choose pooled features."
        )
    if pooling == "positions" and n * per_sample // units > MOST_ROWS:
        raise InvalidInput(
            f"Layer {name} has {n * per_sample // units:,} positions on these {n:,} samples, more than {MOST_ROWS:,}: "
            "choose pooled features or a smaller probe."
        )
