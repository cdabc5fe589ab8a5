"""Several small trainings, one after another in one run: what the lessons about training are computed from.

The supernet of the lessons is trained anew with each strategy, by the one loop that all trainings share; after every
epoch some subnets are measured. A checkpoint holds what the finished ones gave and the state of the current one, so a
run that was cut goes on to the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from core.datasets import load_dataset
from core.ledger import Artifact, Ledger
from core.lessons.base import SUPERNET
from core.lessons.charts import Line
from core.library.presets import PRESETS
from core.records import Measurement, Metric, Metrics, Progress
from core.seeding import stream, torch_drawing
from core.supernets.families import FAMILIES
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.spaces import Arch, SearchSpace
    from core.supernets.base import Supernet

SIZES = ("smallest", "middle", "largest")
"""Subnets that are measured after every epoch."""
_DIGITS = 4
"""Of an accuracy: one of 359 images is 0.0028."""


@dataclass(frozen=True)
class Training:
    """One of several.

    Attributes:
        strategy: registered name.
        share: of the seconds of all, about, for the progress.
    """

    strategy: str
    share: float


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Attributes:
        phases: name of each epoch's phase.
        accuracy: by size, validation accuracy after each epoch.
        sampled: validation accuracy of the drawn subnets in the end.
    """

    phases: tuple[str, ...]
    accuracy: Mapping[str, tuple[float, ...]]
    sampled: tuple[float, ...]


