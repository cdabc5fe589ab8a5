"""One training loop for all strategies.

A generator: it yields often, and whoever drives it may stop at any yield. After every epoch the whole
state goes to the ledger before the epoch is reported. Nothing reads a global generator, so a run that was
killed and resumed ends with the weights of an uninterrupted one (same machine, same torch, one thread).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from core.datasets.base import Dataset
from core.errors import CoreError
from core.evaluation.evaluator import evaluate_table
from core.records import Progress
from core.seeding import stream
from core.supernets.base import Supernet
from core.tasks.base import Batch, EvaluationData
from core.training import checkpoint
from core.training.config import TrainingConfig
from core.training.losses import draw_loss
from core.training.strategies import STRATEGIES, Phase, Strategy, Target
from core.training.strategies.base import epochs_of

if TYPE_CHECKING:
    from core.store import Ledger

_YIELD_SECONDS = 0.2
_RANDOM_SHOWN = 4
_MOST_VALIDATION = 1000


def train(supernet: Supernet, dataset: Dataset, config: TrainingConfig, ledger: Ledger) -> Iterator[Progress]:
    """Train a supernet in place; resumes from the ledger's latest checkpoint.

    Yields:
        Progress several times a second; `metrics` holds the numbers of the last finished epoch.

    Raises:
        InvalidInput: the data do not fit the supernet, or the strategy's settings are wrong.
        CoreError: the loss is no longer a number; the last good checkpoint is kept.
    """
    supernet.task.require_fit(supernet.config, dataset)
    supernet.task.augmentation(config.augmentation)
    run = _Run(supernet, dataset, config, ledger)
    yield Progress(run.fraction(0), "Starting" if run.epoch == 0 else f"Going on after epoch {run.epoch}")
    while run.epoch < config.epochs:
        yield from run.train_epoch()
        metrics = run.finish_epoch()
        yield Progress(run.fraction(0), _sentence(metrics, config.epochs), metrics)


class _Run:
    """The moving parts of one training run."""

    def __init__(self, supernet: Supernet, dataset: Dataset, config: TrainingConfig, ledger: Ledger) -> None:
        self.net, self.dataset, self.config, self.ledger = supernet, dataset, config, ledger
        self.strategy: Strategy = STRATEGIES.create(config.strategy, config.strategy_config)
        self.strategy.check(supernet.space)
        self.phases = self.strategy.phases(supernet.space)
        self.lengths = epochs_of(self.phases, config.epochs)
        self.steps = supernet.task.steps(dataset, config.batch_size)
        supernet.requires_grad_(True)
        self.optimizer = make_optimizer(supernet, config)
        self.teacher: Supernet | None = None
        self.epoch = 0
        self.losses: list[float] = []
        self.started = time.monotonic()
        self._shown = _shown_archs(supernet, config.seed)
        self._validation = _validation_data(supernet, dataset)
        kept = ledger.latest_checkpoint()
        if kept is not None:
            teacher, about = checkpoint.restore(kept, supernet, self.optimizer)
            self.epoch = int(about["epoch"])
            if teacher is not None:
                self._set_teacher(teacher)

    def fraction(self, step: int) -> float:
        return (self.epoch + step / self.steps) / self.config.epochs

    def phase(self) -> tuple[Phase, int, int]:
        """The current phase, its epochs done and its length."""
        done = self.epoch
        for phase, length in zip(self.phases, self.lengths, strict=True):
            if done < length:
                return phase, done, length
            done -= length
        raise ValueError("training is over")

    def train_epoch(self) -> Iterator[Progress]:
        phase, done, length = self.phase()
        if done == 0:
            self._enter(phase)
        self.started = shown = time.monotonic()
        self.losses = []
        config = self.config
        batches = self.net.task.epoch(
            self.dataset,
            batch_size=config.batch_size,
            seed=config.seed,
            epoch=self.epoch,
            augmentation=config.augmentation,
        )
        for step, batch in enumerate(batches):
            rate = learning_rate(config, phase, done * self.steps + step, length * self.steps, self.steps)
            self._step(phase, step, batch, rate)
            if time.monotonic() - shown > _YIELD_SECONDS:
                shown = time.monotonic()
                yield Progress(
                    self.fraction(step), f"Epoch {self.epoch + 1} of {config.epochs}, {phase.name}"
                )

    def _enter(self, phase: Phase) -> None:
        if phase.sort_channels:
            self.net.sort_channels()
            # Momentum belongs to the channels it was gathered for; they have just changed places.
            self.optimizer.state.clear()
        if phase.freeze_teacher:
            self._set_teacher({name: tensor.clone() for name, tensor in self.net.state_dict().items()})

    def _set_teacher(self, state: dict[str, Tensor]) -> None:
        self.teacher = copy.deepcopy(self.net).requires_grad_(False)
        self.teacher.load_state_dict(state)

    def _step(self, phase: Phase, step: int, batch: Batch, rate: float) -> None:
        rng = stream(self.config.seed, "draws", self.epoch, step)
        draws = self.strategy.draws(self.net.space, phase, rng)
        teacher = None
        if self.teacher is not None and any(d.target is Target.TEACHER for d in draws):
            with torch.no_grad():
                teacher = batch.counted(self.teacher(batch.inputs, self.net.largest))
        self.optimizer.zero_grad()
        largest: Tensor | None = None
        for draw in draws:
            logits = batch.counted(self.net(batch.inputs, draw.arch))
            loss = draw_loss(
                logits, batch.targets, draw.target, self.config.label_smoothing, largest, teacher
            )
            value = float(loss.detach())
            if not math.isfinite(value):
                raise diverged("the loss", self.epoch)
            loss.backward()
            if largest is None:
                largest = logits.detach()
                self.losses.append(value)
        apply_gradients(self.net, self.optimizer, self.config.clip, rate)

    def finish_epoch(self) -> dict[str, Any]:
        """Measure a few subnets, then save; the epoch counts only once this has returned.

        Raises:
            CoreError: the last step left weights that are not numbers; they are not saved.
        """
        if not all(bool(torch.isfinite(p).all()) for p in self.net.parameters()):
            raise diverged("a weight", self.epoch)
        phase = self.phase()[0]
        accuracies = evaluate_table(self.net, self._shown, ("accuracy",), self._validation)["accuracy"]
        by_arch = dict(zip(map(tuple, self._shown.tolist()), accuracies.tolist(), strict=True))
        ends = self.net.space.ends or ()
        random = [v for arch, v in by_arch.items() if arch not in ends] or [math.nan]
        metrics = {
            "epoch": self.epoch + 1,
            "phase": phase.name,
            "loss": float(np.mean(self.losses)),
            **{name: by_arch[arch] for name, arch in zip(("smallest", "largest"), ends, strict=False)},
            "random": float(np.mean(random)),
            "random_low": min(random),
            "random_high": max(random),
            "seconds": time.monotonic() - self.started,
        }
        self.epoch += 1
        teacher = self.teacher.state_dict() if self.teacher is not None else None
        self.ledger.log_metrics(self.epoch, metrics)
        data = checkpoint.dump(self.net, self.optimizer, teacher, {"epoch": self.epoch})
        self.ledger.checkpoint(data, fraction=self.epoch / self.config.epochs)
        return metrics


def make_optimizer(net: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """SGD or AdamW; norms, biases and kernel transforms (anything not a weight of a layer) do not decay."""
    decayed = [p for n, p in net.named_parameters() if p.ndim > 1 and ".transforms." not in n]
    others = [p for n, p in net.named_parameters() if p.ndim <= 1 or ".transforms." in n]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate)
    return torch.optim.SGD(
        groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0
    )


def apply_gradients(net: nn.Module, optimizer: torch.optim.Optimizer, clip: float, rate: float) -> None:
    """One optimizer step at this learning rate, each gradient entry clipped to `clip` (0: never)."""
    if clip:
        nn.utils.clip_grad_value_(net.parameters(), clip)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def diverged(what: str, epoch: int) -> CoreError:
    """The failure of a training that left the numbers after `epoch` whole epochs."""
    kept = f"The checkpoint of epoch {epoch} is kept" if epoch else "Nothing was saved yet"
    return CoreError(
        f"Training diverged in epoch {epoch + 1}: {what} is no longer a number. {kept}; start a new run with a "
        "smaller learning rate."
    )


def learning_rate(config: TrainingConfig, phase: Phase, step: int, steps: int, per_epoch: int) -> float:
    """Linear warm-up, then cosine decay to the floor, anew in every phase."""
    warmup = min(config.warmup_epochs * per_epoch, steps / 2)
    peak = config.learning_rate * phase.learning_rate
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1.0, steps - warmup)
    return peak * max(config.final_share, 0.5 * (1 + math.cos(math.pi * share)))


def _shown_archs(net: Supernet, seed: int) -> np.ndarray:
    """Smallest, largest (where there are such) and a few random subnets whose curves are drawn; distinct."""
    rows = net.space.sample_array(_RANDOM_SHOWN, stream(seed, "shown"))
    return np.unique(np.array([*(net.space.ends or ()), *map(tuple, rows)], np.uint8), axis=0)


def _validation_data(net: Supernet, dataset: Dataset) -> EvaluationData:
    """Calibration rows and the first validation samples; splits are in stratified order."""
    few = dataset.validation.first(_MOST_VALIDATION)
    return net.task.evaluation(dataset, {"validation": few})


def _sentence(metrics: dict[str, Any], epochs: int) -> str:
    return f"Epoch {metrics['epoch']} of {epochs}, {metrics['phase']}: {in_words(metrics)}"


def in_words(metrics: Mapping[str, Any]) -> str:
    """Validation accuracy after an epoch, as part of a sentence."""
    if "smallest" not in metrics:
        return f"validation accuracy of random subnets {metrics['random']:.1%}"
    return (
        f"validation accuracy of the smallest subnet {metrics['smallest']:.1%}, of the largest "
        f"{metrics['largest']:.1%}"
    )
