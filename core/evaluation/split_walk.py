"""One trie over several processes: each walks a contiguous part of it.

The parts are cut where prefixes change early in the chain, so little is computed twice, and because
a subnet's result does not depend on which others are walked with it, the table is the same to the
last bit. Workers are fresh Python processes (never forks, which can hang on torch's live state);
they get their work as files and answer with files, one a second.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import CoreError
from core.evaluation.evaluator import walk
from core.evaluation.trie import Trie
from core.networks.trees import as_tensors, flat, unflat
from core.supernets.base import Supernet
from core.supernets.files import dump_supernet, load_supernet
from core.tasks.base import EvaluationData

_ROOT = Path(__file__).resolve().parents[2]
_WRITE_SECONDS = 1.0


def walk_split(
    supernet: Supernet,
    rows: NDArray[np.uint8],
    objectives: Sequence[str],
    data: EvaluationData,
    *,
    processes: int,
    keep_bits: bool = False,
) -> Iterator[tuple[list[int], dict[str, NDArray[Any]]]]:
    """`evaluator.walk` by several processes: the same values, a few rows at a time, in any order.

    Args:
        supernet, rows, objectives, data, keep_bits: as in `walk`.
        processes: how many; each holds its own copy of the samples.

    Raises:
        CoreError: a worker ended without its result; what was yielded before is right.
    """
    parts = [part for part in np.array_split(Trie.of(supernet, rows).order, processes) if len(part)]
    with tempfile.TemporaryDirectory(prefix="paretoscope-walk-") as name:
        folder = Path(name)
        (folder / "supernet.safetensors").write_bytes(dump_supernet(supernet, {}))
        np.savez(folder / "data.npz", targets=data.targets.numpy(), **flat(data.inputs))
        spans = {split: [s.start, s.stop] for split, s in data.spans.items()}
        task = {
            "objectives": list(objectives),
            "calibration_rows": data.calibration_rows,
            "spans": spans,
            "keep_bits": keep_bits,
            "target_bytes": dict(data.target_bytes),
        }
        (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
        for index, part in enumerate(parts):
            np.save(folder / f"rows{index}.npy", rows[part])
        workers = [_start(folder, index) for index in range(len(parts))]
        try:
            for index, file in _files(workers):
                with np.load(folder / file) as values:
                    found = {name: values[name] for name in values.files if name != "indices"}
                    yield parts[index][values["indices"]].tolist(), found
                (folder / file).unlink()
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
                assert worker.stdout is not None
                worker.stdout.close()


def _start(folder: Path, index: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "core.evaluation.split_walk", str(folder), str(index)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _files(workers: Sequence[subprocess.Popen[str]]) -> Iterator[tuple[int, str]]:
    """(worker, name of a finished file) as they come; a thread per worker reads its lines."""
    lines: queue.Queue[tuple[int, str]] = queue.Queue()

    def read(index: int, worker: subprocess.Popen[str]) -> None:
        assert worker.stdout is not None
        # A closed pipe is a worker that was stopped on purpose.
        with suppress(ValueError):
            for line in worker.stdout:
                lines.put((index, line.strip()))
        lines.put((index, ""))

    threads = [threading.Thread(target=read, args=each, daemon=True) for each in enumerate(workers)]
    for thread in threads:
        thread.start()
    running = len(workers)
    while running:
        index, file = lines.get()
        if file:
            yield index, file
            continue
        running -= 1
        if workers[index].wait() != 0:
            raise CoreError(
                "A worker process of the evaluation ended early. What was measured is kept: resume the run to go on."
            )


def _work(folder: Path, index: int) -> None:
    torch.set_num_threads(1)
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    supernet, _ = load_supernet(folder / "supernet.safetensors")
    with np.load(folder / "data.npz") as arrays:
        inputs, targets = as_tensors(unflat(dict(arrays))), torch.from_numpy(arrays["targets"])
    spans = {split: slice(*bounds) for split, bounds in task["spans"].items()}
    data = EvaluationData(inputs, targets, task["calibration_rows"], spans, task["target_bytes"])
    rows = np.load(folder / f"rows{index}.npy")
    found: list[tuple[list[int], Mapping[str, NDArray[Any]]]] = []
    written, due = 0, time.monotonic() + _WRITE_SECONDS

    def write() -> None:
        nonlocal written
        name = f"values{index}-{written}.npz"
        values = {n: np.concatenate([v[n] for _, v in found]) for n in found[0][1]}
        values["indices"] = np.concatenate([np.array(i) for i, _ in found])
        np.savez(folder / name, **values)  # type: ignore[arg-type]
        written += 1
        found.clear()
        print(name, flush=True)

    for step in walk(supernet, rows, task["objectives"], data, keep_bits=task["keep_bits"]):
        found.append(step)
        if time.monotonic() >= due:
            write()
            due = time.monotonic() + _WRITE_SECONDS
    if found:
        write()


if __name__ == "__main__":
    _work(Path(sys.argv[1]), int(sys.argv[2]))
