"""One trie over several processes: each walks a contiguous part of it.

The parts are cut where prefixes change early in the chain, so little is computed twice, and because
a subnet's result does not depend on which others are walked with it, the table is the same to the
last bit. Workers are fresh Python processes (never forks, which can hang on torch's live state);
they get their work as files and answer with one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import CoreError
from core.evaluation.evaluator import Trie, evaluate_table
from core.networks.trees import as_tensors, flat, unflat
from core.supernets.base import Supernet
from core.supernets.files import dump_supernet, load_supernet
from core.tasks.base import EvaluationData

_ROOT = Path(__file__).resolve().parents[2]


def evaluate_table_split(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    objectives: Sequence[str],
    data: EvaluationData,
    *,
    processes: int = 2,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """`evaluate_table` by several processes; the same table.

    Args:
        supernet, rows, objectives, data: as in `evaluate_table`.
        processes: how many; each holds its own copy of the samples.
        on_progress: called with the number of finished architectures; may raise to stop.

    Raises:
        CoreError: a worker ended without its result.
    """
    if processes < 2 or len(rows) < 2 * processes:
        return evaluate_table(supernet, rows, objectives, data, on_progress)
    parts = np.array_split(Trie.of(supernet, rows).order, processes)
    with tempfile.TemporaryDirectory(prefix="paretoscope-walk-") as name:
        folder = Path(name)
        (folder / "supernet.safetensors").write_bytes(dump_supernet(supernet, {}))
        np.savez(folder / "data.npz", targets=data.targets.numpy(), **flat(data.inputs))
        spans = {split: [s.start, s.stop] for split, s in data.spans.items()}
        task = {"objectives": list(objectives), "calibration_rows": data.calibration_rows, "spans": spans}
        (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
        for index, part in enumerate(parts):
            np.save(folder / f"rows{index}.npy", rows[part])
        workers = [_start(folder, index) for index in range(processes)]
        try:
            _follow(workers, on_progress)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
                assert worker.stdout is not None
                worker.stdout.close()
        return _collect(folder, parts, objectives)


def _start(folder: Path, index: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "core.evaluation.split_walk", str(folder), str(index)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _follow(workers: Sequence[subprocess.Popen[str]], on_progress: Callable[[int], None] | None) -> None:
    """Read progress lines in turn; a slower worker's lines wait in its pipe, a few bytes each."""
    done = [0] * len(workers)
    for index, worker in enumerate(workers):
        assert worker.stdout is not None
        for line in worker.stdout:
            done[index] = int(line)
            if on_progress is not None:
                on_progress(sum(done))
        if worker.wait() != 0:
            raise CoreError(
                "A worker process of the evaluation ended early; nothing was recorded. Start it again."
            )


def _collect(
    folder: Path, parts: Sequence[NDArray[np.int64]], objectives: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    table = {name: np.full(sum(map(len, parts)), np.nan) for name in objectives}
    for index, part in enumerate(parts):
        with np.load(folder / f"values{index}.npz") as values:
            for name in objectives:
                table[name][part] = values[name]
    return table


def _work(folder: Path, index: int) -> None:
    torch.set_num_threads(1)
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    supernet, _ = load_supernet(folder / "supernet.safetensors")
    with np.load(folder / "data.npz") as arrays:
        inputs, targets = as_tensors(unflat(dict(arrays))), torch.from_numpy(arrays["targets"])
    spans = {split: slice(*bounds) for split, bounds in task["spans"].items()}
    data = EvaluationData(inputs, targets, task["calibration_rows"], spans)
    rows = np.load(folder / f"rows{index}.npy")
    reported = 0

    def report(done: int) -> None:
        nonlocal reported
        if done - reported >= 200:
            reported = done
            print(done, flush=True)

    values = evaluate_table(supernet, rows, task["objectives"], data, report)
    np.savez(folder / f"values{index}.npz", **values)  # type: ignore[arg-type]
    print(len(rows), flush=True)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), int(sys.argv[2]))
