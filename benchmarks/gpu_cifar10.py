"""A CIFAR-10 supernet of real size on a graphics card: trained, measured, and written with its card and figures.

    PARETOSCOPE_DEVICE=cuda python benchmarks/gpu_cifar10.py OUT                    # 120 epochs, CIFAR-10
    PARETOSCOPE_DEVICE=cuda PARETOSCOPE_PRECISION=bf16 python benchmarks/gpu_cifar10.py OUT --epochs 200
    python benchmarks/gpu_cifar10.py OUT --tiny                                     # digits, seconds, on the processor

A chain of three stages of inverted residual blocks on 32x32 pictures: 4.6 million parameters, 1.1 million subnets, from 26 to
239 million multiply-accumulates. It is trained by the sandwich rule with distillation, then a random sample of subnets is
measured on validation and test images, and the front of the sample drawn.

Written into OUT: cifar10-chain.safetensors with its card, epochs.csv, subnets.csv (accuracy, test accuracy, MACs,
parameters), front.svg, training.svg, and report.json: the device, its precision, its agreement with the processor on eight
subnets, seconds of training and subnets per second. A training that was stopped goes on from OUT/checkpoint.

This recipe was never run on a graphics card by those who wrote it, for want of one: only its tiny form on a processor. So
there are no figures of it here, and its learning rate and its number of epochs are those usual for such networks.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from core.device import chosen_device
from core.evaluation.agreement import compare
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import evaluate_table
from core.library import supernets
from core.library.library import Library
from core.objectives.base import FromCosts, method, objective
from core.papers.base import Layout
from core.papers.curves import Curve, curves_paper
from core.papers.front import front_paper
from core.pareto import non_dominated
from core.seeding import stream
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData, evaluation_data
from core.workflows import train_supernet

MEASURED = ("accuracy", "test_accuracy", "macs", "params")
# Kinds of blocks: two expansions, two kernels.
BANK = [
    {
        "block": "inverted_residual",
        "settings": {"expand": expand, "kernel": kernel},
        "name": f"mb{expand} k{kernel}",
    }
    for expand in (3, 6)
    for kernel in (3, 5)
]


def stage(widths: list[int], depths: list[int], stride: int) -> dict[str, Any]:
    return {"widths": widths, "depths": depths, "stride": stride, "options": BANK}


FULL = {
    "stem": {"channels": 32},
    "stages": [stage([32, 48], [1, 2], 1), stage([64, 96], [1, 2, 3], 2), stage([128, 192], [1, 2, 3], 2)],
    "head": {"hidden": 1024},
}
TINY = {
    "stem": {"channels": 4},
    "stages": [stage([4, 6], [1, 2], 1), stage([6, 8], [1, 2], 2)],
    "head": {"hidden": 8},
}


class KeptLedger(MemoryLedger):
    """A ledger whose newest checkpoint lies in a file, so that a training may be stopped and go on."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._file, self._curve = folder / "checkpoint", folder / "epochs.json"
        if self._file.is_file() and self._curve.is_file():
            for row in json.loads(self._curve.read_text(encoding="utf-8")):
                super().log_metrics(int(row.pop("step")), row)
            super().checkpoint(self._file.read_bytes(), fraction=0.0)

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        super().checkpoint(data, fraction=fraction)
        for file, content in ((self._curve, json.dumps(self.metrics()).encode()), (self._file, data)):
            part = file.with_suffix(".part")
            part.write_bytes(content)
            part.replace(file)


def trained(options: argparse.Namespace) -> tuple[supernets.SupernetEntry, pd.DataFrame, float]:
    """The supernet, what is known of every epoch, and seconds of this run."""
    tiny = options.tiny
    training = {
        "strategy": "sandwich",
        "epochs": options.epochs or (2 if tiny else 120),
        "batch_size": 64 if tiny else 256,
        "learning_rate": 0.1 if tiny else 0.4,
        "warmup_epochs": 0.5 if tiny else 5,
        "weight_decay": 5e-5,
        "label_smoothing": 0.1,
        "augmentation": {"shift": 1 if tiny else 4, "flip": not tiny},
        "seed": options.seed,
    }
    data = {"name": "digits", "config": {"limit_train": 256}} if tiny else {"name": "cifar10"}
    request = train_supernet.Request.model_validate(
        {
            "title": "digits-chain" if tiny else "cifar10-chain",
            "family": "chain",
            "config": TINY if tiny else FULL,
            "data": data,
            "training": training,
            "command": " ".join(["python", *sys.argv]),
        }
    )
    ledger, began = KeptLedger(options.out), time.monotonic()
    for step in train_supernet.run(request, ledger, Library()):
        if step.metrics and "epoch" in step.metrics:
            print(step.message, flush=True)
    file = ledger.artifact(supernets.SUPERNET_FILE)
    (options.out / f"{request.title}.safetensors").write_bytes(file)
    entry = supernets.from_bytes(file, title=request.title)
    (options.out / "card.json").write_text(json.dumps(entry.header["card"], indent=1), encoding="utf-8")
    return entry, pd.DataFrame(ledger.metrics()), time.monotonic() - began


