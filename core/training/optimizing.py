"""One step of an optimizer: which parameters decay, how gradients are clipped, at which rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from core.errors import CoreError
from core.training.config import TrainingConfig

_LAST_OF_EXPONENTIAL = 0.01


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


def apply_gradients(
    net: nn.Module, optimizer: torch.optim.Optimizer, clip: float, rate: float, *, norm: float = 0.0
) -> None:
    """One optimizer step at this learning rate.

    Args:
        net: whose gradients are clipped.
        optimizer: of its parameters.
        clip: most size of each gradient entry (0: any).
        rate: the learning rate.
        norm: most norm of all gradients together, once their entries are clipped (0: any).
    """
    if clip:
        nn.utils.clip_grad_value_(net.parameters(), clip)
    if norm:
        nn.utils.clip_grad_norm_(net.parameters(), norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def learning_rate(
    config: TrainingConfig, step: int, steps: int, per_epoch: int, *, factor: float = 1.0
) -> float:
    """Linear warm-up, then decay to the floor, as a cosine or exponentially.

    BigNAS multiplies its rate by 0.97 every 2.4 of 360 epochs, which makes 0.01 of it, and stops at 0.05 (Yu et al.,
    ECCV 2020); the exponential decay here is the same curve over any length.

    Args:
        config: peak, warm-up and floor.
        step: which one of a phase, from 0.
        steps: of the phase.
        per_epoch: steps per epoch; the warm-up is given in epochs and takes at most half of a phase.
        factor: of the phase, on the peak.
    """
    warmup = min(config.warmup_epochs * per_epoch, steps / 2)
    peak = config.learning_rate * factor
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1.0, steps - warmup)
    if config.schedule == "exponential":
        return peak * max(config.final_share, _LAST_OF_EXPONENTIAL**share)
    return peak * max(config.final_share, 0.5 * (1 + math.cos(math.pi * share)))


def diverged(what: str, epoch: int) -> CoreError:
    """The failure of a training that left the numbers after `epoch` whole epochs."""
    kept = f"The checkpoint of epoch {epoch} is kept" if epoch else "Nothing was saved yet"
    return CoreError(
        f"Training diverged in epoch {epoch + 1}: {what} is no longer a number. {kept}; start a new run with a "
        "smaller learning rate."
    )
