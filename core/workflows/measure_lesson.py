"""Measure a lesson's evidence where seconds count: one measuring job runs at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.records import Progress
from core.workflows.compute_lesson import Request as LessonRequest
from core.workflows.compute_lesson import computed

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Lesson, timed"
WEIGHT_CLASS = "measuring"


class Request(LessonRequest):
    """Which lesson to measure."""


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """As `compute_lesson.run`.

    Raises:
        NotFound, InvalidInput: as there.
    """
    yield from computed(request.lesson, request.seed, ledger, library)
