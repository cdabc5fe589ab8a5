"""BatchNorm put back behind convolutions that lost it: exporters fold it into the weights.

Without it a subnet cannot be recalibrated: what its channels sum up to has another mean and spread than the layers behind
them know. The norm's scale and offset are set to what enters it, so the largest subnet computes what it did.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.networks.operations.steps import Step
from core.supernets.base import Stage, Supernet
from core.supernets.converted_stage import SegmentStage
from core.supernets.statistics import Statistics

_EPS = 1e-5


Places = tuple[dict[int, int], dict[int, int]]
"""New number of each old step, and number of each new norm -> old number of its convolution."""


def with_norms(steps: Sequence[Step], areas: Sequence[int]) -> tuple[list[Step], Places]:
    """Steps of a segment with a norm behind every convolution of maps that has none, and where everything is now.

    Args:
        steps: of the segment.
        areas: positions of each value; one for vectors and gates.
    """
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
    return found, (new, added)


@torch.no_grad()
def fill(made: Supernet, old: Supernet, places: Sequence[Places], inputs: Tensor) -> None:
    """Take the weights over, and set the new norms by what enters them.

    Args:
        made: with the norms.
        old: without them.
        places: of each of its segments.
        inputs: samples of calibration.
    """
    statistics = Statistics(recording=True)
    offsets: dict[tuple[int, int], Tensor | None] = {}
    for number, ((new, added), before, after) in enumerate(
        zip(places, _segments(old), _segments(made), strict=True)
    ):
        for name, layer in before.layers.items():
            target = dict(after.layers[str(new[int(name)])].named_parameters(recurse=False))
            for tensor, parameter in layer.named_parameters(recurse=False):
                if tensor in target:
                    target[tensor].copy_(parameter)
        for norm, conv in added.items():
            offsets[number, norm] = dict(before.layers[str(conv)].named_parameters()).get("bias")
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


def _segments(net: Supernet) -> list[SegmentStage]:
    return [stage for stage in net.chain if isinstance(stage, SegmentStage)]
