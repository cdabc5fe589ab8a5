"""A part of an experiment about pruning as a part of a run: here, or as a call of an executor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from core.cache import LastMade
from core.config import JsonObject
from core.datasets.packed import arrived_dataset, dump_dataset
from core.device import chosen_device, require_device
from core.library.parts import Part, Steps, at_desk
from core.pruning.experiments.base import EXPERIMENTS, Experiment, Row
from core.pruning.pruners.base import PruningTask
from core.records import Progress
from core.runtime import heavy_imports
from core.training.config import TrainingConfig

if TYPE_CHECKING:
    from core.executors.calls import Desk

FUNCTION = "core.library.experiment_part:measure"
_PARENT, _DATASET, _ABOUT = "parent", "dataset", "about"


def shared(experiment: Experiment, task: PruningTask) -> Mapping[str, bytes]:
    """What parts elsewhere share."""
    from core.networks.file import About, dump_net

    about = {
        "experiment": experiment.name,
        "config": experiment.config.model_dump(mode="json"),
        "training": task.training.model_dump(mode="json"),
        "seed": task.seed,
        "device": chosen_device().identity,
    }
    return {
        _PARENT: dump_net(task.parent, task.dataset.input_shape, About()),
        _DATASET: dump_dataset(task.dataset),
        _ABOUT: json.dumps(about).encode(),
    }


def part(experiment: Experiment, task: PruningTask, index: int, said: JsonObject) -> Part:
    """One of `experiment.parts()` as a part of a run; parts are taken to be of one size."""
    return Part(
        index=index,
        steps=lambda _: _steps(experiment, task, said),
        function=FUNCTION,
        payload=lambda: json.dumps(said).encode(),
    )


def rows_of(value: bytes) -> tuple[Row, ...]:
    """The rows of a part, from what it returned."""
    return tuple(Row(**row) for row in json.loads(value))


def measure(payload: bytes, desk: Desk) -> bytes:
    """Work a part off where a call runs."""
    heavy_imports()
    experiment, task = _last.get(lambda: _arrived(desk.shared), desk.shared[_ABOUT])
    return at_desk(desk, lambda _: _steps(experiment, task, json.loads(payload)))


_last: LastMade[tuple[Experiment, PruningTask]] = LastMade()


def _arrived(shared: Mapping[str, bytes]) -> tuple[Experiment, PruningTask]:
    from core.networks.file import load_net

    said = json.loads(shared[_ABOUT])
    require_device(said["device"])
    training = TrainingConfig.model_validate(said["training"])
    task = PruningTask(
        load_net(shared[_PARENT])[0], arrived_dataset(shared[_DATASET]), training, said["seed"]
    )
    return EXPERIMENTS.create(said["experiment"], said["config"]), task


def _steps(experiment: Experiment, task: PruningTask, said: JsonObject) -> Steps:
    rows: list[Row] = []
    for step in experiment.run_part(task, said):
        if isinstance(step, Row):
            rows.append(step)
        else:
            yield Progress(step.fraction, step.message, step.metrics)
    return json.dumps([asdict(row) for row in rows]).encode()
