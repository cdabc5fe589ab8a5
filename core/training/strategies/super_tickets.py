"""SuperTickets: the supernet is pruned while it is trained, so that its subnets are sparse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from core.config import BaseConfig, Settings
from core.spaces import Arch, SearchSpace
from core.training.draws import LABELS, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.supernets.base import Supernet
    from core.tasks.base import Batch
    from core.training.session import Session

_EVENT_SHARE = 0.1
"""Each pruning event adds so much sparsity."""
_LOOKS = 64


class Config(BaseConfig):
    """Settings of SuperTickets."""

    every: int = Field(
        3, ge=1, le=500, description="Epochs from one pruning event to the next (paper: 25 of 350)."
    )
    target: float = Field(
        0.8, ge=0, lt=1, description="Share of the weights that is zero in the end (paper: 0.9)."
    )
    rho: float = Field(
        1.8e-4,
        ge=0,
        le=1,
        description="Weight of the L1 norm of BatchNorm scales, by their share of the MACs.",
    )
    warmup_share: float = Field(
        0.07, ge=0, le=1, description="Share of the training over which that weight grows to its full size."
    )
    threshold: float = Field(
        1e-3,
        ge=0,
        le=1,
        description="BatchNorm scales that are smaller at an event are switched off with their offset.",
    )
    reset_mask: bool = Field(
        False,
        description="Pruned weights may grow again until the next event; after the last one they stay zero.",
    )
    n_random: int = Field(1, ge=1, le=16, description="Random subnets per step, beside the largest.")


@STRATEGIES.register("super_tickets")
class SuperTickets(Strategy):
    """Trains the largest and random subnets from labels, shrinks BatchNorm scales and prunes small weights as it goes.

    Event k prunes the smallest weights of all convolutions and linear layers together, until min(0.1 k, target) of them
    are zero. Channels whose scale has vanished are switched off: they keep their place, because widths are prefixes, and
    give a constant zero. What an event switched off stays off.
    """

    label = "SuperTickets"
    source = (
        "You et al., SuperTickets, ECCV 2022 (here elastic supernets: random subnets beside the dense one, channels are "
        "switched off where the paper cuts them out)"
    )
    Config = Config
    # A learned transform makes small kernels of large ones: their zeros would be gone.
    family_settings: ClassVar[Settings] = {"kernel_transform": False}

    def start(self, session: Session) -> None:
        import torch

        weights, scales = prunable(session.net), _scales(session.net)
        self.masks = {
            name: torch.ones(p.shape, dtype=torch.bool, device=p.device)
            for name, p in (weights | scales).items()
        }
        self.shares = mac_shares(session.net)

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return float(len(self.archs(space, phase, np.random.default_rng(0))))

    def archs(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Arch]:
        """The subnets of one step: the largest, where there is one, and random ones."""
        drawn = [phase.sample(space, rng) for _ in range(self.config.n_random)]
        return drawn if space.ends is None else [space.largest, *drawn]

    def step(self, session: Session, batch: Batch) -> float:
        if session.step == 0 and session.epoch and session.epoch % self.config.every == 0:
            self.event(session)
        session.zero_grad()
        values = []
        for arch in self.archs(session.space, session.phase, session.rng("draws")):
            outputs = session.forward(arch, batch)
            values.append(session.backward(session.loss(LABELS, outputs, batch, {})))
            session.saw(arch, values[-1])
        if self.config.rho and self.shares:
            session.backward(self.penalty(session.net, session.progress))
        session.update()
        self.apply(session.net)
        return values[0]

    def penalty(self, net: nn.Module, progress: float) -> Tensor:
        """The L1 norm of all BatchNorm scales, each by its channel's share of the MACs; grows in the warm-up.

        Shares are divided by their mean, so that the norm has the size of a plain one whatever the network's.
        """
        import torch

        warm = self.config.warmup_share
        weight = self.config.rho * (min(1.0, progress / warm) if warm else 1.0)
        scales = _scales(net)
        terms = [share * scales[name].abs().sum() for name, share in self.shares.items()]
        return weight * torch.stack(terms).sum()

    # --- pruning ----------------------------------------------------------------------------------------

    def event(self, session: Session) -> None:
        """Prune all weights together to the sparsity of this event, and switch off channels that have vanished."""
        import torch

        net, weights = session.net, prunable(session.net)
        sparsity = min(_EVENT_SHARE * (session.epoch // self.config.every), self.config.target)
        with torch.no_grad():
            sizes = torch.cat([p.abs().flatten() for p in weights.values()])
            pruned = int(sparsity * len(sizes) + 1e-9)
            limit = sizes.kthvalue(pruned).values if pruned else sizes.new_tensor(-1.0)
            for name, p in weights.items():
                self.masks[name] = p.abs() > limit
            for name, scale in _scales(net).items():
                if name.endswith("weight"):
                    alive = (scale.abs() >= self.config.threshold) & self.masks[name]
                    self.masks[name] = self.masks[name.removesuffix("weight") + "bias"] = alive
        self.apply(net)
        session.restart_average()
        if self.config.reset_mask and not self._is_last(session):
            for name in weights:
                self.masks[name] = torch.ones_like(self.masks[name])

    def _is_last(self, session: Session) -> bool:
        """Whether the training ends before another event."""
        total = round(session.epoch / session.progress)
        return session.epoch + self.config.every >= total

    def apply(self, net: nn.Module) -> None:
        """Set to zero what is switched off; an optimizer's momentum would bring it back."""
        import torch

        parameters = dict(net.named_parameters())
        with torch.no_grad():
            for name, mask in self.masks.items():
                parameters[name].mul_(mask)

    def state_dict(self) -> dict[str, Tensor]:
        return {f"mask.{name}": mask for name, mask in self.masks.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.masks = {name: state[f"mask.{name}"].clone() for name in self.masks}


def prunable(net: nn.Module) -> dict[str, Tensor]:
    """Weights of convolutions and linear layers, by name: no biases, norms, embeddings or kernel transforms."""
    from torch import nn

    embedded = {f"{n}.weight" for n, m in net.named_modules() if isinstance(m, nn.Embedding)}
    weights = ((n, p) for n, p in net.named_parameters() if n.endswith("weight") and p.ndim > 1)
    return {n: p for n, p in weights if n not in embedded}


def _scales(net: nn.Module) -> dict[str, Tensor]:
    """Scales and offsets of the BatchNorm layers, by name: "...weight" and "...bias"."""
    from core.supernets.statistics import ElasticBatchNorm

    norms = [(n, m) for n, m in net.named_modules() if isinstance(m, ElasticBatchNorm)]
    return {f"{n}.{part}": getattr(m, part) for n, m in norms for part in ("weight", "bias")}


def mac_shares(net: Supernet) -> dict[str, float]:
    """Name of a BatchNorm scale -> MACs per channel of it, over the mean of all channels.

    A stage's MACs in the largest subnet that has it are divided equally among the channels of its norms.
    """
    found: dict[str, float] = {}
    channels: dict[str, int] = {}
    known = set(_scales(net))  # a norm that two stages share counts as the first one's
    for index, stage in enumerate(net.chain):
        named = {f"stages.{index}.{n}": p for n, p in _scales(stage).items() if n.endswith("weight")}
        scales = {name: p for name, p in named.items() if name in known}
        total = sum(len(p) for p in scales.values())
        macs = _most_macs(net, index) if total else 0
        for name, p in scales.items():
            found[name], channels[name] = macs / total, len(p)
    mean = sum(found[n] * channels[n] for n in found) / max(1, sum(channels.values()))
    return {name: value / mean for name, value in found.items()} if mean else {}


def _most_macs(net: Supernet, index: int) -> int:
    """MACs of one stage where it is largest, among the largest subnet and a sample."""
    stage = net.chain[index]
    archs: list[Sequence[int]] = net.space.sample_array(_LOOKS, np.random.default_rng(0)).tolist()
    archs += [] if net.space.ends is None else [net.space.largest]
    return max((stage.cost(arch).macs for arch in archs if stage.key(arch) is not None), default=0)
