"""`insta-tune`: a given network becomes a supernet while it is tuned; with --controls, what that and the order gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from core.cli import own_data, tables
from core.cli.driving import Processes, find_supernet, run_workflow
from core.cli.output import write
from core.config import JsonObject, Settings
from core.errors import InvalidInput
from core.library.text_settings import text_settings

if TYPE_CHECKING:
    from core.workflows.train_supernet import Asked


def insta_tune(
    context: typer.Context,
    supernet: Annotated[
        str,
        typer.Argument(
            metavar="SUPERNET", help="Whose largest subnet is the network: a name, an id or a file."
        ),
    ],
    data: Annotated[
        str | None, typer.Option(help="Data set, or a file of your own; what its card names if left out.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of all chance; the first one of --controls.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the supernet here (.safetensors).")] = None,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls", help="Compare with units at random, with cutting alone and with training alone."
        ),
    ] = False,
    criterion: Annotated[
        str, typer.Option(help="What says how much a unit matters: taylor, l2_filters, ...")
    ] = "taylor",
    seeds: Annotated[int, typer.Option(help="With --controls: how often each.")] = 3,
    alone: Annotated[
        bool, typer.Option(help="With --controls: train the subnets alone for as long, too.")
    ] = True,
    processes: Processes = 1,
    csv: Annotated[Path | None, typer.Option(help="With --controls: a row per way, subnet and seed.")] = None,
) -> None:
    """Tune a given network and its subnets together; they learn from the network as it was given.

    Further flags (--learning-rate 0.001, --n-random 2) are settings of the training, then of InstaTune."""
    from core.library.order_controls import KIND, OrderControlsRecord
    from core.workflows import train_supernet

    entry = find_supernet(supernet)
    chosen = own_data.choice(data) if data else None
    choice: Settings | None = None
    if chosen:
        # Texts are split by the supernet's own tokenizer, to its own length.
        config = {**chosen["config"], **text_settings(entry, chosen["name"])}
        choice = {"name": chosen["name"], "config": config, "seed": 0}
    start = tables.absolute(supernet)
    asked = train_supernet.tune_request(
        entry, str(start), choice, epochs=epochs, method="insta_tune", seed=seed
    )
    flags = tables.split_training_flags([*context.args, "--criterion", criterion], asked)
    asked = train_supernet.with_settings(asked, flags)
    if not controls:
        if csv is not None:
            raise InvalidInput("--csv goes with --controls.")
        if processes != 1:
            raise InvalidInput("--processes goes with --controls; torchrun shares one training.")
        ledger = run_workflow("train_supernet", cast(JsonObject, asked), title=asked["title"], seed=seed)
        if out is not None:
            write(out, ledger.artifact("supernet.safetensors"))
        last = ledger.metrics()[-1] if ledger.metrics() else {}
        print(json.dumps({"run": ledger.run_id, "out": str(out) if out else None, "final": last}))
        return
    if out is not None:
        raise InvalidInput("--controls keeps no supernet; leave --out away.")
    params = {
        **_params(asked, choice),
        "criterion": criterion,
        "epochs": epochs,
        "seeds": seeds,
        "seed": seed,
        "alone": alone,
        "processes": processes,
    }
    ledger = run_workflow(KIND, params, title=f"{entry.title}: InstaTune and controls"[:80], seed=seed)
    record = OrderControlsRecord.so_far(ledger)
    assert record is not None
    _tell(record, csv)


def _params(asked: Asked, choice: Settings | None) -> Settings:
    """What a comparison with controls takes over from the request of the tuning."""
    training: dict[str, Any] = dict(asked["training"])
    own = {name: value for name, value in training.pop("strategy_config", {}).items() if name != "criterion"}
    for name in ("strategy", "epochs", "seed"):
        training.pop(name, None)
    return {"supernet": asked["start"], "data": choice, "training": training, "strategy": own}


def _tell(record: Any, csv: Path | None) -> None:
    from core.views import order_controls as view

    found = view.order_controls(record)
    for sentence in view.sentences(found):
        print(sentence)
    for row in view.rows(found):
        print("; ".join(f"{name}: {cell}" for name, cell in row.items() if cell))
    print(view.RULE)
    if csv is not None:
        write(csv, view.csv(record))
        print(csv)
