"""What the walk through prefixes cannot share: numbers of subnets that are extracted first, and counts of their weights.

An attacked sample belongs to the network whose gradient made it, so subnets share nothing here: each is calibrated,
extracted and measured by itself. Weights are counted stage by stage, so a whole space is counted from a few hundred
extracted stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.device import Device, chosen_device
from core.errors import InvalidInput
from core.networks.trees import rows_of
from core.objectives.base import method, names_of
from core.objectives.extracted import FromNetworks, FromWeights, Subject
from core.supernets.base import Stage, Supernet
from core.supernets.statistics import Statistics
from core.tasks.base import EvaluationData


def measure_networks(
    supernet: Supernet, arch: Sequence[int], names: Sequence[str], data: EvaluationData
) -> dict[str, float]:
    """Objectives of one subnet that are measured after it was extracted.

    Args:
        supernet: whose.
        arch: the subnet.
        names: objectives; those of other kinds are left out.
        data: samples with the splits they need.

    Raises:
        InvalidInput: one of them is not defined for this kind of data, or the data lack its split.
    """
    wanted = [method(name, FromNetworks) for name in names_of(FromNetworks, names)]
    if not wanted:
        return {}
    for each in wanted:
        _require(each, supernet, data)
    device = chosen_device()
    # Whoever walks is in inference mode between its yields, too; an attack needs gradients.
    with torch.inference_mode(mode=False), torch.enable_grad():
        return _measured(device.net(supernet), arch, wanted, device.put(data.inputs), data, device)


def _measured(
    supernet: Supernet,
    arch: Sequence[int],
    wanted: Sequence[FromNetworks],
    every_input: Any,
    data: EvaluationData,
    device: Device,
) -> dict[str, float]:
    statistics = supernet.calibrate(arch, every_input, data.calibration_rows)
    net = device.move(supernet.extract(arch, statistics))
    subjects, found = dict[tuple[str, int], Subject](), {}
    for each in wanted:
        span = data.spans[each.split]
        rows = slice(span.start, min(span.stop, span.start + each.samples))
        key = (each.split, rows.stop)
        if key not in subjects:
            inputs = every_input if supernet.task.whole else rows_of(every_input, rows)
            subjects[key] = Subject(net, inputs, device.put(data.targets[rows]))
        found[each.name] = each.of_network(subjects[key])
    return found


def _require(each: FromNetworks, supernet: Supernet, data: EvaluationData) -> None:
    if each.takes and supernet.task.name != each.takes:
        raise InvalidInput(
            f"{each.label} is defined for {each.takes} data; this supernet takes {supernet.task.name} data."
        )
    if each.split not in data.spans:
        raise InvalidInput(f"The evaluation data lacks the {each.split} split.")


def with_networks(
    walked: Iterator[tuple[list[int], dict[str, NDArray[Any]]]],
    supernet: Supernet,
    rows: NDArray[np.uint8],
    names: Sequence[str],
    data: EvaluationData,
) -> Iterator[tuple[list[int], dict[str, NDArray[Any]]]]:
    """What a walk yields, each with the objectives that are measured on extracted networks.

    Args:
        walked: `evaluator.walk` of the other objectives.
        supernet, data: as there.
        rows: (n, d) architectures that are walked.
        names: objectives; those of other kinds are left out.
    """
    wanted = names_of(FromNetworks, names)
    if wanted:
        data = replace(data, inputs=chosen_device().put(data.inputs))
    for indices, values in walked:
        if not wanted:
            yield indices, values
            continue
        for at, index in enumerate(indices):
            alone = measure_networks(supernet, rows[index].tolist(), wanted, data)
            here = {name: column[at : at + 1] for name, column in values.items()}
            yield [index], here | {name: np.array([alone[name]]) for name in wanted}


class _AnyStatistics(Statistics):
    """Statistics of every layer, for extracting what nobody runs."""

    def __missing__(self, label: str) -> tuple[Tensor, Tensor]:
        return torch.zeros(()), torch.ones(())

    def __bool__(self) -> bool:
        return True


def count_weights(
    supernet: Supernet, rows: NDArray[np.uint8], names: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """Objectives that are counted from weights: name -> (n,) sums over the stages that each architecture has.

    Args:
        supernet: whose weights.
        rows: (n, d) canonical architectures.
        names: objectives; those of other kinds are left out.
    """
    wanted = [method(name, FromWeights) for name in names_of(FromWeights, names)]
    totals = np.zeros((len(wanted), len(rows)), np.int64)
    for stage in supernet.chain if wanted and len(rows) else ():
        columns = sorted(supernet.space.position[name] for name in set(stage.depends_on))
        _, first, inverse = np.unique(rows[:, columns], axis=0, return_index=True, return_inverse=True)
        counted = np.array([_count(stage, rows[at].tolist(), wanted) for at in first]).reshape(len(first), -1)
        totals += counted[inverse.reshape(-1)].T
    return {each.name: totals[at] for at, each in enumerate(wanted)}


@torch.no_grad()
def _count(stage: Stage, arch: Sequence[int], wanted: Sequence[FromWeights]) -> list[int]:
    if stage.key(arch) is None:
        return [0] * len(wanted)
    block = stage.extract(arch, _AnyStatistics())
    return [each.of_stage(block) for each in wanted]
