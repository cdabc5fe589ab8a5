"""Do the textbook claims about pruning show at this size? Measured, with 3 seeds, whatever comes out.

    tickets   the lottery ticket against its mask on new weights, a random mask, and the dense network
    angles    edge-popup's features: are they at a larger, more even angle to their class than a dense network's?
    grokking  the ticket of a network that has grokked against the dense network and two other masks

The network is the largest subnet of digits-cnn, trained as its supernet was, only shorter; the longer trainings
of the tickets ask whether a ticket's lead is more than a quicker start.

    python benchmarks/pruning.py [--quick] [tickets] [angles] [grokking]
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
from torch import nn

from core.geometry.margins import margins
from core.library.networks import load_model
from core.library.trainings import training_of
from core.networks.answers import accuracy
from core.networks.chain import fresh_like
from core.networks.heads import penultimate, weight_and_bias
from core.pruning.experiments import EXPERIMENTS, Row
from core.pruning.experiments.comparing import Difference, at, claim, compared, difference
from core.pruning.pruners.base import Pruned, PruningTask
from core.pruning.pruners.creating import METHODS
from core.pruning.retraining import train_masked

SUPERNET, ARCH = "digits-cnn", "311131113111"
# A dense network after so few epochs is about as accurate as edge-popup; the nearest is compared.
DENSE_EPOCHS = (2, 3, 4, 5, 6, 8, 12, 20)


def load() -> PruningTask:
    model = load_model(None, f"subnet:{SUPERNET}:{ARCH}")
    config, _ = training_of(model.entry)
    return PruningTask(model.net, model.dataset, config)


def experiment(task: PruningTask, name: str, config: dict[str, object]) -> list[Row]:
    made = EXPERIMENTS.create(name, config)
    start = time.perf_counter()
    rows = [row for part in made.parts() for row in made.run_part(task, part) if isinstance(row, Row)]
    print(f"\n{made.label}, {made.config.seeds} seeds, {time.perf_counter() - start:.0f} s")
    for sentence in made.verdict(rows):
        print(f"  {sentence}")
    return rows


def tickets(task: PruningTask, quick: bool) -> None:
    for epochs in (8,) if quick else (8, 40):
        print(f"\n{epochs} epochs per training", end="")
        rows = experiment(task, "lottery_tickets", {"seeds": 2 if quick else 3, "epochs": epochs})
        conditions = list(dict.fromkeys(row.condition for row in rows))
        for x in sorted({row.x for row in rows}):
            found = {c: list(at(rows, c, x).values()) for c in conditions if at(rows, c, x)}
            cells = [
                f"{c} {100 * np.mean(v):.1f} ({100 * min(v):.1f} to {100 * max(v):.1f})"
                for c, v in found.items()
            ]
            print(f"    sparsity {x:.2f}: " + "; ".join(cells))


def angle(net: nn.Sequential, task: PruningTask) -> tuple[float, float, float]:
    """Mean and standard deviation in degrees over the test images, and test accuracy."""
    features, layer = penultimate(net, task.dataset.test.x)
    found = np.degrees(margins(features, task.dataset.test.y, *weight_and_bias(layer)).angle)
    return float(found.mean()), float(found.std()), accuracy(net, task.dataset, "test")


def dense_nets(task: PruningTask, seed: int) -> dict[int, nn.Sequential]:
    found = {}
    for epochs in DENSE_EPOCHS:
        net = fresh_like(task.parent, seed)
        for _ in train_masked(
            net, task.dataset, task.training.model_copy(update={"epochs": epochs, "seed": seed}), {}
        ):
            pass
        found[epochs] = net
    return found


def angles(task: PruningTask, quick: bool) -> None:
    mean: dict[str, dict[int, float]] = {"edge-popup": {}, "dense": {}}
    spread: dict[str, dict[int, float]] = {"edge-popup": {}, "dense": {}}
    start = time.perf_counter()
    for sparsity in (0.9,) if quick else (0.5, 0.8, 0.9):
        print(f"\nEdge-popup at {sparsity:.0%} sparsity against the dense network nearest in test accuracy")
        for seed in range(2 if quick else 3):
            seeded = PruningTask(task.parent, task.dataset, task.training, seed)
            steps = METHODS.create("edge_popup").prune(seeded, [sparsity])
            popup = angle(next(s.net for s in steps if isinstance(s, Pruned)), task)
            dense = {epochs: angle(net, task) for epochs, net in dense_nets(task, seed).items()}
            epochs = min(dense, key=lambda each: abs(dense[each][2] - popup[2]))
            for name, (m, s, right) in (("edge-popup", popup), ("dense", dense[epochs])):
                mean[name][seed], spread[name][seed] = m, s
                print(
                    f"  seed {seed} {name:11} angle {m:5.1f} deg, spread {s:4.1f} deg, accuracy {100 * right:.1f} %"
                )
        said: list[tuple[str, dict[str, dict[int, float]], bool]] = [
            ("edge-popup has the larger mean angle", mean, False),
            ("edge-popup has the smaller spread of angles", spread, True),
        ]
        for text, values, smaller in said:
            found = difference(values["edge-popup"], values["dense"])
            assert isinstance(found, Difference)
            print(f"  {compared(found, 'edge-popup', 'the dense network', degrees, degrees)}")
            print(f"  {claim(text, [found], smaller=smaller)}")
    print(f"  {time.perf_counter() - start:.0f} s")


def degrees(value: float) -> str:
    return f"{abs(value):.1f} degrees"


def grokking(task: PruningTask, quick: bool) -> None:
    experiment(task, "grokking_tickets", {"seeds": 2 if quick else 3})


def main(words: list[str]) -> None:
    torch.set_num_threads(1)
    task, quick = load(), "--quick" in words
    parts = {"tickets": tickets, "angles": angles, "grokking": grokking}
    chosen = [word for word in words if word in parts] or list(parts)
    print(f"{SUPERNET}, {ARCH}, {task.dataset.title}")
    for name in chosen:
        parts[name](task, quick)
    for name in () if set(chosen) != set(parts) else ("supermasks", "random_sparse"):
        experiment(task, name, {"seeds": 2 if quick else 3})


if __name__ == "__main__":
    main(sys.argv[1:])
