"""NEAS: ensembles of paths with a shared trunk, and pairs of operations dropped that add little to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.spaces import Arch, SearchSpace
from core.training.draws import LABELS, Phase
from core.training.strategies.base import STRATEGIES, Effort, Strategy

if TYPE_CHECKING:
    from core.supernets.path_ensemble import PathEnsemble
    from core.tasks.base import Batch
    from core.training.session import Session

OWN = "own_layers"
"""The choice that spaces of ensembles have: layers that each path has for itself (core.supernets.path_space)."""
_FEWEST = 2
"""Combinations of operations that a layer keeps at least."""
_TRIES = 1000


class Config(BaseConfig):
    """Settings of NEAS."""

    shrinkings: int = Field(
        2, ge=0, le=8, description="How often the combinations of operations are shrunk, at equal distances."
    )
    drop: float = Field(
        0.25, ge=0, le=0.9, description="Share of a layer's combinations that each shrinking drops."
    )
    ensembles: int = Field(
        128, ge=8, le=4096, description="Random ensembles that are looked at before combinations are dropped."
    )
    samples: int = Field(128, ge=8, le=4096, description="Validation samples they are looked at with.")
    diversity: float = Field(
        1.0,
        ge=0,
        le=10,
        description="Weight of diversity against validation loss in the ranks that decide; 0: loss alone.",
    )


class Looked(NamedTuple):
    """One random ensemble: its validation loss, and how far apart its paths are behind each layer of their own."""

    arch: Arch
    loss: float
    diversity: Mapping[int, float]


@STRATEGIES.register("neas")
class Neas(Strategy):
    """A random split point and random paths per step; every path learns from the labels, the trunk from their mean gradient.

    At some points combinations of operations (one per path, by layer) are ranked by the validation loss of random
    ensembles that hold them and by how far apart the paths' maps are behind that layer; the lowest are trained no more.
    They stay in the space, whose search will find them worse. Validation data have been seen by what is left.
    """

    label = "Inspired by NEAS"
    source = (
        "Inspired by Chen et al., One-shot neural ensemble architecture search (NEAS), CVPR 2021: the trunk's divided "
        "gradient is the authors' code, the score that shrinks is ours (their search is not published)"
    )
    Config = Config

    def check(self, space: SearchSpace) -> None:
        super().check(space)
        if OWN not in space.position:
            raise InvalidInput(
                f"{self.label} trains ensembles of paths that share a trunk, and this space has none. "
                "Choose another strategy."
            )

    def phases(self, space: SearchSpace) -> list[Phase]:
        n = self.config.shrinkings + 1
        return [Phase("all combinations" if at == 0 else f"shrunk {at}", 1 / n) for at in range(n)]

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return 1.0

    def effort(self, space: SearchSpace, phase: Phase) -> Effort:
        looked = self.config.ensembles if self._shrinkings_before(phase) else 0
        return Effort(1.0, begins=looked, samples=self.config.samples)

    def start(self, session: Session) -> None:
        net: PathEnsemble = session.net  # type: ignore[assignment]
        space = session.space
        # Layer -> positions of its choices, the first path's first; and which of their combinations are trained.
        self.choices = {n: [space.position[name] for name in names] for n, names in net.own_layers.items()}
        sizes = np.array(space.cardinalities)
        self.kept = {layer: np.ones(sizes[of], np.bool_) for layer, of in self.choices.items()}
        self.shrunk = 0

    def step(self, session: Session, batch: Batch) -> float:
        from core.supernets.path_stages import Apart

        if self.shrunk < (wanted := self._shrinkings_before(session.phase)):
            self.shrink(self.look(session))
            self.shrunk = wanted
        arch = self.draw(session.space, session.phase, session.rng("draws"))
        session.zero_grad()
        outputs = session.forward(Apart(arch), batch)
        losses = [session.loss(LABELS, outputs[:, path], batch, {}) for path in range(outputs.shape[1])]
        mean = session.backward(sum(losses[1:], losses[0])) / len(losses)
        session.update()
        session.saw(arch, mean)
        return mean

    # --- draws and shrinking ----------------------------------------------------------------------------

    def draw(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> Arch:
        """A random ensemble all of whose layers of their own hold a combination that is kept."""
        for _ in range(_TRIES):
            arch = list(phase.sample(space, rng))
            for layer, of in self.choices.items():
                if space.is_active(arch, space.choices[of[-1]].name):
                    kept = np.argwhere(self.kept[layer])
                    for at, option in zip(of, kept[int(rng.integers(len(kept)))].tolist(), strict=True):
                        arch[at] = option
            found = space.canonical(arch)
            if space.computes(found):
                return found
        raise InvalidInput("Hardly any ensemble of this space computes something: there is nothing to train.")

    def look(self, session: Session) -> list[Looked]:
        """Random ensembles, with as many layers of their own as there can be, on validation samples."""
        import torch

        net: PathEnsemble = session.net  # type: ignore[assignment]
        rng, space = session.rng("look"), session.space
        most = Phase("most", unlocked={OWN: (space.cardinalities[space.position[OWN]] - 1,)})
        batch = session.validation_batch(self.config.samples, "neas")
        found = []
        with torch.no_grad():
            for _ in range(self.config.ensembles):
                arch = self.draw(space, most, rng)
                outputs, apart = net.diversities(batch.inputs, arch)
                loss = float(session.task.losses(outputs, batch.targets).mean())
                found.append(Looked(arch, loss, apart))
        return found

    def shrink(self, looked: Sequence[Looked]) -> None:
        """Drop the combinations of every layer whose ranks by loss and diversity are worst together; never seen ones stay."""
        for layer, of in self.choices.items():
            seen: dict[tuple[int, ...], list[Looked]] = {}
            for each in looked:
                seen.setdefault(tuple(each.arch[at] for at in of), []).append(each)
            combinations = [
                c for c in product(*map(range, self.kept[layer].shape)) if self.kept[layer][c] and c in seen
            ]
            losses = np.array([np.mean([each.loss for each in seen[c]]) for c in combinations])
            apart = np.array([np.mean([each.diversity[layer] for each in seen[c]]) for c in combinations])
            scores = _ranks(-losses) + self.config.diversity * _ranks(apart)
            left = int(self.kept[layer].sum())
            n = min(int(self.config.drop * left), left - _FEWEST, len(combinations))
            for at in np.argsort(scores, kind="stable")[: max(0, n)]:
                self.kept[layer][combinations[at]] = False

    @staticmethod
    def _shrinkings_before(phase: Phase) -> int:
        _, _, number = phase.name.partition("shrunk ")
        return int(number or 0)

    def state_dict(self) -> dict[str, NDArray[np.int64] | NDArray[np.bool_] | int]:
        return {"shrunk": self.shrunk} | {f"kept.{layer}": kept for layer, kept in self.kept.items()}

    def load_state_dict(self, state: Mapping[str, NDArray[np.bool_] | int]) -> None:
        self.shrunk = int(state["shrunk"])
        self.kept = {layer: np.array(state[f"kept.{layer}"], np.bool_) for layer in self.kept}


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean ranks, from 0 for the smallest."""
    smaller = (values[:, None] > values).sum(1)
    equal = (values[:, None] == values).sum(1)
    return np.asarray(smaller + (equal - 1) / 2, dtype=np.float64)
