"""What a search found, in numbers, as its run keeps it; its measurements are in the ledger."""

from __future__ import annotations

from typing import ClassVar

from core.library.results import Record

KIND = "search_front"
EVALUATIONS_FILE = "evaluations.csv"
"""Every measurement as a table, with `on_front`."""


class SearchRecord(Record):
    """The end of a search.

    Attributes:
        evaluations: distinct architectures measured.
        front_size: of them on the front.
        hypervolume: of the front against `reference`, in the product of the objectives' units.
        reference: objective -> value; None where nothing was measured.
        sources: how the numbers were obtained.
    """

    FILE: ClassVar[str] = "summary.json"
    evaluations: int
    front_size: int
    hypervolume: float
    reference: dict[str, float] | None
    sources: tuple[str, ...]
