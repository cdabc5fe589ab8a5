"""`evolve-norm`: search for a layer that normalizes and activates at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.driving import run_workflow
from core.cli.output import write_or_print
from core.config import Settings
from core.library.norm_search import KIND, TABLE_FILE


def evolve_norm(
    generations: Annotated[int, typer.Option(help="Generations, the first one included.")] = 8,
    population: Annotated[int, typer.Option(help="Expressions that may be parents.")] = 10,
    children: Annotated[int, typer.Option(help="Expressions of each later generation.")] = 6,
    steps: Annotated[int, typer.Option(help="Training steps for each expression and network.")] = 80,
    seeds: Annotated[int, typer.Option(help="Seeds of the comparison with the usual layers.")] = 8,
    seed: Annotated[int, typer.Option(help="Decides every draw.")] = 0,
    csv: Annotated[Path | None, typer.Option(help="Write all expressions here as CSV.")] = None,
) -> None:
    """Evolve an expression for normalization and activation, and compare it with the usual layers."""
    from core.plots.over_seeds import in_words
    from core.views.norm_search import NormView

    params: Settings = {
        "generations": generations,
        "population": population,
        "children": children,
        "steps": steps,
        "seeds": seeds,
        "seed": seed,
    }
    ledger = run_workflow(KIND, params, title=f"Evolved layer, seed {seed}", seed=seed)
    view = NormView.of(ledger.metrics())
    best = view.search.best
    print(f"best: {best.formula}" if best else "No expression could be trained.")
    for row in view.rows:
        print(f"{row.name}: test accuracy {in_words(row.accuracy, factor=100.0, unit=' %')}")
    for sentence in view.sentences:
        print(sentence)
    if csv is not None:
        write_or_print(csv, ledger.artifact(TABLE_FILE))
