"""Evolve a layer that normalizes and activates at once, and compare it with the usual ones over seeds.

Every expression is one row of the run's log, and nothing else is needed to go on: a resumed run builds the evolution
again, repeats the logged rows and continues where they end.

Inspired by: Liu et al., "Evolving Normalization-Activation Layers", NeurIPS 2020; networks, data and the number of
expressions are thousands of times smaller here, and expressions are trees instead of graphs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from core.config import BaseConfig
from core.datasets.loading import load_dataset
from core.errors import InvalidInput
from core.library.csv_tables import csv_bytes
from core.library.norm_search import EVOLVED, TABLE_FILE, Candidate, NormSearch
from core.norm_search.evolution import Evolution
from core.records import Metrics, Progress
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library
    from core.norm_search.expressions import Tree
    from core.norm_search.layers import MakeLayer
    from core.norm_search.trial import Digits, Sizes

LABEL = "Evolved layer"
WEIGHT_CLASS = "training"
_LONGER = 2
"""The comparison trains so many times as long as the search."""


class Request(BaseConfig):
    """How many expressions to try, and how long to train with each."""

    population: int = Field(
        10, ge=2, le=500, description="Expressions that may be parents; the first generation"
    )
    children: int = Field(6, ge=1, le=500, description="Expressions of each later generation")
    generations: int = Field(8, ge=1, le=1000, description="Generations, the first one included")
    tournament: int = Field(3, ge=1, le=100, description="Contestants for each parent")
    steps: int = Field(80, ge=4, le=100_000, description="Training steps for each expression and network")
    seeds: int = Field(
        8,
        ge=1,
        le=50,
        description="Seeds of the comparison with the usual layers; 8 and more can be told apart",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Decides every draw")

    @model_validator(mode="after")
    def _fits(self) -> Request:
        if self.tournament > self.population:
            raise ValueError("a tournament has at most as many contestants as the population")
        return self


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Evolve, or go on evolving, then compare; the artifact is a table of all expressions.

    Raises:
        InvalidInput: what the run has logged belongs to other settings.
    """
    from core.norm_search.trial import Digits, Sizes

    yield Progress(0.0, "Reading the digits.")
    digits, sizes = Digits.of(load_dataset("digits")), Sizes(steps=request.steps)
    logged = {int(row["step"]): row for row in ledger.metrics()}
    candidates: list[Candidate] = []
    for candidate in _evolved(request, digits, sizes, logged):
        if len(candidates) not in logged:
            ledger.log_metrics(len(candidates), candidate.row())
        candidates.append(candidate)
        yield Progress(_done(request, len(candidates), 0), _sentence(candidates), _numbers(candidates))
    yield from _compare(request, candidates, digits, logged, ledger)
    found = NormSearch.of(ledger.metrics())
    ledger.save_artifact(TABLE_FILE, csv_bytes(found.table()), "text/csv")
    yield Progress(1.0, f"Done: {_sentence(candidates)}", _numbers(candidates))


def _evolved(
    request: Request, digits: Digits, sizes: Sizes, logged: dict[int, Metrics]
) -> Iterator[Candidate]:
    """Every expression with what it is worth, in order; logged ones are not tried again."""
    evolution = Evolution(
        population=request.population,
        children=request.children,
        tournament=request.tournament,
        seed=request.seed,
    )
    step = 0
    for generation in range(request.generations):
        told: list[tuple[Tree, float | None]] = []
        for tree in evolution.ask():
            candidate = _repeated(tree, generation, logged[step]) if step in logged else None
            candidate = candidate or _tried(tree, generation, digits, request.seed, sizes)
            told.append((tree, candidate.accuracy))
            step += 1
            yield candidate
        evolution.tell(told)


def _repeated(tree: Tree, generation: int, row: Metrics) -> Candidate:
    found = NormSearch.of([row]).candidates if "expression" in row else ()
    if not found or (found[0].tree, found[0].generation) != (tree, generation):
        raise InvalidInput(
            "The logged expressions do not follow from this run's settings, so it cannot be continued exactly. "
            "They are kept; start the search again as a new run."
        )
    return found[0]


def _tried(tree: Tree, generation: int, digits: Digits, seed: int, sizes: Sizes) -> Candidate:
    from core.norm_search.trial import NETS, fitness, rejected

    make = _layer(tree)
    why = rejected(make, digits, seed, sizes)
    if why:
        return Candidate(generation, tree, why)
    return Candidate(generation, tree, "", {n: fitness(n, make, digits, seed, sizes)[0] for n in NETS})


def _compare(
    request: Request, candidates: list[Candidate], digits: Digits, logged: dict[int, Metrics], ledger: Ledger
) -> Iterator[Progress]:
    """Train the best expression and the usual layers with further seeds, twice as long."""
    from core.norm_search.layers import BASELINES
    from core.norm_search.trial import NETS, Sizes, fitness

    best = NormSearch(tuple(candidates), ()).best
    layers = ({EVOLVED: _layer(best.tree)} if best else {}) | dict(BASELINES)
    sizes, step = Sizes(steps=_LONGER * request.steps), len(candidates)
    for index in range(request.seeds):
        seed = request.seed + 1 + index  # not the one that the winner was lucky with
        for name, make in layers.items():
            if step not in logged:
                tests = [fitness(net, make, digits, seed, sizes)[1] for net in NETS]
                row: Metrics = {"layer": name, "seed": seed, "test_accuracy": math.fsum(tests) / len(tests)}
                ledger.log_metrics(step, row)
            step += 1
            done = _done(request, len(candidates), step - len(candidates))
            yield Progress(done, f"Comparing: {name}, seed {seed}.", _numbers(candidates))


def _layer(tree: Tree) -> MakeLayer:
    from core.norm_search.layers import ExpressionLayer

    return lambda channels: ExpressionLayer(tree, channels)


def _done(request: Request, tried: int, compared: int) -> float:
    expressions = request.population + (request.generations - 1) * request.children
    comparisons = 5 * request.seeds * _LONGER
    return min((tried + _LONGER * compared) / (expressions + comparisons), 1.0)


def _numbers(candidates: list[Candidate]) -> Metrics:
    best = NormSearch(tuple(candidates), ()).best
    rejected = sum(bool(c.rejected) for c in candidates)
    told: Metrics = {"expressions": len(candidates), "rejected": rejected}
    return told | {"best_accuracy": best.accuracy or 0.0} if best else told


def _sentence(candidates: list[Candidate]) -> str:
    best = NormSearch(tuple(candidates), ()).best
    rejected = sum(bool(c.rejected) for c in candidates)
    tried = f"{len(candidates)} expressions tried, {rejected} rejected before training."
    if best is None:
        return f"{tried} None can be trained yet."
    return (
        f"{tried} Best so far: {best.formula}, validation accuracy {format_share(best.accuracy or 0.0, 1)}."
    )
