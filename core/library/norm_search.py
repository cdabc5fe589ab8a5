"""What a search for layers has found so far, read from the numbers its run has logged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.norm_search.expressions import Tree, from_json, to_json, written
from core.records import Metrics

KIND = "evolve_norm"
TABLE_FILE = "expressions.csv"
EVOLVED = "Evolved"
"""What the best expression is called beside the usual layers."""
_ACCURACY = "accuracy_"


@dataclass(frozen=True)
class Candidate:
    """One expression that was tried.

    Attributes:
        generation: from 0.
        tree: the expression.
        rejected: why it was not trained in full; "" if it was.
        accuracies: network -> validation accuracy; empty where rejected.
    """

    generation: int
    tree: Tree
    rejected: str = ""
    accuracies: Mapping[str, float] | None = None

    @property
    def formula(self) -> str:
        return written(self.tree)

    @property
    def accuracy(self) -> float | None:
        """Mean over the networks; None where rejected."""
        return float(np.mean([*self.accuracies.values()])) if self.accuracies else None

    def row(self) -> Metrics:
        """As a run logs it."""
        told = {f"{_ACCURACY}{name}": value for name, value in (self.accuracies or {}).items()}
        tree = json.dumps(to_json(self.tree))
        return {"generation": self.generation, "expression": tree, "rejected": self.rejected, **told}


@dataclass(frozen=True)
class Layer:
    """A layer trained again with further seeds.

    Attributes:
        name: what a person reads.
        tests: seed -> test accuracy, the mean over the networks.
    """

    name: str
    tests: Mapping[int, float]


@dataclass(frozen=True)
class NormSearch:
    """A search so far.

    Attributes:
        candidates: in the order tried.
        layers: the best expression and the usual layers, trained again; empty before the search is over.
    """

    candidates: tuple[Candidate, ...]
    layers: tuple[Layer, ...]

    @property
    def best(self) -> Candidate | None:
        """The most accurate expression on validation images, the earliest of equals."""
        alive = [c for c in self.candidates if c.accuracy is not None]
        return max(alive, key=lambda c: c.accuracy or 0.0) if alive else None

    @classmethod
    def of(cls, rows: Sequence[Metrics]) -> NormSearch:
        """Read what a run logged.

        Raises:
            InvalidInput: an expression cannot be read.
        """
        candidates: list[Candidate] = []
        tests: dict[str, dict[int, float]] = {}
        for row in rows:
            if "layer" in row:
                tests.setdefault(str(row["layer"]), {})[int(row["seed"])] = float(row["test_accuracy"])
                continue
            told = {k.removeprefix(_ACCURACY): float(v) for k, v in row.items() if k.startswith(_ACCURACY)}
            candidates.append(
                Candidate(
                    int(row["generation"]),
                    from_json(json.loads(str(row["expression"]))),
                    str(row["rejected"]),
                    told or None,
                )
            )
        return cls(tuple(candidates), tuple(Layer(name, found) for name, found in tests.items()))

    def table(self) -> list[dict[str, str | float | int]]:
        """One row per expression, for a file."""
        return [
            {
                "generation": c.generation,
                "formula": c.formula,
                "rejected": c.rejected,
                "accuracy": float("nan") if c.accuracy is None else c.accuracy,
                **{f"{_ACCURACY}{name}": value for name, value in (c.accuracies or {}).items()},
                "expression": json.dumps(to_json(c.tree)),
            }
            for c in self.candidates
        ]
