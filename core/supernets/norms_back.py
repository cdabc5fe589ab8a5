"""BatchNorm put back behind convolutions that lost it: exporters fold it into the weights.

Without it a subnet cannot be recalibrated: what its channels sum up to has another mean and spread than the layers behind
them know. The norm's scale and offset are set to what enters it, so the largest subnet computes what it did.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.networks.operations.steps import Step
from core.supernets.base import Stage
from core.supernets.converted_stage import SegmentStage
from core.supernets.statistics import Statistics

if TYPE_CHECKING:
    from core.supernets.converted import Converted

_EPS = 1e-5


def with_norms(net: Converted, inputs: Tensor) -> Converted:
    """The network itself if no convolution of maps lacks a norm, else another one that has them.

    Args:
        net: not changed.
        inputs: samples that the norms are set by.
    """
    from core.supernets.converted import Converted, Segment

    segments, places = [], []
    for segment, stage in zip(net.config.segments, net.segments, strict=True):
        areas = [math.prod(size) for _, size in stage.plan.values]
        steps, new, added = _longer(segment.steps, areas)
        segments.append(Segment(label=segment.label, steps=tuple(steps)))
        places.append((new, added))
    if not any(added for _, added in places):
        return net
    made = Converted(net.config.model_copy(update={"segments": tuple(segments)}))
    _fill(made, net, places, inputs)
    return made.requires_grad_(False)


def _longer(steps: tuple[Step, ...], areas: list[int]) -> tuple[list[Step], dict[int, int], dict[int, int]]:
    """Steps with norms, the new number of each old one, and (number of a norm -> old number of its convolution)."""
    normed = {int(step["of"][0]) for step in steps if step["op"] == "norm"}
    new, value, added, found = {}, {0: 0}, dict[int, int](), list[Step]()
    for at, step in enumerate(steps, 1):
        lost = step["op"] == "conv" and areas[at] > 1 and at not in normed
        found.append({**step, "of": [value[int(v)] for v in step["of"]]} | ({"bias": False} if lost else {}))
        new[at] = value[at] = len(found)
        if lost:
            found.append({"op": "norm", "of": [len(found)], "channels": step["out_channels"], "eps": _EPS})
            value[at] = len(found)
            added[len(found)] = at
    return found, new, added


@torch.no_grad()
def _fill(
    made: Converted, net: Converted, places: list[tuple[dict[int, int], dict[int, int]]], inputs: Tensor
) -> None:
    statistics = Statistics(recording=True)
    offsets: dict[tuple[int, int], Tensor | None] = {}
    for number, ((new, added), old, longer) in enumerate(
        zip(places, net.segments, made.segments, strict=True)
    ):
        for name, layer in old.layers.items():
            target = dict(longer.layers[str(new[int(name)])].named_parameters(recurse=False))
            for tensor, parameter in layer.named_parameters(recurse=False):
                if tensor in target:
                    target[tensor].copy_(parameter)
        for norm, conv in added.items():
            offsets[number, norm] = dict(old.layers[str(conv)].named_parameters()).get("bias")
    x, number = inputs, 0
    stage: Stage
    for stage in made.chain:
        if not isinstance(stage, SegmentStage):
            x = stage(x, made.largest)
            continue

        def set_norm(
            at: int, entering: Tensor, number: int = number, layers: torch.nn.ModuleDict = stage.layers
        ) -> None:
            if (number, at) in offsets:
                var, mean = torch.var_mean(entering, dim=(0, 2, 3), correction=0)
                bias = offsets[number, at]
                layers[str(at)].get_parameter("weight").copy_((var + _EPS).sqrt())
                layers[str(at)].get_parameter("bias").copy_(mean if bias is None else mean + bias)

        x = stage.run(x, made.largest, statistics, set_norm)
        number += 1
