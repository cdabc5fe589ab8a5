"""What pruned networks were evaluated on later, as runs of `evaluate_pruned` keep it."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from core.library.results import Record

KIND = "evaluate_pruned"


class EvaluatedRecord(Record):
    """What a run keeps, written anew after every network.

    Attributes:
        files: network id -> name of the run's file with its margins.
    """

    FILE: ClassVar[str] = "evaluated.json"
    FORMAT: ClassVar[int] = 2
    format: int = Field(2, ge=1)
    files: dict[str, str] = {}

    @classmethod
    def upgraded(cls, fields: dict[str, Any]) -> dict[str, Any]:
        # The first format was the mapping itself.
        return fields if "format" in fields else {"files": fields}
