"""Compute a lesson's evidence with a seed of one's own: small trainings, done in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.lessons.base import LESSONS, ComputedLesson
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Lesson"
WEIGHT_CLASS = "training"


class Request(BaseConfig):
    """Which lesson to compute."""

    lesson: str = Field(max_length=64, description="Name of a lesson; `list lesson` shows them")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of all chance in it")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Train or measure; the artifact is the lesson's evidence, `lesson.json`.

    Raises:
        NotFound: there is no such lesson.
        InvalidInput: the lesson reads a supernet's table and computes nothing.
    """
    yield from computed(request.lesson, request.seed, ledger, library)


def computed(name: str, seed: int, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """As `run`, for the workflows that do it one at a time with trainings or alone on the machine."""
    lesson: Any = LESSONS.create(name)
    if not isinstance(lesson, ComputedLesson):
        raise InvalidInput("This lesson reads the table of a supernet: train and measure a supernet instead.")
    yield Progress(0.0, f"{lesson.label} Starting.")
    evidence = yield from lesson.compute(seed, ledger, library)
    evidence.save(ledger)
    yield Progress(1.0, evidence.about)
