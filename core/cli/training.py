"""Training a supernet, from fresh weights or from those of one there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from core.cli import own_data, tables, training_comparison
from core.cli.driving import Processes, find_supernet, run_workflow
from core.cli.output import write
from core.config import JsonObject
from core.errors import InvalidInput
from core.library.text_settings import text_settings

if TYPE_CHECKING:
    from core.cli.own_data import Chosen
    from core.workflows.train_supernet import Asked


def train(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Write the supernet here (.safetensors).")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Data set, or a .zip or .npz of your own; the preset's own if left out."),
    ] = None,
    method: Annotated[str | None, typer.Option(help="Training strategy: sandwich, uniform, ...")] = None,
    space: Annotated[
        Path | None, typer.Option(help="A search space of your own, written in YAML; see the README.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="Train this supernet further, from its weights: a name, an id or a file."
        ),
    ] = None,
    as_before: Annotated[
        bool,
        typer.Option(
            "--as-before", help="With --from: with the settings it was trained with, not at a low rate."
        ),
    ] = False,
    stop_after: Annotated[
        int | None, typer.Option(help="Stop after so many of the epochs, and keep what is there then.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all chance.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what the data hold and how long it will take.")
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(help="Train in several ways and compare: strategies, separated by commas."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="With --compare: trainings of each strategy.")] = 3,
    budget: Annotated[
        str, typer.Option(help="With --compare: what is equal, steps or passes (the first one's --epochs).")
    ] = "steps",
    subnets: Annotated[
        int, typer.Option(help="With --compare: subnets measured of each, spread over MACs.")
    ] = 600,
    processes: Processes = 1,
    csv: Annotated[Path | None, typer.Option(help="With --compare: write the subnets here as CSV.")] = None,
) -> None:
    """Train a supernet: `train PRESET` (digits-cnn, fashion-cnn, ...), a space of your own: `train --space FILE.yaml`,
    or a supernet there is further: `train --from SUPERNET`.

    `--compare sandwich,uniform --seeds 3` trains in several ways, says which is better, and keeps every supernet.

    Further flags (--epochs 30, --learning-rate 0.1) are settings of the training, then of the strategy;
    `list strategy NAME` shows the latter."""
    from core.workflows import train_supernet

    own = own_data.choice(data) if data else None
    arguments = list(context.args)
    named = bool(arguments) and not arguments[0].startswith("--")
    preset = arguments.pop(0) if named else None
    params = asked(preset, space, start, own, method=method, seed=seed, as_before=as_before)
    params = training_comparison.started(
        params, compare, csv, processes, apart=(method, out, stop_after, dry_run or None)
    )
    if stop_after is not None:
        params["stop_after"] = stop_after
        params["command"] += f" --stop-after {stop_after}"
    params = train_supernet.with_settings(params, tables.split_training_flags(arguments, params))
    if compare is not None:
        training_comparison.compare(
            params, compare, seeds=seeds, budget=budget, subnets=subnets, processes=processes, csv=csv
        )
        return
    if dry_run:
        for line in own_data.rehearsed(cast(JsonObject, params)):
            print(line)
        return
    ledger = run_workflow("train_supernet", cast(JsonObject, params), title=params["title"], seed=seed)
    file = ledger.artifact("supernet.safetensors")
    if out is not None:
        write(out, file)
    last = ledger.metrics()[-1] if ledger.metrics() else {}
    print(json.dumps({"run": ledger.run_id, "out": str(out) if out else None, "final": last}))


def asked(
    preset: str | None,
    space: Path | None,
    start: str | None,
    own: Chosen | None,
    *,
    method: str | None,
    seed: int,
    as_before: bool = False,
) -> Asked:
    """The request of `train`: of a preset, of a written space, or from a supernet there is.

    Raises:
        InvalidInput: several are named, or none; the space cannot be read; there is nothing to be as before.
        NotFound: there is no such preset, supernet, data set or strategy.
    """
    from core.workflows import train_supernet

    if [preset, space, start].count(None) != 2:
        raise InvalidInput(
            "Say either what to train (digits-cnn, ...), with --space which written space, or with --from which "
            "supernet to go on from."
        )
    if as_before and start is None:
        raise InvalidInput("--as-before goes with --from: it names the supernet whose settings are meant.")
    data: Any = None if own is None else {"name": own["name"], "config": own["config"], "seed": 0}
    if start is not None:
        place = tables.absolute(start)
        entry = find_supernet(place)
        if data is not None:
            # Texts are split by the supernet's own tokenizer, to its own length.
            data["config"] = {**data["config"], **text_settings(entry, data["name"])}
        return train_supernet.tune_request(entry, place, data, method=method, seed=seed, as_before=as_before)
    name = own["name"] if own else None
    if space is not None:
        from core.cli.given import written_space

        found = written_space(space)
        params = train_supernet.written_request(
            str(space), found.title, found.config, data=name, method=method, seed=seed
        )
    else:
        assert preset is not None
        params = train_supernet.preset_request(preset, data=name, method=method, seed=seed)
    if own and own["config"]:
        params["data"] = data
    return params
