"""The supernet contract: a chain of stages, with the architecture as an argument.

Nothing here remembers which subnet is active, so a training worker, a click and a test can use one
set of weights at once. Three ways through the same chain:

- `forward(x, arch, statistics)`: one architecture, differentiable; training calls it.
- `branch(x, archs, context)`: one stage, several architectures that agree on everything before it;
  the exact evaluator walks the trie of choices with it. A family may lay its activations out as it
  likes between its first and its last stage.
- `extract(arch, statistics)`: plain torch layers with the weights sliced and copied.

`tests/contracts/test_families.py` holds every registered family to: all three compute the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from core.datasets.base import Dataset
from core.errors import InvalidInput
from core.spaces import Arch, SearchSpace
from core.spaces.choice import Option
from core.supernets.attention import Attention
from core.supernets.masked import ManyArchs
from core.supernets.orderable import Orderable
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import ElasticBatchNorm, Statistics
from core.tasks.base import InputConfig, Task
from core.tasks.registry import TASKS


@dataclass
class BranchContext:
    """What one walk of the evaluator shares between stages.

    Attributes:
        calibration_rows: the first rows of the batch; BatchNorm statistics come from them alone
            and normalize all rows.
        answers_from: nobody reads the last stage's outputs for rows before this one: it may leave them zero.
        cache: derived weights (unfolded kernels, say), by stage; lives as long as the walk.
    """

    calibration_rows: int
    answers_from: int = 0
    cache: dict[Hashable, Any] = field(default_factory=dict)


class Stage(nn.Module):
    """One link of the chain.

    Attributes:
        depends_on: every choice that `key`, `cost` or the shape of the weights may look at; that includes
            earlier choices that fix the shape of its input.
        routed_by: those of them that decide nothing but whose weights it has, where a supernet is in parts; its cost
            then counts the number of the "part".
        attends: it has self-attention, and `attention` says what it is made from.
        depth_share: of the chain's stages lies before this one; set once by the supernet that owns it. Residual branches
            are dropped in training in this proportion (Huang et al., Deep Networks with Stochastic Depth, ECCV 2016).
    """

    depends_on: tuple[str, ...] = ()
    routed_by: tuple[str, ...] = ()
    attends: bool = False
    depth_share: float = 1.0

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space

    def option(self, arch: Sequence[int], name: str) -> Option:
        return self.space.option(arch, name)

    def key(self, arch: Sequence[int]) -> Hashable:
        """Equal keys after equal prefixes mean the same computation; None means identity."""
        if isinstance(
            arch, ManyArchs
        ):  # no two samples need have the same; none of the stages is left out of all
            return arch
        return tuple(arch[self.space.position[name]] for name in self.depends_on)

    def forward(self, x: Any, arch: Sequence[int], statistics: Statistics | None = None) -> Any:
        raise TypeError(f"{type(self).__name__} must define forward")

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        raise TypeError(f"{type(self).__name__} must define extract")

    def attention(self, x: Any, arch: Sequence[int]) -> Attention:
        """Queries, keys and values that this stage makes of its input, where it `attends`."""
        raise TypeError(f"{type(self).__name__} has no self-attention")

    def cost(self, arch: Sequence[int]) -> StageCost:
        """Cost of this stage in `arch`; asked only where `key` is not None."""
        raise TypeError(f"{type(self).__name__} must define cost")

    def branch(self, x: Any, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Any]:
        """Outputs for architectures with different keys (none of them None) and one common input.

        The first stage gets the task's inputs, the last returns outputs with one row per sample. Row i of
        the output depends on row i of the input and on the calibration rows alone (in a graph, on the rows
        its edges reach as well). A stage without
        BatchNorm, or one happy to run its siblings one by one, need not override this.
        """
        return [self._run(x, arch, context) for arch in archs]

    def _run(self, x: Any, arch: Sequence[int], context: BranchContext) -> Any:
        if not any(isinstance(m, ElasticBatchNorm) for m in self.modules()):
            return self(x, arch)
        return self(x, arch, Statistics(recording=True, rows=context.calibration_rows))


class Supernet(nn.Module):
    """A chain of stages whose weights hold every architecture of `space`.

    A family is a subclass with a pydantic `Config`, a `label` and a `source`, registered under a
    permanent name. It says for which kind of data it is (`task_name`), and builds `space` and `stages` in
    `__init__(config)`.

    Attributes:
        masked: whether one pass may run an architecture per sample (`core.supernets.masked.ManyArchs`).
        draws_classifier: whether nothing but its last stage depends on the number of classes, so that data with other
            classes get a new classifier (`core.supernets.new_classifier`).
        tokenizer: what splits the texts it was made for, as the bytes of a tokenizer.json; empty where it takes none.
            Whoever makes the supernet sets it, its file keeps it.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    source: ClassVar[str]
    Config: ClassVar[type[InputConfig]]
    task_name: ClassVar[str]
    task: ClassVar[Task]
    masked: ClassVar[bool] = False
    draws_classifier: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "task_name" in cls.__dict__:
            cls.task = TASKS.create(cls.task_name)

    def __init__(self, config: InputConfig, space: SearchSpace, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.config = config
        self.space = space
        self.tokenizer = b""
        self.stages = nn.ModuleList(stages)
        for index, stage in enumerate(stages):
            stage.depth_share = index / len(stages)
        for name, module in self.named_modules():
            if isinstance(module, ElasticBatchNorm):
                module.label = name

    @property
    def chain(self) -> list[Stage]:
        """The stages in order."""
        return list(self.stages)  # type: ignore[arg-type]

    def forward(self, x: Any, arch: Sequence[int], statistics: Statistics | None = None) -> Any:
        """Outputs with one row per sample, for classification logits (n, classes).

        Args:
            x: inputs of the family's task.
            arch: the subnet to run.
            statistics: BatchNorm statistics; None normalizes by the batch itself, as in training.
        """
        for stage in self.chain:
            if stage.key(arch) is not None:
                x = stage(x, arch, statistics)
        return x

    def activations(
        self,
        x: Any,
        arch: Sequence[int],
        statistics: Statistics | None = None,
        *,
        stages: range | None = None,
    ) -> list[Any]:
        """What flows after each of some stages, of all if left out; one the subnet does not have hands on its input.

        Args:
            x: what flows into the first of them.
            arch, statistics: as in `forward`.
            stages: positions in the chain.
        """
        found = []
        for stage in self.chain if stages is None else [self.chain[index] for index in stages]:
            if stage.key(arch) is not None:
                x = stage(x, arch, statistics)
            found.append(x)
        return found

    def last_attention(self, inputs: Any, flows: Sequence[Any], arch: Sequence[int]) -> Attention:
        """What the last layer with self-attention is made from, of those that this architecture has.

        Args:
            inputs: of the network.
            flows: what `activations` returned for them, of all stages.
            arch: the subnet.

        Raises:
            InvalidInput: there is no such layer.
        """
        for index, stage in reversed(list(enumerate(self.chain))):
            if stage.attends and stage.key(arch) is not None:
                return stage.attention(flows[index - 1] if index else inputs, arch)
        raise InvalidInput("This supernet has no self-attention to compare. Choose another strategy.")

    @classmethod
    def examples(cls) -> list[InputConfig]:
        """Small configurations of this family, with every kind of choice, for the contract test."""
        raise TypeError(f"{cls.__name__} must define examples")

    @torch.no_grad()
    def calibrate(self, arch: Sequence[int], inputs: Any, rows: int | None = None) -> Statistics:
        """BatchNorm statistics of one subnet, from one batch of training samples.

        Args:
            arch: the subnet.
            inputs: of the family's task.
            rows: only so many leading rows count (a graph travels whole); all if left out.

        Source: Yu et al., "Slimmable Neural Networks" and "Universally Slimmable Networks", 2019
        (recalibration after training).
        """
        statistics = Statistics(recording=True, rows=rows)
        self(inputs, arch, statistics)
        statistics.recording = False
        return statistics

    def calibrate_on(self, arch: Sequence[int], dataset: Dataset) -> Statistics:
        """BatchNorm statistics of one subnet, from the calibration samples of a data set."""
        batch = self.task.batch(dataset, dataset.calibration)
        return self.calibrate(arch, batch.inputs, len(batch))

    def extract(self, arch: Sequence[int], statistics: Statistics | None = None) -> nn.Sequential:
        """A stand-alone network, in eval mode, of plain torch layers; shares nothing with this one.

        Args:
            arch: the subnet to cut out.
            statistics: what `calibrate` returned for it; may be None where no stage needs any.

        Raises:
            InvalidInput: the family has BatchNorm and no statistics were given.
        """
        if not statistics and self.needs_statistics:
            raise InvalidInput(
                "This supernet has BatchNorm layers: calibrate the subnet before extracting it."
            )
        with torch.no_grad():
            parts = [s.extract(arch, statistics) for s in self.chain if s.key(arch) is not None]
        net = nn.Sequential(*parts).eval()
        return net.requires_grad_(False)

    @property
    def needs_statistics(self) -> bool:
        return any(isinstance(m, ElasticBatchNorm) for m in self.modules())

    def costs(self, arch: Sequence[int]) -> list[StageCost]:
        """Costs of the stages that this architecture has, in order."""
        return [s.cost(arch) for s in self.chain if s.key(arch) is not None]

    def in_training(self, arch: Sequence[int], progress: float, rng: np.random.Generator) -> Sequence[int]:
        """The architecture as a training step runs it; families that train with noise of their own add it here.

        Args:
            arch: what was drawn.
            progress: share of the training's steps that lies behind, 0 to 1.
            rng: a function of seed, epoch, step and architecture.
        """
        return arch

    def sort_channels(self) -> None:
        """Order channels that are free to change places by importance; no output of the largest subnet changes.

        Families whose channels are not free leave this as it is.
        """

    def orderable(self) -> list[Orderable]:
        """Units that may change places without changing the largest subnet; see `core.supernets.ordering`.

        Families whose units are not free leave this empty.
        """
        return []

    def prepared(self, inputs: Any) -> Supernet:
        """The supernet that is trained further in the place of this one; itself unless the family says otherwise.

        Args:
            inputs: calibration samples; the same ones give the same supernet.
        """
        return self

    @property
    def smallest(self) -> Arch:
        return self.space.smallest

    @property
    def largest(self) -> Arch:
        return self.space.largest

    @property
    def classes(self) -> int:
        return self.config.classes
