"""The experiment contract: a question, measured in small parts, and a verdict made from the rows alone.

A run asks for the parts, works them off one by one and keeps their rows, so that a stopped run goes on with
the next part. A part is a JSON object; equal tasks and equal parts give equal rows. No state is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from core.config import BaseConfig, JsonObject, Plugin
from core.errors import InvalidInput
from core.pruning.pruners.base import PruningTask
from core.records import Progress
from core.registry import Registry

EXPERIMENTS: Registry[Experiment] = Registry("experiment", "core.pruning.experiments", "EXPERIMENTS")


class Settings(BaseConfig):
    """What every experiment can be told."""

    seeds: int = Field(3, ge=1, le=10, description="Repetitions, each with chance of its own.")


@dataclass(frozen=True)
class Row:
    """One measured point.

    Attributes:
        condition: what is compared, as a legend shows it.
        seed: of all its chance.
        x, y: see the experiment's labels.
        split: data that `y` was measured on.
    """

    condition: str
    seed: int
    x: float
    y: float
    split: str = "validation"


class Experiment(Plugin, ABC):
    """One question, asked of the data set or the network of a task.

    Attributes:
        question: what it answers, as a teacher would ask it.
        x_label, y_label: of the rows.
    """

    question: ClassVar[str]
    x_label: ClassVar[str]
    y_label: ClassVar[str]
    Config: ClassVar[type[BaseConfig]] = Settings

    def parts(self) -> list[JsonObject]:
        """Pieces of work of some seconds each, in order: one per repetition."""
        return [{"repetition": index} for index in range(self.config.seeds)]

    @abstractmethod
    def run_part(self, task: PruningTask, part: JsonObject) -> Iterator[Progress | Row]:
        """Work off one part.

        Args:
            task: see there; an experiment says in its summary what of it is used.
            part: one of `parts()`.

        Raises:
            InvalidInput: the task does not suit the experiment, and why.
            CoreError: training diverged.
        """

    @abstractmethod
    def verdict(self, rows: Sequence[Row]) -> list[str]:
        """Plain sentences with the measured figures: whether the claim shows. Rows may be of some parts only."""


def seed_of(task: PruningTask, part: JsonObject) -> int:
    """The seed of a part that is one repetition.

    Raises:
        InvalidInput: the part is of another experiment.
    """
    index = part.get("repetition")
    if not isinstance(index, int) or index < 0:
        raise InvalidInput("This is not a part of this experiment.")
    return task.seed + index
