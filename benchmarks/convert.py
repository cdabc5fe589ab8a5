"""A plain torch ResNet becomes a supernet, is tuned, and cut to 50 and 25 % of its MACs; beside NVIDIA ModelOpt, in one run.

    PARETOSCOPE_DATA=FOLDER python benchmarks/convert.py [--train 4000] [--base 12] [--scratch 20] [--epochs 5,15]
                                                         [--peer PYTHON] [--out table.md]

Printed for each budget: test accuracy as it comes and after 5 and 15 epochs of ordinary training; the same nets from scratch
as control; seconds of computing; lines of a user's own code. PYTHON is an interpreter with `nvidia-modelopt` and `torchprofile==0.0.4`
(installed without their dependencies on CUDA and torchvision); without it, or where it fails, that is said. The subnet of a
budget is the best by validation accuracy of all that fit; ModelOpt chooses by images of its own training set.

Goals: as they come within 1.5 points of 20 epochs from scratch; tuned within 0.5 points in 30 s. That shared weights make
better nets than training alone is no claim of this project, and the controls show why.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from benchmarks import convert_worker as plain
from core.cli.converting import export
from core.datasets import load_dataset
from core.datasets.base import Dataset
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import evaluate_table
from core.networks.chain import fresh_like
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.converting import convert
from core.supernets.reading.exported_file import read_exported
from core.tasks.base import evaluation_data
from core.training.config import TrainingConfig
from core.training.loop import train
from core.workflows.train_supernet import TUNING

MEASURED = 60
"""Subnets that are measured for a budget, evenly spread over those that fit it."""
LINES = {"ours": 0, "FastNAS": 9, "AutoNAS": 10}
"""Of a user's own code, training loops left out."""


def main() -> None:
    asked = _arguments()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    epochs = [int(n) for n in asked.epochs.split(",")]
    dataset = load_dataset(
        "fashion_mnist",
        seed=0,
        limit_train=asked.train,
        limit_validation=600,
        limit_test=asked.test,
    )
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data_file, base_file = Path(folder) / "data.npz", Path(folder) / "base.pt"
        np.savez(
            data_file,
            x_train=dataset.train.x,
            y_train=dataset.train.y,
            x_test=dataset.test.x,
            y_test=dataset.test.y,
        )
        data = plain.Data(data_file)
        base, began = plain.ResNet(), time.process_time()
        plain.train(base, data, asked.base, rate=0.1, seed=0)
        seconds = time.process_time() - began
        _say(
            f"The ResNet: {plain.macs(base) / 1e6:.2f} M MACs, {asked.base} epochs on {len(data.x):,} images in "
            f"{seconds:.0f} s, {100 * plain.accuracy(base, data):.1f} % of {len(data.y_test):,} test images right."
        )
        torch.save(base.state_dict(), base_file)
        rows += ours(base, dataset, data, epochs, asked.tune, asked.scratch)
        rows += peer(asked.peer, data_file, base_file, asked.epochs, Path(folder) / "peer.json")
    text = table(rows, epochs)
    print(text, flush=True)
    if asked.out:
        Path(asked.out).write_text(text + "\n", encoding="utf-8")