def measured(net: Supernet, data: EvaluationData, sample: int, seed: int) -> tuple[pd.DataFrame, float]:
    """A row per subnet of a random sample and the two ends, and seconds."""
    drawn = net.space.sample_array(sample, stream(seed, "sample"))
    rows = np.unique(np.concatenate([np.array([net.smallest, net.largest], np.uint8), drawn]), axis=0)
    began = time.monotonic()
    table = pd.DataFrame(evaluate_table(net, rows, MEASURED, data))
    seconds = time.monotonic() - began
    table.insert(0, "arch_id", net.space.arch_ids(rows))
    table["on_front"] = non_dominated(table[["accuracy", "macs"]].to_numpy(), maximize=[True, False])
    return table, seconds


def report(options: argparse.Namespace) -> dict[str, Any]:
    """Train, measure, write; what is worth saying."""
    device = chosen_device()
    entry, epochs, training = trained(options)
    net, data = supernets.load(entry), evaluation_data(supernets.dataset(entry))
    table, walking = measured(net, data, options.sample, options.seed)
    few = np.unique(net.space.sample_array(8, stream(options.seed, "agreement")), axis=0)
    found = compare(net, few, data, "test", device) if device.identity else None
    epochs.to_csv(options.out / "epochs.csv", index=False)
    table.to_csv(options.out / "subnets.csv", index=False)
    draw(options.out, table, epochs, f"{entry.title}, {device.label}, {device.precision}")
    macs = CostTable.of(net).counted(
        method("macs", FromCosts), np.array([net.smallest, net.largest], np.uint8)
    )
    return {
        "device": device.label,
        "measured on": device.identity or "cpu float32",
        "parameters": sum(p.numel() for p in net.parameters()),
        "subnets": net.space.size,
        "macs": macs.tolist(),
        "training seconds": round(training, 1),
        "subnets per second": round(len(table) / walking, 1),
        "best test accuracy": float(table["test_accuracy"].max()),
        "agreement": None if found is None else {**vars(found), "holds": found.holds},
    }


def draw(folder: Path, table: pd.DataFrame, epochs: pd.DataFrame, what: str) -> None:
    """The front of the sample, and validation accuracy over the training."""
    layout = Layout()
    caption = f"Validation accuracy against multiply-accumulates of {len(table):,} random subnets. {what}."
    front = front_paper(table, objective("macs"), objective("accuracy"), layout, caption=caption, log_x=True)
    (folder / "front.svg").write_bytes(front.data)
    known = [name for name in ("smallest", "random", "largest") if name in epochs]
    across = epochs["step"].to_list()
    training = curves_paper(
        [Curve(name, across, epochs[name].to_list()) for name in known],
        layout,
        caption=f"Validation accuracy of the smallest, of random and of the largest subnet. {what}.",
        title="Training",
        across="epoch",
        up="validation accuracy",
    )
    (folder / "training.svg").write_bytes(training.data)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--epochs", type=int, default=0, help="120, or 2 with --tiny, if left out")
    parser.add_argument(
        "--sample", type=int, default=0, help="subnets that are measured: 5000, or 50 with --tiny"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--tiny", action="store_true", help="digits and a few weights, to see that all of it runs"
    )
    options = parser.parse_args()
    options.sample = options.sample or (50 if options.tiny else 5000)
    options.out.mkdir(parents=True, exist_ok=True)
    said = report(options)
    (options.out / "report.json").write_text(json.dumps(said, indent=1), encoding="utf-8")
    print(json.dumps(said, indent=1))


if __name__ == "__main__":
    main()
