"""Block-wise bootstrapping: without labels, the paths of each block learn to agree with the mean of all."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.device import beside, chosen_device
from core.errors import InvalidInput
from core.seeding import stream, torch_drawing
from core.spaces import Arch, SearchSpace
from core.training.balancing import balanced
from core.training.draws import Draw, Phase
from core.training.strategies.base import STRATEGIES, Effort, Strategy

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from core.tasks.base import Batch
    from core.training.session import Session

_HEAD, _OWN = "head", "projections"
_SIZES = 64
"""Architectures whose widths are looked at."""
_RUN = 10
"""Those of them that are run, to see that this is what flows."""


_RATED_SAMPLES = 256
"""Calibration samples that data sets have: on two views of about as many paths are rated."""


class Config(BaseConfig):
    """Settings of block-wise bootstrapping."""

    blocks: int = Field(2, ge=1, le=8, description="Blocks that are trained one after another.")
    earlier: Literal["best", "any"] = Field(
        "best",
        title="What feeds a block",
        description="What feeds a block: the best path of the blocks before it, or any of their paths.",
    )
    target_momentum: float = Field(
        0.99, ge=0, lt=1, description="Share of the target that stays at a step at first; it rises to 1."
    )
    projection: int = Field(64, ge=2, le=4096, description="Numbers in which paths are compared.")
    hidden: int = Field(
        128, ge=2, le=8192, title="Hidden units", description="Hidden units of projection and prediction."
    )
    projection_rate: float = Field(
        1e-3, gt=0, le=1, description="Learning rate of projection and prediction (Adam)."
    )
    rated: int = Field(
        64,
        ge=2,
        le=4096,
        title="Paths rated",
        description="Paths of a block that are rated; all if it has fewer.",
    )
    head_share: float = Field(
        0.2, gt=0, le=0.9, description="Share of the epochs at the end that learn from labels."
    )
    labels: Literal["head", "all"] = Field(
        "head",
        title="Labels teach",
        description="What learns from the labels at the end: the head alone, or every weight.",
    )
    draws: int = Field(2, ge=1, le=16, description="Subnets per step of that last phase.")


@STRATEGIES.register("boss_nas")
class BossNAS(Strategy):
    """Block by block, paths learn without labels to predict all paths' mean of another view; labels train the head.

    The paths of a step use every option equally often, and slow copies of them answer. The path that is nearest to the
    mean of all is the block's best; what it makes feeds the next block, and the block is frozen. Labels train the head
    at the end.

    A subnet's accuracy then is that of a linear head on features that were never shown a label: it orders subnets, and
    lies below what labels reach.
    """

    label = "Block-wise bootstrapping"
    source = (
        "Inspired by Li et al., BossNAS, ICCV 2021 (here blocks have elastic widths, whose first channels are "
        "projected; Adam instead of LARS; the head is trained for accuracy)"
    )
    Config = Config

    def phases(self, space: SearchSpace) -> list[Phase]:
        n, last = self.config.blocks, self.config.head_share
        return [*(Phase(f"block {i + 1}", (1 - last) / n) for i in range(n)), Phase(_HEAD, last)]

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        """Every path takes two views; a pass through one block counts as its part of one."""
        if phase.name == _HEAD:
            return float(self.config.draws)
        return 2 * _paths(space) / self.config.blocks

    def effort(self, space: SearchSpace, phase: Phase) -> Effort:
        blocks, passes = self.config.blocks, self.passes(space, phase)
        before = blocks if phase.name == _HEAD else int(phase.name.split()[1]) - 1
        # The block before is rated: two views of its paths.
        options = [len(space.choices[space.position[name]].options) for name in self.own[before - 1]]
        rated = 2 * min(self.config.rated, math.prod(options)) / blocks if before else 0.0
        if phase.name == _HEAD:
            step = (passes, 0.0) if self.config.labels == "all" else (0.0, passes)
            return Effort(*step, begins=rated, samples=_RATED_SAMPLES)
        # Two views of every path go through the blocks before, and the slow copies answer both.
        looks = 2 * _paths(space) * (before + 1) / blocks
        return Effort(passes, looks, begins=rated, samples=_RATED_SAMPLES)

    # --- getting ready --------------------------------------------------------------------------

    def start(self, session: Session) -> None:
        import torch

        from core.networks.trees import leaves
        from core.training.blocks import blocks_of, flows, own_choices
        from core.training.projection import channels_after

        session.task.require_views()
        space, net = session.space, session.net
        some = [space.sample(stream(session.seed, "boss_nas", "sizes", i)) for i in range(_SIZES)]
        archs = [*reversed(space.ends or ()), *some]
        self.blocks = blocks_of(net, self.config.blocks, archs[0], within_groups=False)
        self.own = own_choices(net, self.blocks)
        bare = next((i for i, names in enumerate(self.own, 1) if not names), None)
        if bare is not None:
            raise InvalidInput(
                f"{self.label} needs choices of its own in every block; block {bare} of this supernet has none. "
                "Choose another strategy."
            )
        self.places = [channels_after(net, block.stop - 1, archs) for block in self.blocks]
        made = [flows(session, arch, self.blocks[-1].stop) for arch in archs[:_RUN]]
        if any(
            leaves(each[block.stop - 1])[0].shape[axis] > most
            for each in made
            for block, (axis, most) in zip(self.blocks, self.places, strict=True)
        ):
            raise InvalidInput(
                f"{self.label} compares what flows from block to block, and in this supernet several paths do at once. "
                "Choose another strategy."
            )
        with torch_drawing(session.seed, "boss_nas"):
            self.online, self.predictor = (chosen_device().move(each) for each in self._modules())
        self.target_net = copy.deepcopy(net).requires_grad_(False)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        own = [*self.online.parameters(), *self.predictor.parameters()]
        session.optimizers[_OWN] = torch.optim.Adam(own, lr=self.config.projection_rate)
        self.best: list[dict[str, int]] = []

    def _modules(self) -> tuple[nn.ModuleList, nn.ModuleList]:
        """Projection and prediction of every block."""
        from torch import nn

        from core.training.projection import Projection

        hidden, size = self.config.hidden, self.config.projection
        project = nn.ModuleList(Projection(most, hidden, size) for _, most in self.places)
        predict = nn.ModuleList(Projection(size, hidden, size) for _ in self.places)
        return project, predict

    # --- a step ---------------------------------------------------------------------------------

    def step(self, session: Session, batch: Batch) -> float:
        from core.training.blocks import train_head

        index = len(self.blocks) if session.phase.name == _HEAD else int(session.phase.name.split()[1]) - 1
        while len(self.best) < index:
            self.choose(session, len(self.best))
        if index < len(self.blocks):
            return self._bootstrap(session, batch, index)
        rng = session.rng("draws")
        drawn = [session.phase.sample(session.space, rng) for _ in range(self.config.draws)]
        if self.config.labels == "all":
            return float(np.mean(session.train([Draw(arch) for arch in drawn], batch)))
        return train_head(session, batch, drawn)

    def paths(self, space: SearchSpace, index: int, rng: np.random.Generator) -> list[Arch]:
        """As many paths of a block as the longest choice has options, which take each option equally often."""
        fixed = {choice.name: (0,) for choice in space.choices if choice.name not in self.own[index]}
        fixed |= {name: (option,) for name, option in self._before(space, rng).items()}
        rows = balanced(space, _paths(space), 1, rng, fixed)[0]
        return [space.canonical(row) for row in rows.tolist()]

    def _before(self, space: SearchSpace, rng: np.random.Generator) -> dict[str, int]:
        """Options of all choices before the current block, by what feeds it."""
        known = {name: option for best in self.best for name, option in best.items()}
        if self.config.earlier == "best":
            return known
        return {n: int(rng.integers(len(space.choices[space.position[n]].options))) for n in known}

    def _bootstrap(self, session: Session, batch: Batch, index: int) -> float:
        """One step of one block, on two views for every path; the labels are not looked at."""
        import torch

        from core.training.projection import apart

        rng = session.rng("paths")
        paths = self.paths(session.space, index, rng)
        views = [tuple(session.task.view(batch.inputs, rng) for _ in range(2)) for _ in paths]
        with torch.no_grad():
            entering = [
                [self._entering(session, path, x, index) for x in pair]
                for path, pair in zip(paths, views, strict=True)
            ]
        wanted = self.targets(session, paths, entering, index)
        session.zero_grad()
        values = []
        for path, pair in zip(paths, entering, strict=True):
            one, other = (
                self.predictor[index](self._projected(session, path, x, index, target=False)) for x in pair
            )
            values.append(session.backward(apart(one, wanted[1]) + apart(other, wanted[0])))
            session.saw(path, values[-1])
            session.passes += 2 / len(self.blocks)
        session.update()
        session.update(_OWN)
        self._follow(session, index)
        return float(np.mean(values))

    def targets(
        self, session: Session, paths: Sequence[Arch], entering: Sequence[Sequence[Any]], index: int
    ) -> list[Tensor]:
        """For either view (n, k): the mean over all paths of what the target makes of their views, each of length 1."""
        import torch
        from torch.nn import functional as F

        def mean(view: int) -> Tensor:
            made = [
                self._projected(session, path, pair[view], index, target=True)
                for path, pair in zip(paths, entering, strict=True)
            ]
            return F.normalize(torch.stack(made), dim=2).mean(0)

        with torch.no_grad():
            return [mean(0), mean(1)]

    def _entering(self, session: Session, path: Arch, x: Any, index: int) -> Any:
        """What the frozen blocks before this one make of a view."""
        from core.training.blocks import through

        return through(session, path, x, range(self.blocks[index].start))

    def _projected(self, session: Session, path: Arch, x: Any, index: int, *, target: bool) -> Tensor:
        """(n, k) projection of what a path of the block makes of what enters it."""
        from core.networks.trees import leaves
        from core.training.blocks import through
        from core.training.projection import pooled

        block, (axis, _) = self.blocks[index], self.places[index]
        if target:
            made = self.target_net.activations(x, path, stages=block)[-1]
        else:
            made = through(session, path, x, block)
        features = pooled(leaves(made)[0], axis)
        projected: Tensor = (self.target if target else self.online)[index](features)
        return projected

    def _follow(self, session: Session, index: int) -> None:
        """The target's block takes a part of the weights; the part falls to none at the end of the last block."""
        import torch

        blocks_share = 1 - self.config.head_share
        behind = min(1.0, session.progress / blocks_share)
        keep = 1 - (1 - self.config.target_momentum) * (math.cos(math.pi * behind) + 1) / 2
        pairs = [(self.target[index], self.online[index])]
        pairs += [(self.target_net.chain[i], session.net.chain[i]) for i in self.blocks[index]]
        with torch.no_grad():
            for slow, fast in pairs:
                for old, new in zip(slow.parameters(), fast.parameters(), strict=True):
                    old.lerp_(new, 1 - keep)

    # --- rating ---------------------------------------------------------------------------------

    def choose(self, session: Session, index: int) -> None:
        """Rate the paths of a block; the one nearest to the mean of all is its best, and feeds the next block."""
        paths = self.population(session, index)
        best = paths[int(np.argmin(self.ratings(session, index, paths)))]
        self.best.append({name: int(best[session.space.position[name]]) for name in self.own[index]})

    def population(self, session: Session, index: int) -> list[Arch]:
        """Distinct paths of a block behind the best of those before it: all, or as many random ones as are rated."""
        space, names = session.space, self.own[index]
        rng = stream(session.seed, "boss_nas", "population", index)
        before = {name: option for best in self.best[:index] for name, option in best.items()}
        counts = [range(len(space.choices[space.position[name]].options)) for name in names]
        if math.prod(map(len, counts)) <= self.config.rated:
            rows = [list(row) for row in itertools.product(*counts)]
        else:
            rows = [[int(rng.integers(len(c))) for c in counts] for _ in range(self.config.rated)]
        found = [_arch(space, before | dict(zip(names, row, strict=True))) for row in rows]
        return [arch for arch in dict.fromkeys(found) if space.computes(arch)]

    def ratings(self, session: Session, index: int, paths: Sequence[Arch]) -> list[float]:
        """Distance of every path from the mean of all in the target's projection, a loss: lower is better.

        Measured on two views of the calibration samples, each path normalized by these samples; no labels.
        """
        import torch

        from core.training.projection import apart

        samples = beside(session.net, session.task.batch(session.dataset, session.dataset.calibration).inputs)
        rng = stream(session.seed, "boss_nas", "views", index)
        views = [session.task.view(samples, rng) for _ in range(2)]
        with torch.no_grad():
            entering = [self._entering(session, paths[0], x, index) for x in views]
            center = [
                torch.stack([self._projected(session, path, x, index, target=True) for path in paths]).mean(0)
                for x in entering
            ]
            found = []
            for path in paths:
                one, other = (
                    self.predictor[index](self._projected(session, path, x, index, target=False))
                    for x in entering
                )
                found.append(float(apart(one, center[1]) + apart(other, center[0])))
        return found

    # --- what is kept ---------------------------------------------------------------------------

    def _parts(self) -> dict[str, nn.Module]:
        return {
            "online": self.online,
            "predictor": self.predictor,
            "target": self.target,
            "net": self.target_net,
        }

    def state_dict(self) -> dict[str, Any]:
        tensors: dict[str, torch.Tensor] = {
            f"{part}.{name}": tensor
            for part, module in self._parts().items()
            for name, tensor in module.state_dict().items()
        }
        return {"best": self.best, **tensors}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best = [dict(path) for path in state["best"]]
        for part, module in self._parts().items():
            prefix = f"{part}."
            module.load_state_dict(
                {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
            )


def _paths(space: SearchSpace) -> int:
    return max(len(choice.options) for choice in space.choices)


def _arch(space: SearchSpace, picked: Mapping[str, int]) -> Arch:
    """The architecture with these options; what is not picked, which comes after the block, has its first."""
    return space.canonical([picked.get(choice.name, 0) for choice in space.choices])
