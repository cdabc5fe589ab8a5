"""The commands `predictors`, `proxies` and `ranking-check`: how well architectures are judged without training them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from core.cli import tables
from core.cli.driving import Processes, find_supernet, run_workflow
from core.cli.output import write, write_or_print
from core.config import Settings

SupernetName = Annotated[
    str,
    typer.Argument(metavar="SUPERNET", help="A shipped name (digits-cnn), an id, or a .safetensors file."),
]
Csv = Annotated[Path | None, typer.Option(help="Write the table here as CSV.")]


def predictors(
    supernet: SupernetName,
    rows: Annotated[int, typer.Option(help="Architectures to learn from and to guess.")] = 200,
    names: Annotated[
        str,
        typer.Option("--predictors", help="Comma-separated; all if left out. `list predictor` shows them."),
    ] = "",
    search: Annotated[
        str,
        typer.Option(
            "--run", help="Id of a search whose measurements are taken, instead of a random sample."
        ),
    ] = "",
    objective: Annotated[str, typer.Option(help="What is learned.")] = "accuracy",
    folds: Annotated[int, typer.Option(help="Parts that are guessed from the others in turn.")] = 5,
    beside: Annotated[bool, typer.Option(help="Predictors are told MACs and parameters.")] = True,
    seed: Annotated[int, typer.Option(help="Of the sample, the folds and the predictors.")] = 0,
    csv: Csv = None,
) -> None:
    """Kendall's tau, error and coverage of every predictor, on architectures that it had not seen."""
    from core.library.judged import JudgedRecord
    from core.views import predictors as view

    params: Settings = {
        "supernet": tables.absolute(supernet),
        "run": search,
        "rows": rows,
        "predictors": [*_listed(names)],
        "objective": objective,
        "folds": folds,
        "beside": beside,
        "seed": seed,
    }
    ledger = run_workflow("judge_predictors", params, title=f"predictors on {supernet}", seed=seed)
    record = JudgedRecord.so_far(ledger)
    assert record is not None
    write_or_print(csv, view.csv(record))


def proxies(
    supernet: SupernetName,
    subnets: Annotated[int, typer.Option(help="Subnets to score, drawn at random.")] = 50,
    names: Annotated[
        str,
        typer.Option(
            "--proxies",
            help="Comma-separated, besides the baselines; all if left out. `list proxy` shows them.",
        ),
    ] = "",
    weights: Annotated[str, typer.Option(help="fresh (untrained) or supernet (its weights).")] = "fresh",
    samples: Annotated[int, typer.Option(help="Training samples in the batch.")] = 64,
    objective: Annotated[str, typer.Option(help="What the proxies are held against.")] = "accuracy",
    by_layer: Annotated[
        str, typer.Option(help="The proxy whose layers a small network learns to weigh.")
    ] = "snip",
    seed: Annotated[int, typer.Option(help="Of the sample, the batch and the fresh weights.")] = 0,
    csv: Annotated[Path | None, typer.Option(help="Write the scores of every subnet here as CSV.")] = None,
) -> None:
    """Rank correlation of zero-cost proxies, and of two baselines, with what was measured."""
    from core.library.proxies import ProxiesRecord
    from core.views import proxies as view

    entry = find_supernet(supernet)
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "subnets": subnets,
        "proxies": [*_listed(names)],
        "weights": weights,
        "samples": samples,
        "objective": objective,
        "by_layer": by_layer,
        "seed": seed,
    }
    ledger = run_workflow("score_proxies", params, title=f"proxies of {supernet}", seed=seed)
    record = ProxiesRecord.so_far(ledger)
    assert record is not None
    print(view.correlations_csv(record).decode(), end="")
    if csv is not None:
        write(csv, view.csv(record, entry.space))
        print(csv)


def ranking_check(
    supernet: SupernetName,
    subnets: Annotated[int, typer.Option(help="Subnets to train alone, each with every seed.")] = 12,
    seeds: Annotated[int, typer.Option(help="Trainings of each.")] = 2,
    chosen: Annotated[str, typer.Option(help="spread (over cost), front, or near (the front).")] = "spread",
    ids: Annotated[str, typer.Option(help="These subnets instead: short ids, by commas.")] = "",
    seed: Annotated[int, typer.Option(help="First seed; the others follow it.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="As the supernet's own training if left out.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="As the supernet's own if left out.")] = None,
    table: Annotated[
        str, typer.Option(help="A published table instead of training: CSV, Parquet, ... with arch_str.")
    ] = "",
    column: Annotated[str, typer.Option(help="Its columns of accuracies, by commas; each like a seed.")] = "",
    processes: Processes = 1,
    csv: Csv = None,
) -> None:
    """Is the supernet's order that of training alone? Kendall's tau, its ceiling, regret and a verdict, as one JSON line."""
    from core.library.ranking_check import RankingRecord
    from core.views.ranking import ranking_check as computed
    from core.views.ranking_told import csv as csv_of
    from core.views.ranking_told import summary

    entry = find_supernet(supernet)
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "subnets": subnets,
        "chosen": chosen,
        "ids": [part.strip() for part in ids.split(",") if part.strip()],
        "seeds": seeds,
        "seed": seed,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "table": str(Path(table).resolve()) if Path(table).is_file() else table,
        "columns": [part.strip() for part in column.split(",") if part.strip()],
        "processes": processes,
    }
    title = f"Ranking check of {entry.title}, {subnets} subnets"
    ledger = run_workflow("check_ranking", params, title=title, seed=seed, flags={"columns": "column"})
    record = RankingRecord.so_far(ledger)
    assert record is not None
    found = computed(record)
    print(json.dumps(summary(record, found)))
    if csv is not None:
        write(csv, csv_of(record, entry.space, found))
        print(csv)


def _listed(text: str) -> list[str]:
    return [name.strip().replace("-", "_") for name in text.split(",") if name.strip()]