def ours(
    base: plain.ResNet, dataset: Dataset, data: plain.Data, epochs: Sequence[int], tune: int, scratch: int
) -> list[dict[str, Any]]:
    """Convert, tune once for every budget, measure, cut; and the same nets from scratch."""
    began = time.process_time()
    net: Supernet = convert(read_exported(export(base, plain.SHAPE)), ratios=(0.375, 0.5, 0.75, 1.0)).supernet
    converted = time.process_time() - began
    # The given network takes plain pixels.
    config = TrainingConfig.model_validate({**TUNING, "epochs": tune, "augmentation": {"flip": True}})
    for _ in train(net, dataset, config, MemoryLedger()):
        pass
    tuned = time.process_time() - began - converted
    archs = (
        net.space.array()
        if net.space.size <= 3000
        else net.space.sample_array(3000, np.random.default_rng(0))
    )
    archs = np.unique(np.concatenate([archs, [net.smallest, net.largest]]), axis=0).astype(np.uint8)
    costs = CostTable.of(net).total("macs", archs)
    fits = [
        archs[(costs <= b * plain.macs(base)) & (costs > 0.75 * b * plain.macs(base))] for b in plain.BUDGETS
    ]
    chosen = np.concatenate(
        [
            each[:MEASURED]
            if len(each) <= MEASURED
            else each[np.linspace(0, len(each) - 1, MEASURED).astype(int)]
            for each in fits
        ]
    )
    accuracies = evaluate_table(net, chosen, ("accuracy",), evaluation_data(dataset, ("validation",)))[
        "accuracy"
    ]
    searched = time.process_time() - began - converted - tuned
    _say(
        f"Converted in {converted:.1f} s ({net.space.size:,} subnets), tuned {tune} epochs in {tuned:.0f} s, {len(chosen)} "
        f"subnets measured in {searched:.0f} s, for every budget together."
    )
    rows, first = [], 0
    for budget, each in zip(plain.BUDGETS, fits, strict=True):
        n = min(MEASURED, len(each))
        arch = tuple(int(v) for v in chosen[first + int(np.argmax(accuracies[first : first + n]))])
        first += n
        subnet = net.extract(arch, net.calibrate_on(arch, dataset)).requires_grad_(True)
        row = plain.tuned(subnet, data, epochs)
        rows.append({"method": "ours", "budget": budget, "search": converted + tuned + searched, **row})
        _say(f"  ours {budget:.0%}: {row}")
        alone, start = fresh_like(subnet, 0).requires_grad_(True), time.process_time()
        plain.train(alone, data, scratch, rate=0.1, seed=0)
        rows.append(
            {
                "method": f"from scratch, {scratch} epochs",
                "budget": budget,
                "macs": plain.macs(alone),
                "0": plain.accuracy(alone, data),
                "search": time.process_time() - start,
            }
        )
        _say(f"  from scratch {budget:.0%}: {rows[-1]['0']:.4f}")
    return rows


def peer(python: str, data: Path, base: Path, epochs: str, out: Path) -> list[dict[str, Any]]:
    """ModelOpt's rows, or a sentence on why there are none."""
    if not python:
        _say(
            "ModelOpt was not run: no --peer interpreter was given. Recorded on the card, not run here: FastNAS 29.1 / 10.1 % as "
            "it comes and 89.3 / 87.2 % after 5 epochs, AutoNAS 83.6 / 77.6 % and 87.3 / 87.0 %, at 50 / 25 % of the MACs."
        )
        return []
    worker = Path(plain.__file__)
    done = subprocess.run(
        [python, "-W", "ignore", str(worker), str(data), str(base), epochs, str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        _say(
            f"ModelOpt failed: {done.stderr.strip().splitlines()[-1][:300] if done.stderr.strip() else 'no message'}"
        )
        return []
    found = json.loads(out.read_text())
    rows = []
    for method in ("FastNAS", "AutoNAS"):
        extra = found.get("AutoNAS training seconds", 0.0) if method == "AutoNAS" else 0.0
        for budget in plain.BUDGETS:
            row = found.get(f"{method} {budget}") or found.get(method) or {"failed": "it gave no answer"}
            rows.append(
                {"method": method, "budget": budget, "search": row.get("search seconds", 0.0) + extra, **row}
            )
    return rows


def table(rows: Sequence[dict[str, Any]], epochs: Sequence[int]) -> str:
    """Markdown; one row per method and budget."""
    lines = [
        f"| method | budget | MACs | as it comes | {' | '.join(f'after {n} epochs' for n in epochs)} | seconds | own lines |",
        "|---|---|---|---|" + "---|" * len(epochs) + "---|---|",
    ]
    for row in rows:
        if "failed" in row:
            lines.append(
                f"| {row['method']} | {row['budget']:.0%} | failed: {' '.join(row['failed'].split())[:200]} |"
            )
            continue
        values = [f"{100 * row[key]:.1f}" if key in row else "" for key in ("0", *map(str, epochs))]
        own = LINES.get(row["method"], "")
        lines.append(
            f"| {row['method']} | {row['budget']:.0%} | {row['macs'] / 1e6:.2f} M | {' | '.join(values)} | {row['search']:.0f} | {own} |"
        )
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="See the top of the file.")
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--test", type=int, default=4000)
    parser.add_argument("--base", type=int, default=12)
    parser.add_argument("--tune", type=int, default=6)
    parser.add_argument("--scratch", type=int, default=20)
    parser.add_argument("--epochs", default="5,15")
    parser.add_argument("--peer", default="")
    parser.add_argument("--out", default="")
    return parser.parse_args()


if __name__ == "__main__":
    main()
