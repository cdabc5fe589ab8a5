"""PA&DA: paths and training samples are drawn by how large their gradients are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.device import beside
from core.errors import InvalidInput
from core.seeding import stream
from core.spaces import Arch, Choice, SearchSpace
from core.training.balancing import balanced
from core.training.draws import LABELS, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from core.tasks.base import Batch
    from core.training.session import Session

_MOST_TRIES = 1000


class Config(BaseConfig):
    """Settings of PA&DA."""

    paths: bool = Field(True, description="Draw options by the gradients of their weights; off: all alike.")
    data: bool = Field(True, description="Draw samples by the gradients they make; off: each once an epoch.")
    tau: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the chances that follows gradients at the end; it grows from 0.",
    )


@STRATEGIES.register("pa_da")
class PADA(Strategy):
    """One subnet per step; options with large gradients and samples with large gradients are drawn more often.

    Choices of one kind with the same options share one distribution. An option's gradient is the sum of the norms of
    its weights' gradients, layer by layer, divided by how many choices of the subnet took it, in a running mean that
    each epoch begins anew. The weights of an operation are those that no other operation of its choice uses; one
    without weights (a skip, a pooling) has no gradient and keeps its share of the equal part alone. Of ordered options
    (widths, kernels), which share their weights, they are the weights of the stages that the choice shapes, as far as
    the subnet uses them.

    A sample's gradient is bounded by the distance of the predicted probabilities from its label, averaged over its
    turns in the epoch; the next epoch draws as many samples, with repeats (not of a graph, which goes through a
    network at once). Chances are tau by gradients and 1 - tau equal; tau grows with the epochs. Nothing is weighted
    back in the loss, as in the paper.
    """

    label = "PA&DA"
    source = (
        "Lu et al., PA&DA: Jointly Sampling PAth and DAta for Consistent NAS, CVPR 2023 (for operations; "
        "for ordered options the idea is carried over by us)"
    )
    Config = Config

    # --- the state --------------------------------------------------------------------------------

    def start(self, session: Session) -> None:
        self.groups = groups_of(session.space)
        widths = [len(session.space.choices[group[0]].options) for group in self.groups]
        self.sizes = np.array(widths)
        shape = (len(self.groups), max(widths, default=1))
        self.exists = np.arange(shape[1]) < self.sizes[:, None]
        self.norms = np.zeros(shape)
        self.chances = equal(self.exists)
        ids = session.dataset.train.ids
        self._order = np.argsort(ids, kind="stable")
        self._sorted = ids[self._order]
        self.scores = np.zeros(len(ids))
        self.epoch, self.tau = 0, 0.0
        self._weights = weights_of(session) if self.config.paths else {}

    def state_dict(self) -> dict[str, Any]:
        return {
            "norms": self.norms,
            "chances": self.chances,
            "scores": self.scores,
            "epoch": self.epoch,
            "tau": self.tau,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.norms, self.chances = state["norms"].copy(), state["chances"].copy()
        self.scores = state["scores"].copy()
        self.epoch, self.tau = int(state["epoch"]), float(state["tau"])

    # --- the steps ---------------------------------------------------------------------------------

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return 1.0

    def order(self, session: Session, n: int, rng: np.random.Generator) -> NDArray[np.int64] | None:
        """Rows of the coming epoch; the first one takes each once."""
        if not self.config.data or not self.scores.any():
            return None
        chances = mixed(self.scores[None, :], np.ones((1, n), bool), self.tau)[0]
        self.scores = np.zeros(n)
        return rng.choice(n, size=n, p=chances)

    def step(self, session: Session, batch: Batch) -> float:
        if session.epoch != self.epoch:
            self.next_epoch(session.epoch)
        if session.step == 0:
            self.tau = self.config.tau * session.progress
        arch = self.draw(session.space, session.rng("draws"))
        session.zero_grad()
        outputs = session.forward(arch, batch)
        if self.config.data:
            norms = session.sample_gradient_norms(outputs, batch)
            self.see(batch.ids.cpu().numpy(), norms.cpu().numpy())
        value = session.backward(session.loss(LABELS, outputs, batch, {}))
        session.update()
        session.saw(arch, value)
        if self.config.paths:
            self.follow(session.space, arch, session.gradient_norms())
        return value

    def next_epoch(self, epoch: int) -> None:
        """Chances of the options from the gradients of the epoch that is over."""
        if self.config.paths:
            self.chances = mixed(self.norms, self.exists, self.tau)
        self.norms = np.zeros_like(self.norms)
        self.epoch = epoch

    # --- paths -------------------------------------------------------------------------------------

    def draw(self, space: SearchSpace, rng: np.random.Generator) -> Arch:
        """An architecture whose options have the chances of their group, anew where it computes nothing.

        Raises:
            InvalidInput: hardly any computes something.
        """
        group_of = {index: number for number, group in enumerate(self.groups) for index in group}
        for _ in range(_MOST_TRIES):
            picked = [
                int(rng.choice(count, p=self.chances[group_of[index], :count]))
                for index, count in enumerate(space.cardinalities)
            ]
            arch = space.canonical(picked)
            if space.computes(arch):
                return arch
        raise InvalidInput(
            "Hardly any architecture of this space computes something: there is nothing to train."
        )

    def follow(self, space: SearchSpace, arch: Arch, norms: Mapping[str, float]) -> None:
        """Take a step's gradients into the running means of the options that its architecture took.

        Args:
            space: of the architecture.
            arch: what was trained.
            norms: of the gradient of each weight that has one, by its name.
        """
        for number, group in enumerate(self.groups):
            active = [index for index in group if space.is_active(arch, space.names[index])]
            for option in {arch[index] for index in active}:
                takers = [index for index in active if arch[index] == option]
                total = sum(
                    norms.get(name, 0.0) for i in takers for name in self._weights.get((i, option), ())
                )
                if total > 0:
                    # As its authors do: each new value counts half, and the first is averaged with nothing.
                    self.norms[number, option] = (self.norms[number, option] + total / len(takers)) / 2

    # --- samples -----------------------------------------------------------------------------------

    def see(self, ids: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Take the scores of a batch's samples into their means of this epoch."""
        rows = self._order[np.searchsorted(self._sorted, ids)]
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
            self.scores[row] = score if self.scores[row] == 0 else (self.scores[row] + score) / 2