def middle(space: SearchSpace) -> Arch:
    """The lower middle option of every choice."""
    return space.canonical([(n - 1) // 2 for n in space.cardinalities])


def drawn(space: SearchSpace, n: int, seed: int) -> list[str]:
    """Ids of n subnets drawn at random without repeats."""
    rows: dict[str, None] = {}
    rng = stream(seed, "lesson", "drawn")
    while len(rows) < min(n, space.size):
        rows[space.arch_id(space.sample(rng))] = None
    return list(rows)


def space_of(preset: str) -> SearchSpace:
    """The search space of a preset, without its data."""
    from core.supernets.files import outline_of

    return outline_of(PRESETS[preset]["family"], PRESETS[preset]["config"]).space


def accuracy_line(label: str, accuracies: Sequence[float], panel: str) -> Line:
    """Accuracies after each epoch, from the first, as a line in percent."""
    x = tuple(float(epoch) for epoch in range(1, len(accuracies) + 1))
    return Line(label, x, tuple(100 * value for value in accuracies), panel=panel)


def about(epochs: int, seed: int) -> str:
    """How `train_each` measured, for a figure's caption."""
    return f"Supernet {SUPERNET}, {epochs} epochs each, seed {seed}; accuracy on validation data."


def train_each(
    preset: str,
    trainings: Sequence[Training],
    *,
    seed: int,
    epochs: int,
    sampled: Sequence[str],
    ledger: Ledger,
) -> Generator[Progress, None, dict[str, Trained]]:
    """Train a preset's supernet once with each strategy, from the same first weights.

    Args:
        preset: whose network, data and settings.
        trainings: in this order.
        seed: of weights, order and draws, the same for all.
        epochs: of each.
        sampled: ids of subnets that are measured in the end.
        ledger: gets the metrics and the checkpoints.

    Returns:
        By strategy, what it gave.
    """
    from core.training.loop import train

    chosen = PRESETS[preset]
    dataset = load_dataset(chosen["data"]["name"], seed=chosen["data"]["seed"], **chosen["data"]["config"])
    kept = _Kept.read(ledger.latest_checkpoint())
    for place, training in enumerate(trainings):
        if place < len(kept.done):
            continue
        net = _fresh(preset, training.strategy, seed, dataset)
        sizes = [net.space.smallest, middle(net.space), net.space.largest]
        config = TrainingConfig.model_validate(
            {**chosen["training"], "strategy": training.strategy, "epochs": epochs, "seed": seed}
        )
        before = sum(each.share for each in trainings[:place])
        part = _Part(
            ledger,
            kept,
            first_step=place * epochs,
            measure=partial(_accuracies, net, dataset, sizes),
            place=(before, training.share),
        )
        for progress in train(net, dataset, config, part):
            what = f"{STRATEGIES.info(training.strategy).label}: {progress.message}"
            yield Progress(before + training.share * progress.fraction, what, progress.metrics)
        last = [net.space.from_id(each) for each in sampled]
        kept.finish(_accuracies(net, dataset, last) if last else [])
        ledger.checkpoint(kept.written(b""), fraction=before + training.share)
    return {t.strategy: found for t, found in zip(trainings, kept.trained(), strict=True)}


def _fresh(preset: str, strategy: str, seed: int, dataset: Dataset) -> Supernet:
    """The untrained supernet that a training with this seed starts from, as the Supernets page trains it."""

    from core.supernets.files import build
    from core.tasks.base import task_of

    chosen = PRESETS[preset]
    fields = FAMILIES.get(chosen["family"]).Config.model_fields
    fixed = {k: v for k, v in STRATEGIES.get(strategy).family_settings.items() if k in fields}
    with torch_drawing(seed, "weights"):
        return build(chosen["family"], chosen["config"] | fixed | task_of(dataset).settings_from(dataset))


def _accuracies(net: Supernet, dataset: Dataset, rows: Sequence[Arch]) -> list[float]:
    """On validation data, each with statistics of its own from the calibration samples."""
    from core.evaluation.evaluator import evaluate_table

    data = net.task.evaluation(dataset, {"validation": dataset.validation})
    distinct, places = np.unique(np.array(rows, np.uint8), axis=0, return_inverse=True)
    accuracy = evaluate_table(net, distinct, ("accuracy",), data)["accuracy"]
    return [round(float(accuracy[at]), _DIGITS) for at in places.ravel()]


class _Kept:
    """What stands in a checkpoint beside the state of the current training.

    Attributes:
        done: of every finished training, its epochs and the drawn subnets.
        epochs: of the current one: phase, and accuracy by size.
        state: of the current one, as its loop wrote it; None before its first epoch.
    """

    def __init__(self, done: list[Any], epochs: list[Any], state: bytes | None) -> None:
        self.done, self.epochs, self.state = done, epochs, state

    @classmethod
    def read(cls, data: bytes | None) -> _Kept:
        if data is None:
            return cls([], [], None)
        length = int.from_bytes(data[:8], "little")
        said = json.loads(data[8 : 8 + length])
        return cls(said["done"], said["epochs"], data[8 + length :] or None)

    def written(self, state: bytes) -> bytes:
        said = json.dumps({"done": self.done, "epochs": self.epochs}).encode()
        return len(said).to_bytes(8, "little") + said + state

    def finish(self, sampled: list[float]) -> None:
        self.done.append([self.epochs, sampled])
        self.epochs, self.state = [], None

    def trained(self) -> list[Trained]:
        return [
            Trained(
                tuple(phase for phase, _ in epochs),
                {size: tuple(values[at] for _, values in epochs) for at, size in enumerate(SIZES)},
                tuple(sampled),
            )
            for epochs, sampled in self.done
        ]


class _Part:
    """The ledger of one of several trainings: its checkpoints go into those of the run."""

    def __init__(
        self,
        whole: Ledger,
        kept: _Kept,
        *,
        first_step: int,
        measure: Callable[[], list[float]],
        place: tuple[float, float],
    ) -> None:
        self.run_id, self.params = whole.run_id, whole.params
        self._whole, self._kept, self._first, self._measure = whole, kept, first_step, measure
        self._before, self._share = place
        self._phase = ""

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        # Together with the state that gave it, so that a cut loses neither or both.
        self._kept.epochs.append([self._phase, self._measure()])
        self._whole.checkpoint(self._kept.written(data), fraction=self._before + self._share * fraction)

    def latest_checkpoint(self) -> bytes | None:
        return self._kept.state

    def log_metrics(self, step: int, metrics: Mapping[str, Metric]) -> None:
        self._phase = str(metrics["phase"])
        self._whole.log_metrics(self._first + step, metrics)

    def metrics(self) -> list[Metrics]:
        return self._whole.metrics()

    def add_measurements(self, step: int, measurements: Sequence[Measurement]) -> None:
        self._whole.add_measurements(step, measurements)

    def measurements(self, after: int = 0) -> list[tuple[int, Measurement]]:
        return self._whole.measurements(after)

    def save_artifact(self, name: str, data: bytes, media_type: str) -> str:
        return self._whole.save_artifact(name, data, media_type)

    def artifact(self, name: str) -> bytes:
        return self._whole.artifact(name)

    def artifacts(self) -> list[Artifact]:
        return self._whole.artifacts()
