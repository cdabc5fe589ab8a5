"""Activations of any network of plain torch layers, by stage and by layer inside a stage.

A subnet is first extracted, so one path serves subnets, networks trained alone and pruned ones: each is an
`nn.Sequential` whose children are the stages. Nothing of the network is changed: hooks are removed and
the training flag is put back even if a forward pass fails.

How a map of positions becomes one number per unit changes what is compared, so it is always chosen by
name: "pooled" (mean over positions), "flattened" (every position a unit of its own), or "positions"
(every position a sample of its own; Li et al., Convergent Learning, 2016).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.poolings import POOLINGS

MOST_UNITS = 4096
"""Wider layers are refused when flattened: one pair of them would take minutes."""
MOST_ROWS = 20_000
"""More rows than this (samples times positions) are refused when positions are samples."""
_BATCH = 256
# A hook hears every forward pass of its network, whoever started it: one at a time, or two visitors
# who look at one subnet would get each other's activations.
_one_at_a_time = threading.RLock()


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
    net: nn.Sequential, images: NDArray[np.float32], labels: Sequence[str] = (), *, inside: bool = False
) -> list[LayerInfo]:
    """The stages of a network in order, with the layers inside each before its output if asked.

    Args:
        net: stages as children.
        images: at least one image (n, c, h, w), to learn the shapes from.
        labels: names of the stages; their class names where left out.
        inside: also convolutions, linear layers and normalizations within the stages.
    """
    names = _places(net, inside)
    shapes = {name: tuple(out.shape[1:]) for name, out in _outputs(net, _tensor(images[:1]), names).items()}
    found = []
    for name in sorted(shapes, key=_in_order(names)):
        stage, _, rest = name.partition(".")
        label = labels[int(stage)] if int(stage) < len(labels) else _title(net[int(stage)])
        shape = shapes[name]
        units = shape[-1] if len(shape) == 2 else shape[0]
        found.append(LayerInfo(name, f"{label} · {rest}" if rest else label, shape, int(units)))
    return found


def capture(
    net: nn.Module, images: NDArray[np.float32], layers: Sequence[str], *, pooling: str = "pooled"
) -> dict[str, NDArray[np.float32]]:
    """Activations of some layers on the same images.

    Args:
        net: any module; run in eval mode and without gradients.
        images: (n, c, h, w) float32 in [0, 1].
        layers: names of submodules ("3", "3.norm1").
        pooling: "pooled", "flattened" or "positions".

    Returns:
        Layer -> (n, p) float32; (n * positions, p) for "positions", the positions of a sample together.

    Raises:
        InvalidInput: there is no such layer or pooling, or a layer is too large for this pooling.
    """
    if pooling not in POOLINGS:
        raise InvalidInput(f"There is no pooling {pooling!r}; there are {', '.join(POOLINGS)}.")
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in layers}
    for batch in batches(net, images, layers):
        for name, out in batch.items():
            _require_small(name, out, len(images), pooling)
            parts[name].append(_pooled(out, pooling).numpy().copy())
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def batches(
    net: nn.Module, images: NDArray[np.float32], layers: Sequence[str], *, size: int = _BATCH
) -> Iterator[dict[str, Tensor]]:
    """Raw outputs of some layers, a batch of images at a time: memory does not grow with the samples.

    Raises:
        InvalidInput: there is no such layer.
    """
    for start in range(0, len(images), size):
        yield _outputs(net, _tensor(images[start : start + size]), layers)


def as_rows(output: Tensor, pooling: str) -> Tensor:
    """One batch of a layer's raw output as (rows, units), as `capture` arranges it."""
    return _pooled(output, pooling)


def inputs_of(net: nn.Module, images: NDArray[np.float32], layer: str) -> NDArray[np.float32]:
    """What enters one layer: its first input, (n, ...) float32, for images (n, c, h, w).

    Raises:
        InvalidInput: there is no such layer.
    """
    modules = dict(net.named_modules())
    if layer not in modules:
        raise InvalidInput(f"This network has no layer {layer!r}.")
    parts: list[Tensor] = []
    with _evaluating(net):
        hook = modules[layer].register_forward_pre_hook(
            lambda _module, inputs: parts.append(inputs[0].detach())
        )
        try:
            for start in range(0, len(images), _BATCH):
                net(_tensor(images[start : start + _BATCH]))
        finally:
            hook.remove()
    entered: NDArray[np.float32] = torch.cat(parts).float().numpy()
    return entered


def logits(net: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network answers: (n, classes) float32 for images (n, c, h, w)."""
    with _evaluating(net):
        parts = [net(_tensor(images[start : start + _BATCH])) for start in range(0, len(images), _BATCH)]
    answered: NDArray[np.float32] = torch.cat(parts).float().numpy()
    return answered


def _outputs(net: nn.Module, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    modules = dict(net.named_modules())
    if unknown := [name for name in layers if name not in modules or name == ""]:
        raise InvalidInput(f"This network has no layer {unknown[0]!r}.")
    found: dict[str, Tensor] = {}

    def keeper(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                found[name] = output.detach()

        return keep

    with _evaluating(net):
        hooks = [modules[name].register_forward_hook(keeper(name)) for name in layers]
        try:
            net(images)
        finally:
            for hook in hooks:
                hook.remove()
    return found


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; a net that is in training comes back as it was."""
    with _one_at_a_time:
        training = [module for module in net.modules() if module.training]
        try:
            if training:
                net.eval()
            with torch.no_grad():
                yield
        finally:
            for module in training:
                module.training = True


def _places(net: nn.Sequential, inside: bool) -> list[str]:
    """Names of the stages, each after the layers inside it, in the order of the modules."""
    names: list[str] = []
    for index, stage in enumerate(net):
        if inside:
            leaves = [n for n, m in stage.named_modules() if n and not list(m.children())]
            names += [f"{index}.{name}" for name in leaves]
        names.append(str(index))
    return names


def _in_order(names: Sequence[str]) -> Callable[[str], int]:
    position = {name: index for index, name in enumerate(names)}
    return lambda name: position[name]


def _title(stage: nn.Module) -> str:
    return type(stage).__name__


def _tensor(images: NDArray[np.float32]) -> Tensor:
    # A probe's arrays are shared and may be read-only, which torch warns of; a batch is copied in no time.
    return torch.from_numpy(np.array(images, dtype=np.float32))


def _pooled(output: Tensor, pooling: str) -> Tensor:
    """Maps are (n, c, h, w), tokens (n, t, d), vectors (n, p)."""
    if output.ndim == 2:
        return output
    if pooling == "flattened":
        return output.flatten(1)
    axes = tuple(range(2, output.ndim)) if output.ndim > 3 else (1,)
    if pooling == "pooled":
        return output.mean(axes)
    return output.movedim(1, -1).flatten(0, -2) if output.ndim > 3 else output.flatten(0, 1)


def _require_small(name: str, output: Tensor, n: int, pooling: str) -> None:
    per_sample = output[0].numel()
    units = output.shape[-1] if output.ndim == 3 else output.shape[1]
    if pooling == "flattened" and per_sample > MOST_UNITS:
        raise InvalidInput(
            f"Layer {name} has {per_sample:,} numbers per image, more than {MOST_UNITS:,}: choose pooled features."
        )
    if pooling == "positions" and n * per_sample // units > MOST_ROWS:
        raise InvalidInput(
            f"Layer {name} has {n * per_sample // units:,} positions on these {n:,} images, more than {MOST_ROWS:,}: "
            "choose pooled features or a smaller probe."
        )
