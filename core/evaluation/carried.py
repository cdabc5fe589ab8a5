"""A supernet with its samples as bytes, for where its subnets are measured; nothing is pickled."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.cache import LastMade
from core.device import chosen_device, require_device
from core.evaluation.kept_activations import KeptActivations
from core.networks.trees import as_tensors, flat, unflat
from core.supernets.base import Supernet
from core.supernets.files import dump_supernet, load_supernet
from core.tasks.base import EvaluationData

_SUPERNET, _SAMPLES, _ABOUT = "supernet", "data", "about"


@dataclass(frozen=True)
class Arrived:
    """What was carried, built again.

    Attributes:
        kept: outputs of prefixes that calls in this process leave for each other; changes no value.
    """

    supernet: Supernet
    data: EvaluationData
    kept: KeptActivations | None


def carried(supernet: Supernet, data: EvaluationData) -> dict[str, bytes]:
    """Bytes by name, from which `arrived` builds both again."""
    samples = io.BytesIO()
    np.savez(samples, targets=data.targets.numpy(), **flat(data.inputs))
    about = {
        "calibration_rows": data.calibration_rows,
        "spans": {split: [span.start, span.stop] for split, span in data.spans.items()},
        "target_bytes": dict(data.target_bytes),
        "device": chosen_device().identity,
    }
    return {
        _SUPERNET: dump_supernet(supernet, {}),
        _SAMPLES: samples.getvalue(),
        _ABOUT: json.dumps(about).encode(),
    }


_last: LastMade[Arrived] = LastMade()


def arrived(shared: Mapping[str, bytes], *, keep: int = 0) -> Arrived:
    """What `carried` gave, built once for as long as a process is given the same.

    Args:
        shared: bytes by name; the same object each time for the same name.
        keep: most bytes of activations that stay from one call to the next, as the first call says.

    Raises:
        InvalidInput: this process computes on another device than the driver.
    """
    about = json.loads(shared[_ABOUT])
    require_device(about["device"])
    return _last.get(lambda: _built(shared, about, keep), shared[_SUPERNET], shared[_SAMPLES])


def _built(shared: Mapping[str, bytes], about: dict[str, Any], keep: int) -> Arrived:
    supernet, _ = load_supernet(shared[_SUPERNET])
    with np.load(io.BytesIO(shared[_SAMPLES]), allow_pickle=False) as arrays:
        named: dict[str, Any] = dict(arrays)
    targets = torch.from_numpy(named.pop("targets"))
    spans = {split: slice(*bounds) for split, bounds in about["spans"].items()}
    rows, sizes = about["calibration_rows"], about["target_bytes"]
    data = EvaluationData(as_tensors(unflat(named)), targets, rows, spans, sizes)
    return Arrived(supernet, data, KeptActivations(keep) if keep else None)
