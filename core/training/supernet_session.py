"""The session of a supernet's training: owns the weights, their optimizers and the frozen teacher."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.datasets.base import Dataset
from core.errors import CoreError, InvalidInput
from core.evaluation.costs import CostTable
from core.seeding import stream
from core.supernets.base import Supernet
from core.supernets.drop_path import DroppingArch
from core.supernets.files import described, rebuilt
from core.tasks.base import Batch
from core.training import checkpoint
from core.training.config import TrainingConfig
from core.training.draws import Draw, Phase, Term
from core.training.losses.base import LARGEST, LOSSES, PREVIOUS, TEACHER, Loss, LossContext
from core.training.optimizing import apply_gradients, make_optimizer
from core.training.session import WEIGHTS, Drawn, Session
from core.training.strategies.base import Strategy


class NotANumber(CoreError):
    """A loss is no number; the weights were not touched by its gradient."""


class SupernetSession(Session):
    """One training of a supernet; see `Session` for what a strategy may ask of it."""

    def __init__(
        self, net: Supernet, dataset: Dataset, config: TrainingConfig, strategy: Strategy, phase: Phase
    ) -> None:
        self.net, self.dataset = net.requires_grad_(True), dataset
        self.config, self.strategy = config, strategy
        self.optimizers: dict[str, torch.optim.Optimizer] = {WEIGHTS: make_optimizer(net, config)}
        self.teacher: Supernet | None = None
        self.phase, self.epoch, self.step, self.rate = phase, 0, 0, config.learning_rate
        self.seed, self.progress = config.seed, 0.0
        self.passes: float = 0.0
        self._samples = min(config.batch_size, len(dataset.train))
        self.drawn: list[Drawn] = []
        self._replaced = False
        self._losses: dict[str, Loss] = {}
        strategy.start(self)

    # --- where it stands ------------------------------------------------------------------------

    def rng(self, *names: str) -> np.random.Generator:
        return stream(self.seed, *names, self.epoch, self.step)

    def macs(self, archs: Sequence[Sequence[int]]) -> NDArray[np.int64]:
        return self._costs.total("macs", np.asarray(archs, np.uint8))

    @cached_property
    def _costs(self) -> CostTable:
        return CostTable.of(self.net)

    # --- forward and backward -------------------------------------------------------------------

    def forward(self, arch: Any, batch: Batch, *, drop_path: float = 0.0, dropout: float = 0.0) -> Tensor:
        run = self.net.in_training(arch, self.progress, self.rng("paths", *map(str, arch)))
        if drop_path or dropout:
            chance = torch.Generator().manual_seed(int(self.rng("drop", *map(str, arch)).integers(2**62)))
            run = DroppingArch.of(run, drop_path, chance, dropout=dropout)
        if torch.is_grad_enabled():
            self.passes += len(batch) / self._samples
        outputs: Tensor = batch.counted(self.net(batch.inputs, run))
        return outputs

    def sample_losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        return self.task.losses(outputs, batch.targets)

    def sample_gradient_norms(self, outputs: Tensor, batch: Batch) -> Tensor:
        given = outputs.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.sample_losses(given, batch).sum(), given)
        return gradient.flatten(1).norm(dim=1)

    def backward(self, loss: Tensor) -> float:
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NotANumber("The loss is no longer a number.")
        loss.backward()  # type: ignore[no-untyped-call]
        return value

    def gradient_norms(self) -> dict[str, float]:
        return {name: float(p.grad.norm()) for name, p in self.net.named_parameters() if p.grad is not None}

    def zero_grad(self) -> None:
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()

    def update(self, optimizer: str = WEIGHTS) -> None:
        if optimizer == WEIGHTS:
            apply_gradients(self.net, self.optimizers[WEIGHTS], self.config.clip, self.rate)
        else:
            self.optimizers[optimizer].step()

    def validation_batch(self, size: int, *names: str) -> Batch:
        whole = self.dataset.validation
        picked = self.rng("validation", *names).permutation(len(whole))[:size]
        return self.task.batch(self.dataset, whole.rows(np.sort(picked)))

    # --- the first door -------------------------------------------------------------------------

    def train(self, draws: Sequence[Draw], batch: Batch) -> list[float]:
        self.zero_grad()
        named: dict[str, Tensor] = {}
        values = []
        for draw in draws:
            part = batch if draw.part is None else self._part(batch, *draw.part)
            outputs = self.forward(draw.arch, part, drop_path=draw.drop_path, dropout=draw.dropout)
            values.append(self.backward(self.loss(draw.losses, outputs, part, named)))
            self.saw(draw.arch, values[-1])
            named[PREVIOUS] = outputs.detach()
            if self.space.ends is not None and draw.arch == self.space.largest:
                named.setdefault(LARGEST, named[PREVIOUS])
        self.update()
        return values

    def _part(self, batch: Batch, index: int, of: int) -> Batch:
        if self.task.whole:
            raise InvalidInput(
                f"{self.strategy.label} gives each subnet its part of a batch, but {self.task.passes} goes through a "
                "network at once. Choose another strategy."
            )
        return batch.part(index, of)

    def loss(
        self, terms: Sequence[Term], outputs: Tensor, batch: Batch, named: Mapping[str, Tensor]
    ) -> Tensor:
        total: Tensor | None = None
        for term in terms:
            plugin = self._loss(term)
            seen = {name: self._output(name, batch, named) for name in plugin.needs}
            context = LossContext(self.task, self.config.label_smoothing, seen)
            value = term.weight * plugin(outputs, batch.targets, context)
            total = value if total is None else total + value
        if total is None:
            raise ValueError("a draw minimizes at least one loss")
        return total

    def _loss(self, term: Term) -> Loss:
        key = f"{term.loss} {sorted(term.settings.items())}"
        if key not in self._losses:
            self._losses[key] = LOSSES.create(term.loss, term.settings)
        return self._losses[key]

    def _output(self, name: str, batch: Batch, named: Mapping[str, Tensor]) -> Tensor:
        if name in named:
            return named[name]
        if name != TEACHER or self.teacher is None:
            raise ValueError(f"a loss needs the outputs of {name!r}, which this step does not have")
        if self._taught is None or self._taught[0] is not batch:
            with torch.no_grad():
                outputs: Tensor = batch.counted(self.teacher(batch.inputs, self.space.largest))
            self._taught = (batch, outputs)
        return self._taught[1]

    _taught: tuple[Batch, Tensor] | None = None

    # --- what phases ask for --------------------------------------------------------------------

    def freeze_teacher(self) -> None:
        self._set_teacher({name: tensor.clone() for name, tensor in self.net.state_dict().items()})

    def replace(self, net: Supernet, came_from: Mapping[str, str] | None = None) -> None:
        if net.space != self.space:
            raise ValueError("a supernet can only be replaced by one of the same space")
        before, old = self.optimizers[WEIGHTS].state, dict(self.net.named_parameters())
        self._take(net)
        for name, parameter in net.named_parameters():
            kept = before.get(old[came_from[name]]) if came_from and name in came_from else None
            if kept:
                state = {
                    key: value.clone() if isinstance(value, Tensor) else value for key, value in kept.items()
                }
                self.optimizers[WEIGHTS].state[parameter] = state

    def _take(self, net: Supernet) -> None:
        self.net, self._replaced = net.requires_grad_(True), True
        self.optimizers[WEIGHTS] = make_optimizer(net, self.config)
        self.teacher = self._taught = None
        self.__dict__.pop("_costs", None)

    def forget_momentum(self) -> None:
        self.optimizers[WEIGHTS].state.clear()

    def _set_teacher(self, state: Mapping[str, Tensor]) -> None:
        self.teacher = copy.deepcopy(self.net).requires_grad_(False)
        self.teacher.load_state_dict(state)
        self._taught = None

    # --- checkpoints ----------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state after `self.epoch` epochs."""
        return checkpoint.dump(
            self.net,
            self.optimizers,
            {"epoch": self.epoch},
            teacher=self.teacher.state_dict() if self.teacher is not None else None,
            strategy=self.strategy.state_dict(),
            supernet=described(self.net) if self._replaced else None,
        )

    def restore(self, data: bytes) -> None:
        """Go back to a state that `dump` returned.

        Raises:
            DamagedArtifact: the bytes are not such a state, or one of another training.
        """
        other = checkpoint.supernet(data)
        if other is not None:
            self._take(rebuilt(other))
        kept = checkpoint.restore(data, self.net, self.optimizers, strategy=self.strategy.state_dict())
        self.epoch = int(kept.about["epoch"])
        if kept.teacher is not None:
            self._set_teacher(kept.teacher)
        if kept.strategy:
            self.strategy.load_state_dict(kept.strategy)
