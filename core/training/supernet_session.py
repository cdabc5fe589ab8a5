"""The session of a supernet's training: owns the weights, their optimizers and the frozen teacher."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.datasets.base import Dataset
from core.device import chosen_device
from core.errors import CoreError, InvalidInput
from core.evaluation.costs import CostTable
from core.networks.trees import leaves
from core.seeding import stream
from core.supernets.attention import Attention
from core.supernets.base import Supernet
from core.supernets.drop_path import DroppingArch
from core.supernets.files import described, rebuilt
from core.supernets.statistics import exact
from core.tasks.base import Batch
from core.training import checkpoint
from core.training.averaging import Average
from core.training.config import TrainingConfig
from core.training.draws import Draw, Phase, Term
from core.training.losses.base import LARGEST, LOSSES, PREVIOUS, TEACHER, Loss, LossContext
from core.training.optimizing import apply_gradients, make_optimizer
from core.training.session import WEIGHTS, Drawn, Session
from core.training.strategies.base import Strategy
from core.training.together import SharedStep, ours, require_shareable_loss


class _Seen(NamedTuple):
    """What one pass shows of the samples that count.

    Attributes:
        outputs: of the network.
        inside: activations after every stage but the last.
        attention: what the last self-attention is made from, where that was asked for.
    """

    outputs: Tensor
    inside: list[Tensor]
    attention: Attention | None = None

    def detached(self) -> _Seen:
        inside = [x.detach() for x in self.inside]
        return _Seen(self.outputs.detach(), inside, self.attention and self.attention.detached())


class NotANumber(CoreError):
    """A loss is no number; the weights were not touched by its gradient."""


class SupernetSession(Session):
    """One training of a supernet; see `Session` for what a strategy may ask of it."""

    strategy: Strategy

    def __init__(
        self, net: Supernet, dataset: Dataset, config: TrainingConfig, strategy: Strategy, phase: Phase
    ) -> None:
        self.device = chosen_device()
        self.net, self.dataset = self.device.move(net.requires_grad_(True)), dataset
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
        self.together = ours()
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
        with self.device.computing():
            outputs: Tensor = batch.counted(self.net(batch.inputs, run))
        return exact(outputs)

    def forward_inside(
        self, arch: Any, batch: Batch, *, drop_path: float = 0.0, dropout: float = 0.0
    ) -> tuple[Tensor, list[Tensor]]:
        seen = self._seen(self.net, self._running(arch, batch, drop_path, dropout), batch)
        return seen.outputs, seen.inside

    def _seen(self, net: Supernet, arch: Any, batch: Batch, *, attention: bool = False) -> _Seen:
        with self.device.computing():
            flows = net.activations(batch.inputs, arch)
            made = net.last_attention(batch.inputs, flows, arch).first(len(batch)) if attention else None
        inside = [exact(batch.counted(leaves(x)[0])) for x in flows[:-1]]
        return _Seen(exact(batch.counted(flows[-1])), inside, made)

    def _running(self, arch: Any, batch: Batch, drop_path: float, dropout: float) -> Any:
        """The architecture as a step runs it; the pass is counted."""
        run = self.net.in_training(arch, self.progress, self.rng("paths", *map(str, arch)))
        if drop_path or dropout:
            chance = torch.Generator().manual_seed(int(self.rng("drop", *map(str, arch)).integers(2**62)))
            run = DroppingArch.of(run, drop_path, chance, dropout=dropout)
        start, of = self._shared.place(batch) if self._shared else (0, len(batch))
        if isinstance(run, DroppingArch) and self._shared:
            run.share = (start, of)
        if torch.is_grad_enabled():
            self.ran(of)
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
        return self.device.put(self.task.batch(self.dataset, whole.rows(np.sort(picked))))

    # --- the first door -------------------------------------------------------------------------

    def train(self, draws: Sequence[Draw], batch: Batch) -> list[float]:
        if self.together is None:
            return self._train(draws, batch)
        with self.together.step() as self._shared:
            found = self._train(draws, batch)
        self._shared = None
        return found

    def _all_learned(self, shared: SharedStep) -> list[float]:
        """Losses of the draws in the whole batch, once gradients are those of it."""
        values = shared.finish(self.net.parameters())
        if not all(map(math.isfinite, values)):
            raise NotANumber("The loss is no longer a number.")
        return values

    def _train(self, draws: Sequence[Draw], batch: Batch) -> list[float]:
        self.zero_grad()
        asked = [self._loss(term) for draw in draws for term in draw.losses]
        looks = any(loss.looks_inside for loss in asked)
        attends = any(loss.looks_at_attention for loss in asked)
        seen: dict[str, _Seen] = {}
        values: list[float] = []
        share = self._shared.mine if self._shared else lambda batch: batch
        whole = share(batch)
        for draw in draws:
            part = whole if draw.part is None else share(self._part(batch, *draw.part))
            named = {name: each.outputs for name, each in seen.items()}
            if looks or attends:
                run = self._running(draw.arch, part, draw.drop_path, draw.dropout)
                this = self._seen(self.net, run, part, attention=attends)
                loss = self.loss(
                    draw.losses,
                    this.outputs,
                    part,
                    named,
                    inside=this.inside,
                    insides={name: each.inside for name, each in seen.items()},
                    attention=this.attention,
                    attentions={name: each.attention for name, each in seen.items() if each.attention},
                )
            else:
                outputs = self.forward(draw.arch, part, drop_path=draw.drop_path, dropout=draw.dropout)
                this = _Seen(outputs, [])
                loss = self.loss(draw.losses, outputs, part, named)
            # A part counts as that part of the batch: together they make the gradient of the batch's mean loss.
            if self._shared is None:
                values.append(self.backward(loss * draw.passes) / draw.passes)
            else:
                self._shared.learn(loss, draw.passes, part)
            seen[PREVIOUS] = this.detached()
            if self.space.ends is not None and draw.arch == self.space.largest and LARGEST not in seen:
                seen[LARGEST] = seen[PREVIOUS]
        if self._shared is not None:
            values = self._all_learned(self._shared)
        for draw, value in zip(draws, values, strict=True):
            self.saw(draw.arch, value)
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
        attention: Attention | None = None,
        attentions: Mapping[str, Attention] | None = None,
    ) -> Tensor:
        total: Tensor | None = None
        for term in terms:
            plugin = self._loss(term)
            looks, attends = plugin.looks_inside, plugin.looks_at_attention
            # These first: the pass that shows a teacher's inside shows its outputs, too.
            seen = {name: self._attention(name, batch, attentions or {}) for name in plugin.needs if attends}
            within = {name: self._inside(name, batch, insides or {}) for name in plugin.needs if looks}
            context = LossContext(
                self.task,
                self.config.label_smoothing,
                {name: self._output(name, batch, named) for name in plugin.needs},
                batch.mixed,
                inside=inside if looks else (),
                insides=within,
                attention=attention if attends else None,
                attentions=seen,
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
            if self.together is not None:
                require_shareable_loss(self._losses[key])
        return self._losses[key]

    def _output(self, name: str, batch: Batch, named: Mapping[str, Tensor]) -> Tensor:
        if name in named:
            return named[name]
        self._require_teacher(name, "outputs")
        if self._shown is not None and self._shown[0] is batch:
            return self._shown[1].outputs
        if self._taught is None or self._taught[0] is not batch:
            assert self.teacher is not None
            with torch.no_grad(), self.device.computing():
                outputs: Tensor = batch.counted(self.teacher(batch.inputs, self.space.largest))
            self._taught = (batch, exact(outputs))
        return self._taught[1]

    def _inside(self, name: str, batch: Batch, insides: Mapping[str, Sequence[Tensor]]) -> Sequence[Tensor]:
        if insides.get(name):
            return insides[name]
        self._require_teacher(name, "activations")
        return self._teacher_shows(batch).inside

    def _attention(self, name: str, batch: Batch, attentions: Mapping[str, Attention]) -> Attention:
        if name in attentions:
            return attentions[name]
        self._require_teacher(name, "attention")
        found = self._teacher_shows(batch, attention=True).attention
        assert found is not None
        return found

    def _require_teacher(self, name: str, what: str) -> None:
        if name != TEACHER or self.teacher is None:
            raise ValueError(f"a loss needs the {what} of {name!r}, which this step does not have")

    def _teacher_shows(self, batch: Batch, *, attention: bool = False) -> _Seen:
        known = self._shown is not None and self._shown[0] is batch
        if not known or (attention and self._shown[1].attention is None):  # type: ignore[index]
            assert self.teacher is not None
            with torch.no_grad():
                found = self._seen(self.teacher, self.space.largest, batch, attention=attention)
            self._shown = (batch, found)
        assert self._shown is not None
        return self._shown[1]

    _shared: SharedStep | None = None
    _taught: tuple[Batch, Tensor] | None = None
    _shown: tuple[Batch, _Seen] | None = None

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
        self.net, self._replaced = self.device.move(net.requires_grad_(True)), True
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
            self.strategy.load_state_dict(self.device.put(kept.strategy))
