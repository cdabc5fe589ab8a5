"""Lesson 5: a slice with the right weights and the wrong averages, and how few images mend it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.lessons.asking import Answer, Ask, Choose, Number
from core.lessons.base import (
    LESSONS,
    SUPERNET,
    ComputedLesson,
    Evidence,
    ForTeachers,
    Further,
    Set,
    Shown,
)
from core.lessons.charts import Bars
from core.lessons.trainings import SIZES, middle
from core.library import supernets
from core.records import Progress
from core.seeding import stream
from core.words import format_share

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.library.library import Library
    from core.spaces import Arch
    from core.supernets.base import Supernet
    from core.supernets.statistics import Statistics
    from core.tasks.base import Batch

_IMAGES = (8, 16, 32, 64, 128, 256, 512)
_POINT = 0.01
_DIGITS = 4
_BEFORE = "statistics of the largest"


class Config(BaseConfig):
    """How often images are drawn."""

    draws: int = Field(
        10, ge=1, le=100, description="Draws of calibration images; the figure shows their mean."
    )


class Recalibrated(Evidence):
    """Validation accuracy of subnets by where their BatchNorm statistics come from.

    Attributes:
        supernet: its id.
        images: how many images statistics were measured on.
        before: of the smallest, the middle and the largest subnet, with the statistics of the largest.
        after: of each, for each number of images, one value per draw of images.
        shown: of each, with the supernet's own calibration images, as the pages show it.
    """

    supernet: str = SUPERNET
    images: tuple[int, ...] = _IMAGES
    before: tuple[float, ...]
    after: tuple[tuple[tuple[float, ...], ...], ...]
    shown: tuple[float, ...]


@LESSONS.register("recalibration")
class Recalibration(ComputedLesson[Recalibrated]):
    """BatchNorm statistics of the largest subnet, and a subnet's own from a few images."""

    label = "The right weights, the wrong averages"
    source = (
        "Yu and Huang, Universally Slimmable Networks, ICCV 2019, section 3.4 (post-statistics of BatchNorm)"
    )
    place = 5
    teacher = ForTeachers(
        goal="Can say why a subnet needs BatchNorm statistics of its own, and that measuring them is no training.",
        typical_error="Takes recalibration for fine-tuning. Ask: which weight has changed, and which label was looked at?",
        minutes=6,
    )
    Evidence: ClassVar[type[Recalibrated]] = Recalibrated
    Config = Config
    seconds = 5.0

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Recalibrated]:
        entry = library.supernet(SUPERNET)
        net, dataset = supernets.load(entry), supernets.dataset(entry)
        archs = (net.space.smallest, middle(net.space), net.space.largest)
        kept = ledger.latest_checkpoint()
        found: dict[str, Any] = {} if kept is None else json.loads(kept)
        if not found:
            found = {"before": _with_those_of_the_largest(net, dataset, archs), "draws": []}
            found["shown"] = [_accuracy(net, dataset, a, net.calibrate_on(a, dataset)) for a in archs]
        for draw in range(len(found["draws"]), self.config.draws):
            order = stream(seed, "lesson", self.name, draw).permutation(len(dataset.train))
            found["draws"].append([list(_by_images(net, dataset, arch, order)) for arch in archs])
            done = (draw + 1) / self.config.draws
            ledger.checkpoint(json.dumps(found).encode(), fraction=done)
            yield Progress(done, f"Images drawn {draw + 1} times of {self.config.draws}.")
        values = np.array(found["draws"])  # (draws, subnets, numbers of images)
        return Recalibrated(
            seed=seed,
            about=f"Supernet {SUPERNET}; training images drawn {len(values)} times, seed {seed}; mean accuracy on "
            "validation data, and from the lowest to the highest.",
            before=tuple(found["before"]),
            after=tuple(tuple(map(tuple, each)) for each in values.transpose(1, 2, 0).tolist()),
            shown=tuple(found["shown"]),
        )

    def text(self, evidence: Recalibrated) -> tuple[str, ...]:
        return (
            "**BatchNorm** subtracts from each channel its mean over the images and divides by its deviation. A finished network "
            "keeps both numbers. But a subnet with fewer channels has other activations, so the numbers of the largest are wrong "
            "for it.",
            "**Recalibration** sends some training images through the subnet, without labels, and measures its own. No weight "
            "changes. The bars show three subnets with the statistics of the largest.",
        )

    def action(self, evidence: Recalibrated) -> str:
        return (
            "Choose from how many images a subnet measures its statistics; after the reveal the bars follow."
        )

    def controls(self, evidence: Recalibrated) -> dict[str, Ask]:
        options = {str(n): f"{n} images" for n in evidence.images}
        return {"images": Choose("Calibration images", options=options, start=str(evidence.images[0]))}

    def figure(self, evidence: Recalibrated, shown: Shown) -> Bars:
        n = int(str(shown.controls.get("images", evidence.images[0])))
        picked = {
            f"own, from {n} images, as chosen": n,
            f"own, from {evidence.images[-1]} images": evidence.images[-1],
        }
        unknown = (float("nan"),) * len(SIZES)
        series = {_BEFORE: tuple(100 * value for value in evidence.before)}
        low, high = {}, {}
        for label, images in picked.items():
            draws = [each[evidence.images.index(images)] for each in evidence.after]
            series[label] = tuple(100 * float(np.mean(d)) for d in draws) if shown.revealed else unknown
            if shown.revealed:
                low[label] = tuple(100 * min(d) for d in draws)
                high[label] = tuple(100 * max(d) for d in draws)
        told = {label: values for label, values in series.items() if values is not unknown}
        says = "; ".join(
            f"{label}: " + ", ".join(f"{size} {v:.1f} %" for size, v in zip(SIZES, values, strict=True))
            for label, values in told.items()
        )
        return Bars(
            "subnet",
            "validation accuracy, %",
            f"Accuracy with {says}.",
            names=SIZES,
            series=series,
            low=low,
            high=high,
            hidden=() if shown.revealed else tuple(picked),
        )

    def prediction(self, evidence: Recalibrated, controls: Set) -> Ask:
        return Number(
            f"With the statistics of the largest, the smallest subnet reaches {format_share(evidence.before[0], 1)}. Which "
            f"accuracy has it with its own, from {evidence.images[-1]} images?",
            unit="%",
            tolerance=5.0,
        )

    def truth(self, evidence: Recalibrated, controls: Set) -> float:
        return self._tenths(evidence)[-1] / 10

    def found(self, evidence: Recalibrated, controls: Set, prediction: Answer) -> str:
        truth, before = self.truth(evidence, controls), evidence.before[0]
        mine = self.prediction(evidence, controls).words(prediction)
        gain = truth - 100 * before
        if gain > 1:
            head = f"You said {mine}; it is {truth:.1f} %: {gain:.1f} points more, and no weight was touched."
        elif gain < -1:
            head = f"You said {mine}; it is {truth:.1f} %: {-gain:.1f} points less, so here its own statistics do harm."
        else:
            head = f"You said {mine}; it is {truth:.1f} %, as before: here the statistics of the largest fit."
        few, low, high = evidence.images[0], min(evidence.after[0][0]), max(evidence.after[0][0])
        if high - low > 2 * _POINT:
            spread = (
                f"From {few} images chance decides: between {format_share(low, 1)} and {format_share(high, 1)}, depending on "
                "which ones were drawn."
            )
        else:
            spread = f"Even from {few} images it hardly matters which ones were drawn."
        return f"{head} {spread}"

    def question(self, evidence: Recalibrated, controls: Set) -> Ask:
        return Choose(
            "The smallest subnet: which is the smallest number of images whose mean accuracy, to a tenth of a percent, is at most "
            f"one point below that of {evidence.images[-1]} images?",
            options={str(n): f"{n} images" for n in evidence.images},
        )

    def answer(self, evidence: Recalibrated, controls: Set) -> str:
        means = self._tenths(evidence)
        enough = [n for n, mean in zip(evidence.images, means, strict=True) if mean >= means[-1] - 10]
        return str(enough[0])

    def explain(self, evidence: Recalibrated, controls: Set, given: Answer) -> str:
        by = {str(n): mean / 10 for n, mean in zip(evidence.images, self._tenths(evidence), strict=True)}
        truth, most = self.answer(evidence, controls), str(evidence.images[-1])
        if int(str(given)) > int(truth):
            return "That is enough, but fewer are: move the control down and compare with the bar beside it."
        if given != truth:
            return f"From {given} images it has {by[str(given)]:.1f} %, more than a point below the {by[most]:.1f} % of {most}."
        reached = f"{truth} images give {by[truth]:.1f} %, {most} give {by[most]:.1f} %"
        if truth == most:
            return f"Right: here fewer do not suffice; {reached}."
        if by[truth] >= by[most]:
            return f"Right: {reached}. More images gain nothing here."
        more = evidence.images[-1] // int(truth)
        return f"Right: {reached}. The last {by[most] - by[truth]:.1f} points take {more} times the images."

    def further(self, evidence: Recalibrated) -> tuple[Further, ...]:
        return (
            Further(
                "front",
                {"supernet": evidence.supernet, "x": "macs", "y": "accuracy"},
                "Every subnet there has statistics of its own; pick one, and its download holds them.",
                dict(zip(SIZES, evidence.shown, strict=True)),
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Recalibrated:
        images = _IMAGES[: int(rng.integers(1, len(_IMAGES) + 1))]
        draws, level = int(rng.integers(1, 4)), float(rng.uniform(0.1, 0.9))
        noise = float(rng.choice([0.0, 0.005, 0.05]))
        rise = 0.1 * np.sort(rng.random(len(images))) if rng.random() < 0.6 else np.zeros(len(images))
        after = level + rise[:, None] + noise * rng.normal(size=(len(SIZES), len(images), draws))
        before = level + rng.choice([-0.3, 0.0, 0.3], size=len(SIZES))
        return Recalibrated(
            seed=0,
            images=images,
            before=_rounded(before),
            after=tuple(tuple(_rounded(row) for row in each) for each in after),
            shown=_rounded(after.mean(axis=(1, 2))),
        )

    @staticmethod
    def _tenths(evidence: Recalibrated) -> list[int]:
        """Mean accuracy of the smallest subnet by number of images, in tenths of a percent: as the figure is read."""
        totals = [(sum(round(10_000 * v) for v in draws), len(draws)) for draws in evidence.after[0]]
        return [(2 * total + 10 * n) // (20 * n) for total, n in totals]


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(np.round(np.clip(values, 0.0, 1.0), _DIGITS).tolist())


def _by_images(net: Supernet, dataset: Dataset, arch: Arch, order: np.ndarray) -> Iterator[float]:
    """Accuracy of a subnet with statistics from the first 8, 16, ... training images in an order."""
    for n in _IMAGES:
        images = net.task.batch(dataset, dataset.train.rows(order[:n]))
        yield _accuracy(net, dataset, arch, net.calibrate(arch, images.inputs, len(images)))


def _with_those_of_the_largest(net: Supernet, dataset: Dataset, archs: tuple[Arch, ...]) -> list[float]:
    """Accuracy of subnets whose channels keep the statistics that they have in the largest."""
    largest = net.calibrate_on(net.space.largest, dataset)
    found = []
    for arch in archs:
        cut = net.calibrate_on(arch, dataset)
        for name, (mean, _) in list(cut.items()):
            cut[name] = (largest[name][0][: len(mean)], largest[name][1][: len(mean)])
        found.append(_accuracy(net, dataset, arch, cut))
    return found


def _accuracy(net: Supernet, dataset: Dataset, arch: Arch, statistics: Statistics) -> float:
    """On all validation images."""
    import torch

    batch: Batch = net.task.batch(dataset, dataset.validation)
    with torch.inference_mode():
        outputs = batch.counted(net(batch.inputs, arch, statistics))
        right = net.task.correct(outputs, batch.targets)
    return round(float(right.double().mean()), _DIGITS)
