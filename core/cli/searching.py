"""`search`: a supernet searched for its front, and what its flags mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from core.cli import flags, tables
from core.cli.driving import Processes, run_workflow
from core.cli.output import write_table
from core.config import Settings
from core.errors import InvalidInput

_MOST = 10_000_000
FLAGS = {"from_runs": "from-run", "constraints": "constraint"}
"""Fields of the request that the command calls otherwise."""


def search(
    context: typer.Context,
    supernet: Annotated[
        str,
        typer.Argument(
            metavar="SUPERNET", help="A shipped name (digits-cnn), an id, or a .safetensors file."
        ),
    ],
    algorithm: Annotated[str, typer.Option(help="nsga2, random_search, exhaustive, ...")] = "nsga2",
    objectives: Annotated[str, typer.Option(help="Comma-separated.")] = "accuracy,macs",
    budget: Annotated[
        int | None, typer.Option(help="Distinct architectures to measure; 400 if no --seconds are given.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="End with the batch that spends this much.")] = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:LOW..HIGH", help="A bound: macs:..5e6, accuracy:0.9.. Repeat for more."),
    ] = None,
    from_run: Annotated[
        list[str] | None,
        typer.Option(help="Start from what this earlier search measured. Repeat for more."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    keep_mb: Annotated[
        int, typer.Option(help="Megabytes of activations kept between batches; changes no number.")
    ] = 1000,
    use_table: Annotated[bool, typer.Option(help="Look numbers up where a complete table has them.")] = True,
    processes: Processes = 1,
    in_flight: Annotated[
        int | None,
        typer.Option(
            help="Questions on their way at once: 1 waits for all of a batch, more asks for the next as soon as one is "
            "answered. As many as a cluster has cores if left out, 1 without one."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table here as CSV.")] = None,
) -> None:
    """Search a supernet for its front. Further flags are settings of the algorithm."""
    from core.library.searches import EVALUATIONS_FILE
    from core.search import ALGORITHMS

    name = ALGORITHMS.info(algorithm.replace("-", "_")).name
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "algorithm": name,
        "config": flags.parse(context.args, ALGORITHMS.get(name).Config, f"algorithm {name}"),
        "objectives": [*tables.names(objectives)],
        "constraints": [*bounds(constraint or ())],
        "from_runs": [*(from_run or ())],
        "seconds": seconds,
        "seed": seed,
        "keep_mb": keep_mb,
        "use_table": use_table,
        "processes": processes,
        "in_flight": in_flight,
    }
    if budget is not None or seconds is not None:
        params["budget"] = _MOST if budget is None else budget
    ledger = run_workflow("search_front", params, title=f"{name} on {supernet}", seed=seed, flags=FLAGS)
    write_table(csv, ledger.artifact(EVALUATIONS_FILE), tables.about(supernet, ledger))


def bounds(texts: Sequence[str]) -> list[Settings]:
    """ "macs:..5000000" as {"objective": "macs", "upper": 5000000.0}.

    Raises:
        InvalidInput: one says no bound.
        NotFound: one bounds no objective.
    """
    return [_bound(text) for text in texts]


def _bound(text: str) -> Settings:
    name, _, interval = text.partition(":")
    lower, dots, upper = interval.partition("..")
    found: Settings = {"objective": name.strip()}
    try:
        found |= {"lower": float(lower)} if lower.strip() else {}
        found |= {"upper": float(upper)} if upper.strip() else {}
    except ValueError:
        dots = ""
    if not dots or len(found) == 1:
        raise InvalidInput(
            f"--constraint {text!r} says no bound; write macs:..5000000 (at most), accuracy:0.9.. (at least) "
            "or macs:1e6..5e6."
        )
    tables.names(name)
    return found
