"""The second door: what a strategy may do in a training step. No torch here; a run of training keeps the promise.

A strategy that only draws subnets never sees it; one that steers by losses or gradients gets it in `step`.
All chance comes from `rng`, a function of the seed, the epoch and the step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.config import Plugin
from core.spaces import Arch, SearchSpace
from core.training.draws import Draw, Phase, Term

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from core.datasets.base import Dataset
    from core.supernets.attention import Attention
    from core.supernets.base import Supernet
    from core.tasks.base import Batch, Task

WEIGHTS = "weights"


class Drawn(NamedTuple):
    """A subnet that a step trained, and what it lost."""

    arch: Arch
    loss: float


class Session(ABC):
    """One training of a supernet, as a strategy sees it.

    Attributes:
        net: the supernet, trained in place.
        dataset: what it is trained on.
        seed: of the training.
        strategy: that trains it.
        optimizers: "weights" is the supernet's; a strategy may add its own in `start`.
        teacher: a frozen copy of the supernet, None before one was asked for.
        phase: the current one.
        epoch, step: where the training stands, both from 0; a step is one of its epoch.
        rate: learning rate of the current step.
        passes: forward passes with a gradient that were taken since the process took this training up.
        drawn: the subnets of the current epoch in the order they were drawn, each with what it lost.
        progress: share of all steps that lies behind.
    """

    net: Supernet
    dataset: Dataset
    seed: int
    strategy: Plugin
    optimizers: dict[str, torch.optim.Optimizer]
    teacher: Supernet | None
    phase: Phase
    epoch: int
    step: int
    rate: float
    progress: float
    passes: float
    drawn: list[Drawn]

    @property
    def space(self) -> SearchSpace:
        """Of the supernet."""
        return self.net.space

    @property
    def task(self) -> Task:
        """The kind of data."""
        return self.net.task

    @abstractmethod
    def rng(self, *names: str) -> np.random.Generator:
        """Chance under a name, a function of the seed, the epoch and the step."""

    @abstractmethod
    def macs(self, archs: Sequence[Sequence[int]]) -> NDArray[np.int64]:
        """(n,) counted multiply-accumulates of n architectures."""

    # --- forward and backward -------------------------------------------------------------------

    @abstractmethod
    def forward(self, arch: Any, batch: Batch, *, drop_path: float = 0.0, dropout: float = 0.0) -> Tensor:
        """(k, classes) outputs of the samples that count, with a gradient.

        Args:
            arch: an architecture, or a mixture of several where the family takes one.
            batch: the samples.
            drop_path, dropout: as in `Draw`.
        """

    @abstractmethod
    def forward_inside(
        self, arch: Any, batch: Batch, *, drop_path: float = 0.0, dropout: float = 0.0
    ) -> tuple[Tensor, list[Tensor]]:
        """`forward`, and the activations (k, ...) after every stage but the last, all with a gradient."""

    @abstractmethod
    def ran(self, samples: int) -> None:
        """Note that so many samples went forward with a gradient outside `forward`."""

    def saw(self, arch: Arch, loss: float) -> None:
        """Note that a subnet was drawn and what it lost; `train` does it for its draws."""
        self.drawn.append(Drawn(arch, loss))

    @abstractmethod
    def sample_losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        """(k,) losses of the samples against their labels, without label smoothing."""

    @abstractmethod
    def sample_gradient_norms(self, outputs: Tensor, batch: Batch) -> Tensor:
        """(k,) norms of the gradient of each sample's loss with respect to its own outputs.

        For cross-entropy the distance of the predicted probabilities from the label, which bounds what a
        sample can do to the weights (Katharopoulos and Fleuret, ICML 2018).
        """

    @abstractmethod
    def loss(
        self,
        terms: Sequence[Term],
        outputs: Tensor,
        batch: Batch,
        named: Mapping[str, Tensor],
        *,
        inside: Sequence[Tensor] = (),
        insides: Mapping[str, Sequence[Tensor]] | None = None,
        attention: Attention | None = None,
        attentions: Mapping[str, Attention] | None = None,
    ) -> Tensor:
        """The weighted sum of losses, a scalar with a gradient.

        Args:
            terms: names, weights and settings.
            outputs: (k, classes), of the subnet that learns.
            batch: what it saw.
            named: detached outputs for the same batch; the teacher's are added where a loss needs them.
            inside: what `forward_inside` returned beside them, where a loss looks inside.
            insides: the same of the named others, detached; the teacher's are added.
            attention, attentions: `Supernet.last_attention` of the learner and of the named others, where a loss looks
                at it; the teacher's is added.

        Raises:
            ValueError: a loss needs outputs that nobody gave.
        """

    @abstractmethod
    def backward(self, loss: Tensor) -> float:
        """Add the gradients of a scalar loss to the weights'; returns the loss.

        Raises:
            CoreError: it is no number; nothing was added, and the training ends.
        """

    @abstractmethod
    def gradient_norms(self) -> dict[str, float]:
        """Norm of the gradient of every weight that has one, by the weight's name."""

    @abstractmethod
    def zero_grad(self) -> None:
        """Forget all gradients, those of a strategy's own parameters too."""

    @abstractmethod
    def update(self, optimizer: str = WEIGHTS) -> None:
        """One step of an optimizer: the weights' clipped and at the scheduled rate, others as they are."""

    @abstractmethod
    def validation_batch(self, size: int, *names: str) -> Batch:
        """Up to `size` validation samples, drawn without repeats under a name.

        What is chosen by them has seen validation data: such subnets look better there than they are.
        """

    @abstractmethod
    def train(self, draws: Sequence[Draw], batch: Batch) -> list[float]:
        """One step on the sum of the draws' losses (what the first door does); the loss of each draw.

        Raises:
            CoreError: a loss is no number.
        """

    # --- what phases ask for --------------------------------------------------------------------

    @abstractmethod
    def freeze_teacher(self) -> None:
        """Keep a copy of the weights as they are now as the teacher."""

    @abstractmethod
    def replace(self, net: Supernet, came_from: Mapping[str, str] | None = None) -> None:
        """Go on with another supernet of the same space and task; it is what the training returns.

        The weights' optimizer starts anew. The teacher is forgotten: freeze another one where it is needed.

        Args:
            net: its weights are trained in place from here on.
            came_from: name of a weight -> name of the old weight whose momentum it goes on with; of equal shape.

        Raises:
            ValueError: the space is another one.
        """

    @abstractmethod
    def forget_momentum(self) -> None:
        """Start the optimizer of the weights anew; they have changed places."""

    @abstractmethod
    def restart_average(self) -> None:
        """Start the average of the weights anew, where there is one; they have changed places."""