def groups_of(space: SearchSpace) -> list[list[int]]:
    """Choices that share a distribution: of one kind, with the same options."""
    found: dict[object, list[int]] = {}
    for index, choice in enumerate(space.choices):
        found.setdefault((choice.kind or choice.name, choice.options, choice.ordinal), []).append(index)
    return list(found.values())


def equal(exists: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(g, n) equal chances of what exists in each row."""
    chances: NDArray[np.float64] = exists / exists.sum(axis=1, keepdims=True)
    return chances


def mixed(norms: NDArray[np.float64], exists: NDArray[np.bool_], tau: float) -> NDArray[np.float64]:
    """(g, n) chances: tau in proportion to the norms, the rest equal; all equal in a row without any norm."""
    total = norms.sum(axis=1, keepdims=True)
    followed = np.where(total > 0, norms / np.where(total > 0, total, 1.0), equal(exists))
    chances: NDArray[np.float64] = tau * followed + (1 - tau) * equal(exists)
    return chances / chances.sum(axis=1, keepdims=True)


# --- whose weights ---------------------------------------------------------------------------------

_LOOKS, _SAMPLES = 8, 4
"""Times each option is looked at to see which weights it uses; samples that it is looked at on."""


def weights_of(session: Session) -> dict[tuple[int, int], tuple[str, ...]]:
    """(choice, option) -> names of the weights whose gradients speak for it.

    Weights are matrices and kernels; norms and biases do not count.
    """
    found: dict[tuple[int, int], tuple[str, ...]] = {}
    for index, choice in enumerate(session.space.choices):
        if choice.ordinal:
            names = _shaped(session, choice)
            found |= {(index, option): names for option in range(len(choice.options))}
    if any(not choice.ordinal for choice in session.space.choices):
        found |= _owned(session)
    return found


def _shaped(session: Session, choice: Choice) -> tuple[str, ...]:
    """Weights of the stages that a choice shapes."""
    return tuple(
        f"stages.{number}.{name}"
        for number, stage in enumerate(session.net.chain)
        if choice.name in stage.depends_on
        for name, weight in stage.named_parameters()
        if weight.ndim > 1
    )


def _owned(session: Session) -> dict[tuple[int, int], tuple[str, ...]]:
    """Weights that are used only where a choice without order takes one option; the likeliest owner of each."""
    space = session.space
    paths = max(space.cardinalities)
    rows = balanced(space, paths, _LOOKS, stream(session.seed, "pa_da")).reshape(-1, len(space))
    used, names = _used(session, rows)
    active, found = space.active(rows), dict[tuple[int, int], list[str]]()
    for column, name in enumerate(names):
        best: tuple[float, tuple[int, int]] | None = None
        where = used[:, column]
        for index, choice in enumerate(space.choices):
            options = set(rows[where, index].tolist())
            if choice.ordinal or len(options) != 1 or not active[where, index].all():
                continue
            option = options.pop()
            taken = active[:, index] & (rows[:, index] == option)
            share = float(where.sum() / taken.sum())
            if not taken.all() and (best is None or share > best[0]):
                best = (share, (index, option))
        if best is not None:
            found.setdefault(best[1], []).append(name)
    return {key: tuple(each) for key, each in found.items()}


def _used(session: Session, rows: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], list[str]]:
    """(n, weights) whether each architecture's output depends on each weight, and the weights' names."""
    import torch

    batch = beside(session.net, session.task.batch(session.dataset, session.dataset.train.first(_SAMPLES)))
    named = [(name, p) for name, p in session.net.named_parameters() if p.ndim > 1]
    weights, found = [p for _, p in named], []
    for row in rows.tolist():
        total = session.net(batch.inputs, tuple(row)).sum()
        gradients = torch.autograd.grad(total, weights, allow_unused=True)
        found.append([gradient is not None for gradient in gradients])
    return np.array(found, bool), [name for name, _ in named]
