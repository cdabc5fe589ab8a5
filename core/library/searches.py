"""What a search found, in numbers, as its run keeps it; its measurements are in the ledger."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from core.config import BaseConfig, JsonObject
from core.errors import InvalidInput
from core.library.results import Record
from core.objectives.base import require_choosable
from core.pareto import Constraint

KIND = "search_front"
EVALUATIONS_FILE = "evaluations.csv"
"""Every measurement as a table, with `on_front`."""
TOLD = -1
"""Step of the measurements that an earlier search made and this one was told before its first question."""


class Bound(BaseConfig):
    """What an objective must be at least or at most, in its unit."""

    objective: str = Field(description="An objective, searched for or not")
    lower: FiniteFloat | None = Field(None, description="Smallest allowed value")
    upper: FiniteFloat | None = Field(None, description="Largest allowed value")

    @property
    def constraint(self) -> Constraint:
        return Constraint(self.objective, self.lower, self.upper)

    @model_validator(mode="after")
    def _bounds(self) -> Bound:
        require_choosable(self.objective)
        if self.lower is None and self.upper is None:
            raise InvalidInput(f"A bound on {self.objective} needs a smallest or a largest value.")
        assert self.constraint  # which refuses a lower bound above the upper one
        return self


def bounds_of(params: JsonObject) -> tuple[Constraint, ...]:
    """The bounds that a search's request names; those it had in a release that knew none are none.

    Raises:
        InvalidInput: they cannot be read.
    """
    given = params.get("constraints")
    try:
        return tuple(Bound.model_validate(b).constraint for b in (given if isinstance(given, list) else ()))
    except ValidationError as error:
        raise InvalidInput("The bounds of this search cannot be read; start it again.") from error


class SearchRecord(Record):
    """The end of a search.

    Attributes:
        evaluations: distinct architectures measured.
        front_size: of them on the front.
        hypervolume: of the front against `reference`, in the product of the objectives' units.
        reference: objective -> value; None where nothing was measured.
        sources: how the numbers were obtained.
        told: architectures that an earlier search had measured.
    """

    FILE: ClassVar[str] = "summary.json"
    evaluations: int
    front_size: int
    hypervolume: float
    reference: dict[str, float] | None
    sources: tuple[str, ...]
    told: int = 0
