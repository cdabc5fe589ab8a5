"""A given network becomes a supernet: cut into segments, channels grouped, choices made, weights taken over and sorted.

The largest subnet is the given network. What stays as it is, is named layer by layer with the reason; a network of
which nothing could change is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor

from core.errors import InvalidInput, plain
from core.networks.operations.channels import Flow, Ties, trace
from core.networks.operations.segments import droppable, segments
from core.networks.operations.steps import Step, renumbered
from core.networks.operations.widths import units_kept
from core.supernets.converted import Converted, ConvertedConfig, Structure, looked_through
from core.supernets.converted_stage import SegmentStage, moved
from core.supernets.reading.builder import GivenNetwork
from core.supernets.statistics import ElasticBatchNorm, Statistics

RATIOS = (0.25, 0.5, 0.75, 1.0)
MOST_MEASURED = 100_000
"""Spaces of up to so many subnets can be measured one and all."""
_MOST_DEPTHS = 5
Choose = Literal["auto", "group", "size"]


@dataclass(frozen=True, eq=False)
class Conversion:
    """A supernet made of a network.

    Attributes:
        supernet: with the network's weights; its largest subnet is the network.
        statistics: of the largest subnet's BatchNorms, as the network had them.
        fixed: (layer, why its channels stay).
        facts: what was understood, a sentence each.
    """

    supernet: Converted
    statistics: Statistics
    fixed: tuple[tuple[str, str], ...]
    facts: tuple[str, ...]


def convert(given: GivenNetwork, *, ratios: Sequence[float] = RATIOS, choose: Choose = "auto") -> Conversion:
    """The supernet of a network.

    Args:
        given: as a reader of files made it.
        ratios: shares of its channels that a group can keep, ascending to 1.
        choose: "group" gives each group of channels a choice of its own, "size" one choice to all groups on maps of
            the same size; "auto" the first if the space can be measured one and all, else the second.

    Raises:
        InvalidInput: nothing of it can change, or it is none that can be converted.
    """
    ties = Ties()
    entering = Flow(given.input_shape, ties.new(given.input_shape[0]))
    flows, _ = trace(given.steps, entering, ties)
    cut = segments(given.steps, flows)
    parts = [renumbered(given.steps[start:end], start) for start, end in cut]
    found = looked_through(given.input_shape, parts)
    counts = {group: _counts(size, ratios) for group, size in enumerate(found.grouping.sizes)}
    elastic = [group for group, (_, kept) in counts.items() if len(kept) > 1]
    fixed = _fixed(given, found, set(elastic))
    depths = _depths(given.steps, flows, cut)
    labels = _labels(given, cut)
    common: dict[str, Any] = {
        "input_shape": given.input_shape,
        "classes": len(found.flows[-1].ids),
        "segments": [{"label": label, "steps": steps} for label, steps in zip(labels, parts, strict=True)],
        "depths": [{"first": first, "options": options} for first, options in depths],
        "pixel_mean": given.mean or (0.0,),
        "pixel_std": given.std or (1.0,),
    }
    if not elastic and not depths:
        raise InvalidInput(_nothing(fixed))
    supernet = _built(common, found, elastic, ratios, choose)
    statistics = _filled(supernet, given)
    return Conversion(supernet, statistics, tuple(fixed), _facts(given, supernet, found, depths))


def _counts(size: int, ratios: Sequence[float]) -> tuple[list[float], list[int]]:
    """Shares of a group that differ in how many units they keep, the largest of equal ones, and these numbers."""
    by_count = {units_kept(size, ratio): ratio for ratio in ratios}
    return list(by_count.values()), list(by_count)


def _built(
    common: Mapping[str, Any],
    found: Structure,
    elastic: Sequence[int],
    ratios: Sequence[float],
    choose: Choose,
) -> Converted:
    own = [([group], _counts(found.grouping.sizes[group], ratios)[0]) for group in elastic]
    by_size = [
        (groups, _together([found.grouping.sizes[g] for g in groups], ratios))
        for groups in _same_size(found, elastic)
    ]
    tries = {"auto": (own, by_size), "group": (own,), "size": (by_size,)}[choose]
    for widths in tries:
        said = [{"groups": groups, "ratios": shares} for groups, shares in widths]
        try:
            supernet = Converted(ConvertedConfig.model_validate({**common, "widths": said}))
        except ValidationError as error:
            first = plain(error.errors()[0]["msg"])
            raise InvalidInput(f"This network cannot be converted: {first}.") from error
        if supernet.space.size <= MOST_MEASURED:
            break
    return supernet


def _same_size(found: Structure, elastic: Sequence[int]) -> list[list[int]]:
    """Elastic groups by the size of the maps that they are first made in; vectors each by themselves."""
    size: dict[int, Any] = {}
    for use, layout in zip(found.uses, found.grouping.layouts, strict=True):
        if use.role == "output" and use.axis == 0:
            shape = found.flows[use.step].shape[1:]
            for piece in layout:
                if piece.group is not None:
                    size.setdefault(piece.group, shape if shape and shape != (1, 1) else piece.group)
    order: dict[Any, list[int]] = {}
    for group in elastic:
        order.setdefault(size.get(group, group), []).append(group)
    return list(order.values())


def _together(sizes: Sequence[int], ratios: Sequence[float]) -> list[float]:
    by_counts = {tuple(units_kept(size, ratio) for size in sizes): ratio for ratio in ratios}
    return list(by_counts.values())


def _depths(
    steps: Sequence[Step], flows: Sequence[Flow], cut: Sequence[tuple[int, int]]
) -> list[tuple[int, list[int]]]:
    """(first segment, numbers of blocks) of every run of blocks that a network can do without."""
    can_go = [droppable(steps, flows, span) for span in cut]
    found, at = [], 0
    for goes, run in groupby(can_go):
        length = len(list(run))
        if goes:
            options = sorted({round(length * k / (_MOST_DEPTHS - 1)) for k in range(_MOST_DEPTHS)})
            found.append((at, options))
        at += length
    return found


def _labels(given: GivenNetwork, cut: Sequence[tuple[int, int]]) -> list[str]:
    """What a person calls each segment: what the names of its layers share."""
    labels: list[str] = []
    for number, (start, end) in enumerate(cut, 1):
        named = [given.names[at] for at in range(start, end) if given.steps[at]["op"] in ("conv", "linear")]
        shared = _shared(named)
        cleaned = re.sub(r"[^A-Za-z0-9_.:/ -]+", "_", shared).strip("._/ -:")[:40]
        label = cleaned if cleaned and not cleaned.startswith("node_") else f"segment {number}"
        labels.append(
            label if label not in labels else f"{label} ({number})".replace("(", "").replace(")", "")
        )
    return labels


def _shared(names: Sequence[str]) -> str:
    """The first parts that dotted (or slashed) names have in common; all of a single one."""
    parts = [re.split(r"[./]", name) for name in names]
    common = []
    for each in zip(*parts, strict=False):
        if len(set(each)) > 1:
            break
        common.append(each[0])
    return ".".join(common)


def _fixed(given: GivenNetwork, found: Structure, elastic: set[int]) -> list[tuple[str, str]]:
    rows: dict[str, str] = {}
    for at, (use, layout) in enumerate(zip(found.uses, found.grouping.layouts, strict=True)):
        if use.tensor != "weight" or use.axis != 0 or given.steps[use.step - 1]["op"] == "norm":
            continue
        stays = [piece for piece in layout if piece.group is None]
        small = [p for p in layout if p.group is not None and p.group not in elastic]
        if not stays and not small:
            continue
        step = given.steps[use.step - 1]
        layer = given.names[use.step - 1] or f"{step['op']} {use.step}"
        if stays:
            why = found.grouping.why.get(at, "it is tied to channels that stay")
        else:
            why = f"all shares of its {small[0].units} channels round to the same number"
        rows[f"{layer} [{use.step}]" if layer in rows else layer] = f"Its channels stay: {why}."
    return list(rows.items())


def _nothing(fixed: Sequence[tuple[str, str]]) -> str:
    because = "; ".join(f"{layer[:60]}: {why.rstrip('.').lower()}" for layer, why in fixed[:3])
    return (
        f"Nothing of this network can change, so it is no supernet ({because}). A network with more than one layer of "
        "several channels can be converted."
    )


@torch.no_grad()
def _filled(supernet: Converted, given: GivenNetwork) -> Statistics:
    """Take the weights over, sort the units, and return the network's own BatchNorm statistics."""
    statistics, start = Statistics(), 0
    for stage in supernet.segments:
        for name, layer in stage.layers.items():
            at = start + int(name)
            for tensor, parameter in layer.named_parameters(recurse=False):
                parameter.copy_(torch.from_numpy(given.tensors[at, tensor]))
            if isinstance(layer, ElasticBatchNorm):
                mean, var = (
                    torch.from_numpy(given.tensors[at, t].copy()) for t in ("running_mean", "running_var")
                )
                statistics[layer.label] = (mean, var)
        start += len(stage.plan.steps)
    orders = supernet.by_importance()
    for stage in supernet.segments:
        stage.reorder(orders)
        _reorder_statistics(stage, orders, statistics)
    supernet.requires_grad_(False)
    return statistics


