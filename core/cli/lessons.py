"""The command `lesson`: compute a lesson's evidence; with seed 0 it is what the lesson is shipped with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.driving import run_workflow
from core.cli.output import write_or_print
from core.config import JsonObject
from core.errors import InvalidInput
from core.lessons.base import LESSONS, ComputedLesson

KINDS = {"training": "compute_lesson", "measuring": "measure_lesson"}
"""The workflow of each weight class."""


def lesson(
    name: Annotated[str, typer.Argument(help="`list lesson` shows them.")],
    seed: Annotated[int, typer.Option(help="Of all chance in it; 0 is what is shipped.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the evidence here as JSON.")] = None,
) -> None:
    """Compute what a lesson shows, with a seed of your own; the Learn page opens the run as well."""
    chosen = LESSONS.create(name.replace("-", "_"))
    if not isinstance(chosen, ComputedLesson):
        raise InvalidInput(
            "This lesson reads the table of a supernet and computes nothing; train a supernet instead."
        )
    request: JsonObject = {"lesson": chosen.name, "seed": seed}
    ledger = run_workflow(KINDS[chosen.weight_class], request, title=f"{chosen.label} Seed {seed}", seed=seed)
    write_or_print(out, ledger.artifact(chosen.Evidence.FILE))
