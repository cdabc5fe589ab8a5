"""Timing plain networks by torch on the device that is set: between two events in its stream of work where it has such.

The protocol is the one of every latency (core.objectives.timing): rounds, a new random order in each, one run of a visit
thrown away, the minimum counts. What differs is said in the profile's device, so batch and precision are part of the
objective's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.device import Device
from core.evaluation.latency import device as machine
from core.evaluation.latency.profile import Device as Described
from core.networks.file import load_net
from core.networks.trees import as_tensors
from core.objectives.timing import RUNS, Race, alone_on_this_machine

_PRECISIONS: dict[str, Literal["float32", "tf32", "bfloat16"]] = {
    "float32": "float32",
    "tf32": "tf32",
    "bf16": "bfloat16",
}


def described(device: Device, *, name: str = "", batch: int = 1) -> Described:
    """What times networks on a device, as the profile of a latency describes it.

    Args:
        device: with its precision.
        name: what a person calls it; the device's own name if left out.
        batch: samples of one answer.
    """
    here = machine.this_device()
    own = here.name if device.kind == "cpu" else device.label
    return here.model_copy(
        update={
            "name": name or own[:60].strip(),
            "runtime": "torch",
            "version": torch.__version__,
            "provider": device.kind,
            "precision": _PRECISIONS[device.precision],
            "batch": batch,
        }
    )


class DeviceRace(Race):
    """n networks that are timed in rounds on a device.

    Args:
        device: where they answer.
        sample: arrays they take, in the order of their inputs.
        runs: timed runs per visit, after one that is thrown away.
        seed: of the visiting order.
    """

    def __init__(
        self, device: Device, sample: Sequence[NDArray[Any]], *, runs: int = RUNS, seed: int = 0
    ) -> None:
        super().__init__((), sample, runs=runs, seed=seed)
        self._device = device
        self._nets: list[nn.Sequential] = []
        self._inputs: list[Any] = []

    def add(self, model: bytes, sample: Sequence[NDArray[Any]] | None = None) -> None:
        """One more network, as `core.networks.file.dump_net` writes it.

        Raises:
            InvalidInput: it is another file.
        """
        arrays = as_tensors(list(self._sample if sample is None else sample))
        self._nets.append(self._device.move(load_net(model)[0]))
        self._inputs.append(self._device.put(arrays[0] if len(arrays) == 1 else tuple(arrays)))

    def __len__(self) -> int:
        return len(self._nets)

    def round(self) -> None:
        found = np.empty(len(self))
        with alone_on_this_machine():
            for which in self._rng.permutation(len(self)):
                found[which] = self._fastest(self._nets[which], self._inputs[which])
        self._rounds.append(found)

    @torch.inference_mode()
    def _fastest(self, net: nn.Sequential, inputs: Any) -> float:
        """Milliseconds of the fastest of several runs, after one that is thrown away."""

        def answer() -> None:
            with self._device.computing():
                net(inputs)

        answer()
        return 1000 * min(self._device.seconds(answer) for _ in range(self.runs))
