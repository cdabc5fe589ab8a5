"""Four architectures in one masked pass against four sliced passes: seconds of a step, and accuracy after equal seconds.

A masked step runs a batch once through the largest layers; each sample keeps its own architecture's channels. The same
four architectures by slices are either a part of the batch each, with the same gradients, or the whole batch each, with
four times the samples. All train the preset's ViT-ResNAS on digits from the same start, in seconds of one thread's
computing. The optimizer's step is part of each.

    PARETOSCOPE_DATA=FOLDER python benchmarks/multi_architectural.py [seconds] [seeds] [architectures] [batch]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from core.datasets import load_dataset
from core.datasets.base import Dataset
from core.evaluation.evaluator import evaluate_table
from core.library.presets import PRESETS
from core.seeding import stream
from core.supernets.files import build
from core.tasks.base import Batch, EvaluationData, task_of
from core.training.balancing import balanced, largest_first
from core.training.config import TrainingConfig
from core.training.draws import Draw, Phase
from core.training.epochs import learning_rate
from core.training.strategies import STRATEGIES
from core.training.supernet_session import SupernetSession

PRESET = PRESETS["digits-vit-resnas"]
WAYS = ("masked, one pass", "sliced, a part each", "sliced, the batch each")
_STEPS, _SHOWN = 60, 60


class Way:
    """One training by hand, so that it can be stopped by the clock."""

    def __init__(self, way: str, dataset: Dataset, seed: int, n: int, batch: int) -> None:
        torch.manual_seed(seed)
        net = build(PRESET["family"], PRESET["config"] | task_of(dataset).settings_from(dataset))
        config = {
            **PRESET["training"],
            "seed": seed,
            "batch_size": batch,
            "strategy_config": {"architectures": n},
        }
        self.config = TrainingConfig.model_validate(config)
        strategy = STRATEGIES.create("multi_architectural", {"architectures": n})
        self.session = SupernetSession(net, dataset, self.config, strategy, Phase("all"))
        self.way, self.dataset, self.n, self.seed, self.steps = way, dataset, n, seed, 0

    def batches(self) -> Iterator[tuple[int, Batch]]:
        epoch = 0
        while True:
            self.session.epoch = epoch
            yield from enumerate(
                self.session.task.epoch(
                    self.dataset,
                    batch_size=self.config.batch_size,
                    seed=self.seed,
                    epoch=epoch,
                    augmentation=self.config.augmentation,
                    order=None,
                )
            )
            epoch += 1

    def step(self, batch: Batch) -> None:
        session = self.session
        if self.way == WAYS[0]:
            session.strategy.step(session, batch)
            return
        unlocked = largest_first(session.space, session.progress, session.strategy.config.warmup)
        rows = balanced(session.space, self.n, 1, session.rng("draws"), unlocked)[0].tolist()
        parts = self.way == WAYS[1]
        session.train(
            [Draw(tuple(row), part=(i, self.n) if parts else None) for i, row in enumerate(rows)], batch
        )

    def train(self, seconds: float) -> None:
        """Train for so many seconds of computing; the learning rate falls with them."""
        started, total = time.process_time(), 10_000
        for step, batch in self.batches():
            spent = (time.process_time() - started) / seconds
            if spent >= 1:
                return
            session = self.session
            session.step, session.progress = step, spent
            session.rate = learning_rate(self.config, int(spent * total), total, total // self.config.epochs)
            self.step(batch)
            self.steps += 1

    def accuracies(self, shown: np.ndarray, data: EvaluationData) -> np.ndarray:
        """Validation accuracies of some subnets, exactly, by the ordinary evaluator."""
        return evaluate_table(self.session.net, shown, ("accuracy",), data)["accuracy"]


def main(seconds: float = 30.0, seeds: int = 3, n: int = 4, batch: int = 64) -> None:
    torch.set_num_threads(1)
    dataset = load_dataset("digits")
    print(f"{n} architectures, batches of {batch}; {seconds:.0f} s of computing each, {seeds} seeds")
    for way in WAYS:
        made = Way(way, dataset, 0, n, batch)
        made.session.progress, made.session.rate, times = 1.0, 1e-4, []
        for (step, each), _ in zip(made.batches(), range(_STEPS), strict=False):
            made.session.step = step
            started = time.process_time()
            made.step(each)
            times.append(time.process_time() - started)
        print(f"{way:24s} {1000 * float(np.median(times)):6.1f} ms a step", flush=True)
    for way in WAYS:
        rows, steps = [], []
        for seed in range(seeds):
            made = Way(way, dataset, seed, n, batch)
            made.train(seconds)
            space = made.session.space
            random = space.sample_array(_SHOWN, stream(0, "shown"))
            shown = np.array([space.smallest, space.largest, *random.tolist()], np.uint8)
            values = made.accuracies(
                shown, made.session.task.evaluation(dataset, {"validation": dataset.validation})
            )
            rows.append((values[0], float(values[2:].mean()), values[1]))
            steps.append(made.steps)
        mean, low, high = (100 * f(np.array(rows), 0) for f in (np.mean, np.min, np.max))
        told = ", ".join(
            f"{name} {m:.1f} ({a:.1f} to {b:.1f})"
            for name, m, a, b in zip(("smallest", "random", "largest"), mean, low, high, strict=True)
        )
        print(f"{way:24s} {np.mean(steps):6.0f} steps: {told}", flush=True)


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((float, int, int, int), sys.argv[1:], strict=False)))
