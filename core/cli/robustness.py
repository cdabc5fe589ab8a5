"""The command `robustness`: subnets under attack, and what goes with staying right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli import tables
from core.cli.driving import find_supernet, run_workflow
from core.cli.output import write_table
from core.config import Settings


def robustness(
    supernet: Annotated[
        str,
        typer.Argument(
            metavar="SUPERNET", help="A shipped name (digits-cnn), an id, or a .safetensors file."
        ),
    ],
    subnets: Annotated[
        int,
        typer.Option(
            min=8, help="Subnets to attack, spread evenly over MACs; each takes about 0.3 s on digits."
        ),
    ] = 40,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    csv: Annotated[Path | None, typer.Option(help="Write every subnet here as CSV.")] = None,
) -> None:
    """Accuracy under attack (PGD) and FSP distance of some subnets, their front, and whether one goes with the other."""
    from core.library.csv_tables import csv_bytes
    from core.library.evaluations import architectures
    from core.views.robustness import MEASURED
    from core.views.robustness import robustness as view

    entry = find_supernet(supernet)
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "n": subnets,
        "objectives": [*MEASURED],
        "seed": seed,
    }
    ledger = run_workflow("measure_sample", params, title=f"{entry.title} under attack", seed=seed)
    found = view(entry.space, [measurement for _, measurement in ledger.measurements()])
    for sentence in found.sentences:
        print(sentence)
    if csv is not None:
        write_table(csv, csv_bytes(architectures(entry.space, found.table)), tables.about(supernet, ledger))
        print(csv)
