"""A tiny BERT made elastic by InstaTune, beside its honest controls: cutting alone, units at random, training alone as long.

The network is the preset `tiny-bert` (its largest subnet, trained plainly on passages of licenses), trained here first
unless a file is given. Three subnets by MACs in five ways, over seeds; seconds are of this machine, each in one thread.
Then the front of all subnets of one tuned supernet: how far it spans in MACs.

    python benchmarks/insta_tune.py [seeds] [epochs] [tiny-bert.safetensors] [criterion]
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from core.evaluation.costs import CostTable
from core.evaluation.evaluator import evaluate_table
from core.library import supernets
from core.library.library import Library
from core.library.order_controls import SIZES, OrderControlsRecord
from core.pareto import non_dominated
from core.seeding import stream
from core.spaces.spread import spread_rows
from core.store import MemoryLedger
from core.tasks.base import evaluation_data
from core.views import order_controls as view
from core.workflows import control_insta_tune, train_supernet

PRESET = "tiny-bert"
_SUBNETS = 40


def given(file: str | None) -> bytes:
    """The network before it is a supernet: read, or trained as its preset says."""
    if file:
        return Path(file).read_bytes()
    started, ledger = time.process_time(), MemoryLedger()
    request = train_supernet.Request.model_validate(train_supernet.preset_request(PRESET))
    for step in train_supernet.run(request, ledger, Library()):
        print(f"\r{step.fraction:4.0%} {step.message[:90]:90}", end="", file=sys.stderr)
    print(f"\nThe preset was trained in {time.process_time() - started:.0f} s of computing.")
    return ledger.artifact(supernets.SUPERNET_FILE)


def controls(file: bytes, seeds: int, epochs: int, criterion: str) -> OrderControlsRecord:
    """The workflow, with its progress on stderr."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"insta-tune-benchmark-{os.getpid()}.safetensors"
    path.write_bytes(file)
    try:
        ledger = MemoryLedger()
        asked = {"supernet": str(path), "seeds": seeds, "epochs": epochs, "criterion": criterion}
        request = control_insta_tune.Request.model_validate(asked)
        shown = 0
        for step in control_insta_tune.run(request, ledger, Library()):
            print(f"\r{step.fraction:4.0%} {step.message[:110]:110}", end="", file=sys.stderr, flush=True)
            so_far = OrderControlsRecord.so_far(ledger)
            for each in so_far.reached[shown:] if so_far else ():
                print(
                    f"\nseed {each.seed}, {each.way}, {SIZES[each.size]}: {each.test_accuracy:.3f}",
                    file=sys.stderr,
                )
            shown = len(so_far.reached) if so_far else 0
    finally:
        path.unlink()
    record = OrderControlsRecord.so_far(ledger)
    assert record is not None
    return record


def front(file: bytes, epochs: int, criterion: str) -> None:
    """Tune once as a person does, and say how far the front spans and what it took."""
    entry = supernets.from_bytes(file, title=PRESET, supernet_id=PRESET)
    net, dataset = supernets.load(entry), supernets.dataset(entry)
    request = train_supernet.tune_request(entry, PRESET, epochs=epochs, method="insta_tune")
    settings = {**request["training"], "batch_size": 32, "strategy_config": {"criterion": criterion}}
    from core.training.config import TrainingConfig
    from core.training.loop import train

    started, computing = time.perf_counter(), time.process_time()
    list(train(net, dataset, TrainingConfig.model_validate(settings), MemoryLedger()))
    print(
        f"InstaTune, {epochs} epochs: {time.process_time() - computing:.0f} s of computing in one thread, "
        f"{time.perf_counter() - started:.0f} s by the clock."
    )
    table = CostTable.of(net)

    def macs(rows: np.ndarray) -> np.ndarray:
        return table.total("macs", rows).astype(float)

    rows = spread_rows(net.space, _SUBNETS, stream(0, "benchmark"), macs)
    data = evaluation_data(dataset, ("validation", "test"))
    found = evaluate_table(net, rows, ("accuracy", "test_accuracy"), data)
    points = np.stack([macs(rows), found["accuracy"]], axis=1)
    on = non_dominated(points, maximize=[False, True])
    low, high = points[on][:, 0].min(), points[on][:, 0].max()
    best = found["test_accuracy"][on]
    print(
        f"Of {len(rows)} subnets (of {net.space.size:,}) {on.sum()} are on the front by validation accuracy; it spans "
        f"{low / 1e6:.2f} to {high / 1e6:.2f} M MACs, a factor of {high / low:.1f}; test accuracy {best.min():.3f} to {best.max():.3f}."
    )


def main() -> None:
    torch.set_num_threads(1)
    seeds, epochs = (int(v) for v in [*sys.argv[1:3], *["3", "5"][len(sys.argv[1:3]) :]])
    file = given(sys.argv[3] if len(sys.argv) > 3 and sys.argv[3] else None)
    criterion = sys.argv[4] if len(sys.argv) > 4 else "taylor"
    front(file, epochs, criterion)
    record = controls(file, seeds, epochs, criterion)
    found = view.order_controls(record)
    print(
        f"\nGiven network: test accuracy {record.given:.3f}; {record.samples[1]} test samples; order by {criterion}."
    )
    for row in view.rows(found):
        print("; ".join(f"{name}: {cell}" for name, cell in row.items() if cell))
    for sentence in view.sentences(found):
        print(sentence)
    print(view.RULE)


if __name__ == "__main__":
    main()
