"""One InstaTune beside its controls as a part of their run: here, or as a call of an executor."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.config import BaseConfig
from core.library import alone_part
from core.library.parts import Part, Steps, at_desk, stretch
from core.runtime import heavy_imports
from core.spaces import Arch
from core.training.config import TrainingConfig

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.executors.calls import Desk
    from core.ledger import Ledger
    from core.supernets.base import Supernet

FUNCTION = "core.library.order_controls_part:tune"
_SUPERNET, _ARCHS = "supernet", "archs"
Accuracies = list[tuple[float, float]]
"""Of architectures, on the validation and the test samples."""


@dataclass(frozen=True, eq=False)
class Bench:
    """What all trainings of a run share: the given network as a supernet, its data, and the subnets that are measured."""

    net: Supernet
    dataset: Dataset
    archs: list[Arch]

    def shared(self) -> Mapping[str, bytes]:
        """As bytes, for trainings elsewhere; networks trained alone find there what they need, too."""
        from core.supernets.files import dump_supernet

        own = {_SUPERNET: dump_supernet(self.net, {}), _ARCHS: json.dumps(self.archs).encode()}
        return {**alone_part.shared(self.dataset), **own}


class Tuning(BaseConfig):
    """One training: what orders the units, how it is trained, and what it is called in messages."""

    criterion: str
    config: TrainingConfig
    what: str


@dataclass(frozen=True)
class Tuned:
    """What came of it: accuracies of the subnets as they are cut out before and after, and seconds of the training."""

    before: Accuracies
    after: Accuracies
    seconds: float

    @classmethod
    def read(cls, value: bytes) -> Tuned:
        """From what the part returned."""
        said = json.loads(value)
        before, after = ([(a, b) for a, b in said[name]] for name in ("before", "after"))
        return cls(before, after, said["seconds"])


def part(index: int, tuning: Tuning, bench: Bench) -> Part:
    """A training as a part of a run."""
    return Part(
        index=index,
        steps=lambda ledger: _steps(tuning, bench, ledger),
        function=FUNCTION,
        payload=lambda: tuning.model_dump_json().encode(),
    )


def tune(payload: bytes, desk: Desk) -> bytes:
    """Order, tune and measure where a call runs."""
    heavy_imports()
    from core.supernets.files import load_supernet

    net = load_supernet(desk.shared[_SUPERNET])[0]
    archs = [tuple(arch) for arch in json.loads(desk.shared[_ARCHS])]
    bench = Bench(net, alone_part.arrived(desk), archs)
    tuning = Tuning.model_validate_json(payload)
    return at_desk(desk, lambda ledger: _steps(tuning, bench, ledger))


def measured(net: Supernet, dataset: Dataset, archs: list[Arch]) -> Accuracies:
    """Accuracies of each architecture on the validation and the test samples."""
    from core.evaluation.evaluator import evaluate_table
    from core.tasks.base import evaluation_data

    names = ("accuracy", "test_accuracy")
    rows = np.unique(np.array(archs, np.uint8), axis=0)
    found = evaluate_table(net, rows, names, evaluation_data(dataset, ("validation", "test")))
    at = {tuple(row): place for place, row in enumerate(rows.tolist())}
    return [(float(found[names[0]][at[arch]]), float(found[names[1]][at[arch]])) for arch in archs]


def _steps(tuning: Tuning, bench: Bench, ledger: Ledger) -> Steps:
    """Cut, tune, cut again: from one order of units."""
    from core.supernets.ordering import order_units
    from core.training.loop import train

    ordered = copy.deepcopy(bench.net)
    order_units(ordered, tuning.criterion, bench.dataset, tuning.config.seed)
    before = measured(ordered, bench.dataset, bench.archs)
    training = train(copy.deepcopy(bench.net), bench.dataset, tuning.config, ledger)
    net = yield from stretch(training, tuning.what)
    after = measured(net, bench.dataset, bench.archs)
    seconds = sum(float(row["seconds"]) for row in ledger.metrics())
    return json.dumps({"before": before, "after": after, "seconds": seconds}).encode()