def _reorder_statistics(stage: SegmentStage, orders: Mapping[int, Tensor], statistics: Statistics) -> None:
    for name, layer in stage.layers.items():
        if isinstance(layer, ElasticBatchNorm):
            index = moved(stage.plan.axes[int(name), "weight", 0], orders)
            mean, var = statistics[layer.label]
            statistics[layer.label] = (mean[index], var[index])


def _several(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _facts(
    given: GivenNetwork, supernet: Converted, found: Structure, depths: Sequence[tuple[int, list[int]]]
) -> tuple[str, ...]:
    config = supernet.config
    groups = sum(len(width.groups) for width in config.widths)
    facts = [
        f"{_several(len(given.steps), 'operation')} in {_several(len(config.segments), 'segment')}; {groups} of "
        f"{_several(len(found.grouping.sizes), 'group')} of channels can keep fewer, by {_several(len(config.widths), 'choice')}.",
    ]
    if groups > len(config.widths):
        facts.append("Groups on maps of the same size share a choice, which keeps the space small.")
    if depths:
        blocks = sum(options[-1] for _, options in depths)
        facts.append(
            f"{blocks} blocks beside a shortcut can be left out, in {len(depths)} runs; the first ones stay."
        )
    else:
        facts.append("No block can be left out: none has a shortcut that changes nothing.")
    if any(given.mean) or any(value != 1 for value in given.std):
        facts.append("It normalizes pixels itself; subnets do the same.")
    if not any(step["op"] == "norm" for step in given.steps):
        facts.append(
            "It has no BatchNorm (exporters fold it into convolutions): tuning puts it back, and until then small subnets "
            "answer badly."
        )
    return (*facts, *given.facts)


def difference(conversion: Conversion, images: Tensor, expected: Tensor) -> float:
    """The largest difference between the largest subnet's answers and those of the network itself, by their size."""
    with torch.no_grad():
        answers = conversion.supernet(images, conversion.supernet.largest, conversion.statistics)
    return float((answers - expected).abs().max() / expected.abs().max().clamp(min=0.01))


def require_equal(conversion: Conversion, images: Tensor, expected: Tensor, tolerance: float) -> str:
    """A sentence that the largest subnet computes what the network does.

    Raises:
        InvalidInput: it does not.
    """
    if tuple(expected.shape) != (len(images), conversion.supernet.classes):
        raise InvalidInput("The network answers with another number of classes than was read from its file.")
    found = difference(conversion, images, expected)
    if not found <= tolerance:
        raise InvalidInput(
            f"The converted network answers otherwise than the given one (by {found:.1e} of its largest answer), so it is "
            "refused; please report the file."
        )
    return f"The largest subnet answers as the given network does, to {max(found, 1e-9):.0e}, on {len(images)} random images."
