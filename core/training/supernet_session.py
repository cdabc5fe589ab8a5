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
from core.networks.trees import leaves
from core.seeding import stream
from core.supernets.base import Supernet
from core.supernets.drop_path import DroppingArch
from core.supernets.files import described, rebuilt
from core.tasks.base import Batch
from core.training import checkpoint
from core.training.averaging import Average
from core.training.config import TrainingConfig
from core.training.draws import Draw, Phase, Term
from core.training.losses.base import LARGEST, LOSSES, PREVIOUS, TEACHER, Loss, LossContext
from core.training.optimizing import apply_gradients, make_optimizer
from core.training.session import WEIGHTS, Drawn, Session
from core.training.strategies.base import Strategy


def _inside(net: Supernet, arch: Any, batch: Batch) -> tuple[Tensor, list[Tensor]]:
    """Outputs of a supernet, and the activations after every stage but the last; the samples that count."""
    *inside, outputs = net.activations(batch.inputs, arch)
    return batch.counted(outputs), [batch.counted(leaves(x)[0]) for x in inside]


class NotANumber(CoreError):
    """A loss is no number; the weights were not touched by its gradient."""


class SupernetSession(Session):
    """One training of a supernet; see `Session` for what a strategy may ask of it."""

    strategy: Strategy

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
        self.average = Average(net, config.ema) if config.ema else None
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
        run = self._running(arch, batch, drop_path, dropout)
        outputs: Tensor = batch.counted(self.net(batch.inputs, run))
        return outputs

    def forward_inside(
        self, arch: Any, batch: Batch, *, drop_path: float = 0.0, dropout: float = 0.0
    ) -> tuple[Tensor, list[Tensor]]:
        return _inside(self.net, self._running(arch, batch, drop_path, dropout), batch)

    def _running(self, arch: Any, batch: Batch, drop_path: float, dropout: float) -> Any:
        """The architecture as a step runs it; the pass is counted."""
        run = self.net.in_training(arch, self.progress, self.rng("paths", *map(str, arch)))
        if drop_path or dropout:
            chance = torch.Generator().manual_seed(int(self.rng("drop", *map(str, arch)).integers(2**62)))
            run = DroppingArch.of(run, drop_path, chance, dropout=dropout)
        if torch.is_grad_enabled():
            self.ran(len(batch))
        return run

    def ran(self, samples: int) -> None:
        self.passes += samples / self._samples

    def sample_losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        return self.task.mixed_losses(outputs, batch.targets, batch.mixed)

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
            config = self.config
            apply_gradients(self.net, self.optimizers[WEIGHTS], config.clip, self.rate, norm=config.clip_norm)
        else:
            self.optimizers[optimizer].step()

    def validation_batch(self, size: int, *names: str) -> Batch:
        whole = self.dataset.validation
        picked = self.rng("validation", *names).permutation(len(whole))[:size]
        return self.task.batch(self.dataset, whole.rows(np.sort(picked)))

    # --- the first door -------------------------------------------------------------------------

    def train(self, draws: Sequence[Draw], batch: Batch) -> list[float]:
        self.zero_grad()
        looks = any(self._loss(term).looks_inside for draw in draws for term in draw.losses)
        named: dict[str, Tensor] = {}
        insides: dict[str, list[Tensor]] = {}
        values = []
        for draw in draws:
            part = batch if draw.part is None else self._part(batch, *draw.part)
            noise = {"drop_path": draw.drop_path, "dropout": draw.dropout}
            if looks:
                outputs, inside = self.forward_inside(draw.arch, part, **noise)
                loss = self.loss(draw.losses, outputs, part, named, inside=inside, insides=insides)
                insides[PREVIOUS] = [x.detach() for x in inside]
            else:
                outputs = self.forward(draw.arch, part, **noise)
                loss = self.loss(draw.losses, outputs, part, named)
            # A part counts as that part of the batch: together they make the gradient of the batch's mean loss.
            values.append(self.backward(loss * draw.passes) / draw.passes)
            self.saw(draw.arch, values[-1])
            named[PREVIOUS] = outputs.detach()
            if self.space.ends is not None and draw.arch == self.space.largest and LARGEST not in named:
                named[LARGEST], insides[LARGEST] = named[PREVIOUS], insides.get(PREVIOUS, [])
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
        self,
        terms: Sequence[Term],
        outputs: Tensor,
        batch: Batch,
        named: Mapping[str, Tensor],
        *,
        inside: Sequence[Tensor] = (),
        insides: Mapping[str, Sequence[Tensor]] | None = None,
    ) -> Tensor:
        total: Tensor | None = None
        for term in terms:
            plugin = self._loss(term)
            looks = plugin.looks_inside
            context = LossContext(
                self.task,
                self.config.label_smoothing,
                {name: self._output(name, batch, named) for name in plugin.needs},
                batch.mixed,
                inside if looks else (),
                {name: self._inside(name, batch, insides or {}) for name in plugin.needs if looks},
            )
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

    def _inside(self, name: str, batch: Batch, insides: Mapping[str, Sequence[Tensor]]) -> Sequence[Tensor]:
        if insides.get(name):
            return insides[name]
        if name != TEACHER or self.teacher is None:
            raise ValueError(f"a loss needs the activations of {name!r}, which this step does not have")
        if self._shown is None or self._shown[0] is not batch:
            with torch.no_grad():
                self._shown = (batch, _inside(self.teacher, self.space.largest, batch)[1])
        return self._shown[1]

    _taught: tuple[Batch, Tensor] | None = None
    _shown: tuple[Batch, list[Tensor]] | None = None

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
        self.teacher = self._taught = self._shown = None
        self.average = Average(net, self.config.ema) if self.config.ema else None
        self.__dict__.pop("_costs", None)

    def forget_momentum(self) -> None:
        self.optimizers[WEIGHTS].state.clear()

    def restart_average(self) -> None:
        if self.average is not None:
            self.average.restart()

    def _set_teacher(self, state: Mapping[str, Tensor]) -> None:
        self.teacher = copy.deepcopy(self.net).requires_grad_(False)
        self.teacher.load_state_dict(state)
        self._taught = self._shown = None

    # --- checkpoints ----------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state after `self.epoch` epochs."""
        return checkpoint.dump(
            self.net,
            self.optimizers,
            {"epoch": self.epoch},
            teacher=self.teacher.state_dict() if self.teacher is not None else None,
            average=self.average.state_dict() if self.average is not None else None,
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
        if self.average is not None:
            self.average.load_state_dict(kept.average)
        if kept.strategy:
            self.strategy.load_state_dict(kept.strategy)
