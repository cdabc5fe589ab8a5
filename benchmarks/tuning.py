"""Picks of a supernet as they come, tuned, from scratch for as long, and trained alone at full length.

For the smallest, the knee and the largest subnet: test accuracies (mean and range over seeds), what each training took, and
how much of what tuning gains training from scratch for as long gets. The goals of the project are printed beside: as they
come within 1.5 points of training alone, tuned within 0.5 points in 30 s. Whatever comes out is printed.

    PARETOSCOPE_DATA=FOLDER python benchmarks/tuning.py [supernet] [seeds] [tuning epochs, by commas] [epochs alone] [picks]

Epochs alone 0: as the supernet was trained; several numbers of tuning epochs are measured one after another. A learning
rate may follow a number of epochs, and a t means that the largest subnet teaches as well: 3@0.02t.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from core.library import alone, supernets, tuned
from core.library.fronts import front
from core.library.library import Library
from core.library.supernets import SupernetEntry
from core.records import RunState
from core.store import RunStore
from core.views.tuning import as_text, told
from core.workflows import train_alone, tune_subnet


def picks(entry: SupernetEntry) -> dict[str, str]:
    """Name -> arch_id."""
    space, table = entry.space, supernets.table(entry)
    assert table is not None
    knee = front(table, ("macs", "accuracy")).knees["distance"]
    return {"smallest": space.arch_id(space.smallest), "knee": knee, "largest": space.arch_id(space.largest)}


def ran(store: RunStore, kind: str, module, request) -> float:  # type: ignore[no-untyped-def]
    """Run a workflow to its end; returns the seconds of computing it took, which a busy machine does not change."""
    run_id = store.create_run(kind, request.model_dump(mode="json"), title=kind, state=RunState.RUNNING)
    start = time.process_time()
    for _ in module.run(request, store.ledger(run_id), Library(store)):
        pass
    store.set_state(run_id, RunState.DONE)
    return time.process_time() - start


def settings(text: str) -> dict[str, object]:
    """`3@0.02t` as fields of a request."""
    plain = text.removesuffix("t")
    epochs, _, rate = plain.partition("@")
    found: dict[str, object] = {"epochs": int(epochs), "teacher": text != plain}
    return found | ({"learning_rate": float(rate)} if rate else {})


def main(
    supernet: str = "fashion-cnn",
    seeds: int = 2,
    tunings: Sequence[str] = ("2", "5"),
    full: int = 0,
    names: Sequence[str] = ("smallest", "knee", "largest"),
) -> None:
    torch.set_num_threads(1)
    entry = supernets.find(None, supernet)
    with tempfile.TemporaryDirectory() as home, RunStore("sqlite://", Path(home)) as store:
        for name in names:
            arch_id = picks(entry)[name]
            asked = train_alone.Request(supernet=supernet, arch=arch_id, seeds=seeds, epochs=full or None)
            took = ran(store, alone.KIND, train_alone, asked)
            kept = alone.list_alone(store, supernet, arch_id)
            print(
                f"\n{name} ({arch_id}) of {supernet}: alone {kept[0].epochs} epochs, {took / seeds:.0f} CPU s each",
                flush=True,
            )
            for text in tunings:
                request = tune_subnet.Request(supernet=supernet, arch=arch_id, seeds=seeds, **settings(text))  # type: ignore[arg-type]
                took = ran(store, tuned.KIND, tune_subnet, request)
                nets = tuned.list_tuned(store, supernet, arch_id)
                nets = [net for net in nets if net.run_id == nets[0].run_id]
                print(f"  tuning {text}: {took / len(nets):.0f} CPU s each", flush=True)
                print("    " + as_text(told(nets, kept)).replace("\n", "\n    "), flush=True)
    print("\ngoals: as shared within 1.5 points of alone; tuned within 0.5 points in 30 s")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        *words[:1],
        *(int(word) for word in words[1:2]),
        *(tuple(word.split(",")) for word in words[2:3]),
        *(int(word) for word in words[3:4]),
        *(tuple(word.split(",")) for word in words[4:5]),
    )
