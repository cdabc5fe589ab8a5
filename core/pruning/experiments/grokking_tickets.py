"""Does the mask of a network that has grokked hold what it grokked?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

import torch
from pydantic import Field
from torch import Tensor

from core.config import JsonObject
from core.networks.masks import Masks, allocate, like_layers
from core.pruning.experiments import modular_addition
from core.pruning.experiments.base import EXPERIMENTS, Experiment, Row, Settings, seed_of
from core.pruning.experiments.comparing import NOTHING, at, claim, compared, difference
from core.pruning.experiments.modular_addition import Point
from core.pruning.pruners.base import PruningTask
from core.records import Progress
from core.seeding import torch_seed
from core.words import count_of, format_share

DENSE, TICKET, MEMORIZED, RANDOM = "dense", "grokking ticket", "ticket at memorization", "random mask"
MODULUS = 67
REACHED = 0.95
_MEMORIZED = 0.99
# The dense network goes on so long after it has generalized, so that its small weights have decayed.
_SETTLING = 500


@EXPERIMENTS.register("grokking_tickets")
class GrokkingTickets(Experiment):
    """Prunes a network that has suddenly generalized, rewinds it to its first weights and trains it again.

    A small network of its own learns addition modulo 67; nothing of the task but its seed is used.
    """

    label = "Grokking tickets"
    source = "Minegishi et al., 'Bridging lottery ticket and grokking', arXiv 2310.19470, 2023"
    question = "Does a network understand sooner if it starts from the mask of one that has understood?"
    x_label = "training steps"
    y_label = "accuracy"

    class Config(Settings):
        """How sparse, and how long a network may take."""

        sparsity: float = Field(0.6, ge=0.1, le=0.95, description="Share of the weights that tickets lack.")
        steps: int = Field(5000, ge=100, le=50000, description="Steps after which a network has failed.")
        train_share: float = Field(0.6, ge=0.2, le=0.9, description="Share of all pairs that is trained on.")
        weight_decay: float = Field(1.0, ge=0, le=10, description="Weight decay of AdamW.")

    def run_part(self, task: PruningTask, part: JsonObject) -> Iterator[Progress | Row]:
        seed = seed_of(task, part)
        start = modular_addition.fresh(MODULUS, seed)
        generalized = memorized = None
        for point in self._train(seed, start, {}, _SETTLING):
            yield from _shown(DENSE, seed, point, 0.0, self.config.steps)
            generalized = point
            if memorized is None and point.train >= _MEMORIZED:
                memorized = point
        assert generalized is not None
        mask = ticket_mask(generalized.weights, self.config.sparsity)
        # A network that never learned its training pairs has no such moment; its end stands for it.
        early = ticket_mask((memorized or generalized).weights, self.config.sparsity)
        generator = torch.Generator().manual_seed(torch_seed(seed, "grokking", "random mask"))
        chance = {name: torch.rand(tensor.shape, generator=generator) for name, tensor in mask.items()}
        plans: list[tuple[str, Masks]] = [
            (TICKET, mask),
            (MEMORIZED, early),
            (RANDOM, like_layers(mask, chance)),
        ]
        for index, (name, masks) in enumerate(plans, 1):
            for point in self._train(seed, start, masks, 0):
                yield from _shown(name, seed, point, index / 4, self.config.steps)
        yield Progress(1.0, f"seed {seed}: done")

    def _train(self, seed: int, start: Mapping[str, Tensor], masks: Masks, settling: int) -> Iterator[Point]:
        """Train until the test accuracy is reached and some steps more, or until the steps are used up."""
        data = modular_addition.pairs(MODULUS, self.config.train_share, seed)
        reached: int | None = None
        for point in modular_addition.train(data, start, masks, self.config.steps, self.config.weight_decay):
            yield point
            if reached is None and point.test >= REACHED:
                reached = point.step
            if reached is not None and point.step >= reached + settling:
                return

    def verdict(self, rows: Sequence[Row]) -> list[str]:
        found = {name: steps_to(rows, name) for name in (DENSE, TICKET, MEMORIZED, RANDOM)}
        said = [_steps_sentence(name, found[name], rows) for name in found if found[name]]
        memorized = steps_to(rows, DENSE, "train", _MEMORIZED)
        if memorized and all(reached for _, reached in memorized.values()):
            steps = statistics.fmean(step for step, _ in memorized.values())
            said.insert(0, f"The dense network knows its training pairs after {steps:,.0f} steps.")
        untrained = at([row for row in rows if row.split == "test"], TICKET, 0.0)
        if untrained:
            mean = statistics.fmean(untrained.values())
            said.append(
                f"Before any step the grokking ticket already gets {format_share(mean, 1)} of the test pairs right."
            )
        names = {
            DENSE: "the dense network",
            MEMORIZED: "the ticket at memorization",
            RANDOM: "the random mask",
        }
        for other, name in names.items():
            # One that never got there has taken at least as many steps as it was given.
            apart = difference(*({s: step for s, (step, _) in found[c].items()} for c in (TICKET, other)))
            if apart is not None:
                said.append(
                    compared(apart, "the grokking ticket", name, _steps, _steps)
                    + _at_least(found[TICKET], found[other])
                )
                said.append(
                    claim(f"the grokking ticket generalizes sooner than {name}", [apart], smaller=True)
                )
        return said or [NOTHING]


def ticket_mask(weights: Mapping[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """Mask of the largest weights of all layers together."""
    return allocate({name: tensor.abs().double() for name, tensor in weights.items()}, sparsity)


def steps_to(
    rows: Sequence[Row], condition: str, split: str = "test", share: float = REACHED
) -> dict[int, tuple[float, bool]]:
    """Seed -> first step with the share of right answers and True; the last step and False if it never came."""
    found: dict[int, tuple[float, bool]] = {}
    for row in sorted(rows, key=lambda row: row.x):
        if row.condition != condition or row.split != split or found.get(row.seed, (0, False))[1]:
            continue
        found[row.seed] = (row.x, row.y >= share)
    return found


def _shown(name: str, seed: int, point: Point, fraction: float, steps: int) -> Iterator[Progress | Row]:
    yield Row(name, seed, float(point.step), point.train, "train")
    yield Row(name, seed, float(point.step), point.test, "test")
    share = fraction + min(1.0, point.step / steps) / 4
    yield Progress(share, f"seed {seed}, {name}: step {point.step}, test accuracy {format_share(point.test)}")


def _steps(value: float) -> str:
    return f"{abs(value):,.0f} steps"


def _at_least(*sides: Mapping[int, tuple[float, bool]]) -> str:
    open_ended = any(not reached for side in sides for _, reached in side.values())
    return " Networks that never got there count with the steps they were given." if open_ended else ""


def _steps_sentence(name: str, found: Mapping[int, tuple[float, bool]], rows: Sequence[Row]) -> str:
    there = [step for step, reached in found.values() if reached]
    seeds = count_of(len(found), "seed")
    start = f"{name[0].upper()}{name[1:]}: {format_share(REACHED)} test accuracy"
    if not there:
        most = max(step for step, _ in found.values())
        best = max(row.y for row in rows if row.condition == name and row.split == "test")
        return (
            f"{start} not reached in {most:,.0f} steps by any of {seeds}; the best is {format_share(best)}."
        )
    spread = f"{min(there):,.0f} to {max(there):,.0f}" if min(there) < max(there) else f"{there[0]:,.0f}"
    return f"{start} after {spread} steps, by {len(there)} of {seeds}."
