"""What an order of units by importance and tuning as a supernet are worth, as runs of `control_insta_tune` keep it; no torch.

Three subnets of one given network, the smallest, the median and the largest by MACs, got in several ways: cut out of it
without tuning, its units in an order of importance or at random; cut out after InstaTune from either order; and trained
alone for the same time.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from core.config import Settings
from core.library.results import Described, Part, Record

KIND = "control_insta_tune"
Way = Literal["cut, by importance", "cut, at random", "tuned, by importance", "tuned, at random", "alone"]
CUT: Way = "cut, by importance"
CUT_RANDOM: Way = "cut, at random"
TUNED: Way = "tuned, by importance"
TUNED_RANDOM: Way = "tuned, at random"
ALONE: Way = "alone"
WAYS: tuple[Way, ...] = (CUT, CUT_RANDOM, TUNED, TUNED_RANDOM, ALONE)
SIZES = ("smallest", "median", "largest")


class Reached(Part):
    """What one subnet reached in one way with one seed.

    Attributes:
        way: how it was got.
        seed: of the order, of the training's chance, and of weights where it was trained alone.
        size: place in `SIZES`.
        accuracy, test_accuracy: fractions, on the validation and the test samples.
        seconds: of the training behind it, measuring after each epoch included; 0 where there was none.
        epochs: of that training.
    """

    way: Way
    seed: int
    size: int
    accuracy: float
    test_accuracy: float
    seconds: float = 0.0
    epochs: int = 0


class OrderControlsRecord(Record):
    """What a run keeps, written anew after every training.

    Attributes:
        supernet, sha256, title: of what holds the given network as its largest subnet.
        data: what it is tuned on, for people.
        criterion: of the order by importance.
        training: settings of InstaTune's training; those of training alone are the same but for the epochs.
        arch_ids, macs, params: of the three subnets.
        samples: of the validation and of the test split.
        given: test accuracy of the given network as it was given.
        seeds: asked for.
        alone: whether subnets are also trained alone.
        planned: "seed size" -> epochs alone that take the computing of InstaTune's, as found by a trial.
        reached: what is done.
    """

    FILE: ClassVar[str] = "order_controls.json"
    supernet: str
    sha256: str
    title: str
    data: Described
    criterion: str
    training: Settings
    arch_ids: tuple[str, str, str]
    macs: tuple[float, float, float]
    params: tuple[float, float, float]
    samples: tuple[int, int]
    given: float
    seeds: tuple[int, ...]
    alone: bool
    planned: dict[str, int] = {}
    reached: tuple[Reached, ...] = ()

    @property
    def asked(self) -> int:
        """Trainings that the run was asked for."""
        return len(self.seeds) * (2 + len(SIZES) * self.alone)

    def of(self, way: str, size: int) -> dict[int, Reached]:
        """What one subnet reached in one way, by seed."""
        return {each.seed: each for each in self.reached if (each.way, each.size) == (way, size)}
