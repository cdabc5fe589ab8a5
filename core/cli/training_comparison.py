"""`train --compare`: one space trained in several ways, with a verdict and a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.cli.driving import run_workflow
from core.cli.output import write
from core.config import JsonObject
from core.errors import InvalidInput

if TYPE_CHECKING:
    from core.workflows.train_supernet import Asked

_FLAGS = {"methods": "compare"}


def started(
    training: Asked, strategies: str | None, csv: Path | None, processes: int, *, apart: Sequence[object]
) -> Asked:
    """The training that a comparison starts from; as it is where none is asked for.

    Args:
        training: as the command names it.
        strategies: of the comparison, None where none is asked for.
        csv: where a table of one would go.
        processes: that would share one.
        apart: what was given of the flags that do not go with it.

    Raises:
        InvalidInput: flags that do not go together.
    """
    if strategies is None:
        if csv is not None:
            raise InvalidInput("--csv goes with --compare.")
        if processes != 1:
            raise InvalidInput("--processes goes with --compare; torchrun shares one training.")
        return training
    if any(each is not None for each in apart) or training.get("start"):
        raise InvalidInput(
            "--compare takes none of --method, --out, --stop-after, --dry-run and --from: it trains several ways from fresh "
            "weights and keeps every supernet."
        )
    # A strategy of no settings, so that further flags are those of the training alone.
    return {**training, "training": {**training["training"], "strategy": "uniform", "strategy_config": {}}}


def compare(
    training: Asked,
    strategies: str,
    *,
    seeds: int,
    budget: str,
    subnets: int,
    processes: int,
    csv: Path | None,
) -> None:
    """Train in every way, print what came of it, and write a row per measured subnet.

    Args:
        training: what every method changes the strategy of.
        strategies: names, separated by commas.
        seeds, budget, subnets, processes: see `core.workflows.compare_trainings.Request`.
        csv: where the table goes.

    Raises:
        InvalidInput, NotFound: a strategy does not exist, or something does not fit.
    """
    from core.library.compared_methods import asked_of
    from core.library.comparisons import KIND, ComparisonRecord
    from core.plots.trainings_numbers import class_rows, method_rows
    from core.training.strategies import STRATEGIES
    from core.views import trainings_compared as view
    from core.views.trainings_verdict import RULE

    given = [name.strip().replace("-", "_") for name in strategies.split(",") if name.strip()]
    names = [STRATEGIES.info(name).name for name in given]
    params = asked_of(
        cast(JsonObject, training), names, seeds=seeds, budget=budget, subnets=subnets, processes=processes
    )
    seed = cast(int, training["training"].get("seed", 0))
    ledger = run_workflow(KIND, params, title=str(params["title"]), seed=seed, flags=_FLAGS)
    record = ComparisonRecord.so_far(ledger)
    assert record is not None
    found = view.trainings_compared(record)
    assert found is not None
    print(found.verdict.sentence)
    for row in method_rows(record, found):
        print("; ".join(f"{name}: {cell}" for name, cell in row.items()))
    print("Who is behind, by MACs:")
    for row in class_rows(found):
        print("; ".join(f"{name}: {cell}" for name, cell in row.items()))
    if found.order:
        print(found.order)
    print(RULE)
    if csv is not None:
        write(csv, view.csv(record))
        print(csv)
