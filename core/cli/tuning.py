"""`tune`: a pick trained further on its own, with the same network from scratch beside it; `train-alone`: only that."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import tables
from core.cli.devices import SupernetName
from core.cli.driving import Processes, find_supernet, open_store, run_workflow
from core.cli.output import write
from core.config import Settings

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.supernets import SupernetEntry


def tune(
    supernet: SupernetName,
    arch: Annotated[str, typer.Option(help='JSON: {"width1": 8, ...}; or the short id of an architecture.')],
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 10,
    seeds: Annotated[int, typer.Option(help="How often, each with another order of the samples.")] = 3,
    seed: Annotated[int, typer.Option(help="First seed; the others follow it.")] = 1,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak of tuning; as the supernet's own if left out.")
    ] = None,
    teacher: Annotated[
        bool, typer.Option("--teacher", help="Half of the loss imitates the largest subnet.")
    ] = False,
    scratch: Annotated[
        bool, typer.Option(help="Train the same network from scratch for as long, too.")
    ] = True,
    processes: Processes = 1,
    out: Annotated[
        Path | None, typer.Option(help="Write the tuned network of the best validation accuracy here.")
    ] = None,
    format: Annotated[
        str, typer.Option(help="bundle, safetensors, onnx, torch_export, python_source.")
    ] = "bundle",
) -> None:
    """Fine-tune one subnet; one JSON line per network, then what it comes to (on stderr)."""
    from core.library.tuned import TunedRecord, list_tuned, longest_alone
    from core.views.tuning import as_text, told

    settings: Settings = {
        "epochs": epochs,
        "seeds": seeds,
        "learning_rate": learning_rate,
        "teacher": teacher,
        "scratch": scratch,
        "processes": processes,
    }
    entry, ledger = _of_one("tune_subnet", "tuned", supernet, arch, seed, settings)
    record = TunedRecord.so_far(ledger)
    assert record is not None
    for net in record.nets:
        print(json.dumps({"run": ledger.run_id, **net.model_dump(mode="json")}))
    store = open_store()
    nets = [net for net in list_tuned(store) if net.run_id == ledger.run_id]
    found = told(nets, longest_alone(store, entry.sha256, record.arch_id))
    print(as_text(found), file=sys.stderr)
    if out is not None:
        from core.library.extract_trained import download

        write(out, download(store, found.best, format).data)
        print(out)


def train_alone(
    supernet: SupernetName,
    arch: Annotated[str, typer.Option(help='JSON: {"width1": 8, ...}; or the short id of an architecture.')],
    seeds: Annotated[int, typer.Option(help="Networks to train, each from weights of its own.")] = 3,
    seed: Annotated[int, typer.Option(help="First seed; the others follow it.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="As the supernet's own training if left out.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="As the supernet's own if left out.")] = None,
    processes: Processes = 1,
) -> None:
    """Train one architecture of a supernet alone, from scratch, to compare the subnet with."""
    from core.library.alone import AloneRecord

    settings: Settings = {
        "seeds": seeds,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "processes": processes,
    }
    _, ledger = _of_one("train_alone", "alone", supernet, arch, seed, settings)
    print(json.dumps({"run": ledger.run_id, **json.loads(ledger.artifact(AloneRecord.FILE))}))


def _of_one(
    workflow: str, word: str, supernet: str, arch: str, seed: int, settings: Settings
) -> tuple[SupernetEntry, Ledger]:
    """The supernet, and the record of a workflow about one of its architectures; `word` ends the run's title."""
    entry = find_supernet(supernet)
    arch_id = entry.space.arch_id(tables.architecture(entry.space, arch))
    params = {"supernet": tables.absolute(supernet), "arch": arch_id, "seed": seed, **settings}
    title = f"{entry.title} {arch_id} {word}"
    return entry, run_workflow(workflow, params, title=title, seed=seed)
