"""What workers did, in the order they did it, written outside the store and before the store hears of it.

The end of a deterministic run looks the same whether a worker went on or began anew. The witness tells
them apart: the first step a worker works on must be the one after what the store held when it started.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.store import RunStore

FOLDER = "PARETOSCOPE_TEST_WITNESS"


class Traced:
    """A ledger whose steps are told to the witness, a line each; a kill cannot take those back."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self._path = Path(os.environ[FOLDER]) / ledger.run_id if FOLDER in os.environ else None
        self._tell("start")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def log_metrics(self, step: int, metrics: Any) -> None:
        self._tell(f"epoch {step}")
        self._ledger.log_metrics(step, metrics)

    def add_measurements(self, step: int, measurements: Sequence[Any]) -> None:
        self._tell(f"measured {step} {len(measurements)}")
        self._ledger.add_measurements(step, measurements)

    def _tell(self, line: str) -> None:
        if self._path is not None:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(descriptor, f"{line}\n".encode())
            os.close(descriptor)


def starts(folder: Path, run_id: str) -> list[list[str]]:
    """The lines of each worker of a run, worker by worker."""
    found: list[list[str]] = []
    path = folder / run_id
    for line in path.read_text().splitlines() if path.exists() else []:
        if line == "start":
            found.append([])
        else:
            found[-1].append(line)
    return found


class Continuation:
    """Compares what each worker of a run began with to what the store held when it was started."""

    def __init__(self, folder: Path, kind: str, params: Any) -> None:
        self.folder, self.kind, self.params = folder, kind, params
        self.word = "epoch" if kind == "train_supernet" else "measured"
        self.total = params["training"]["epochs"] if kind == "train_supernet" else params["budget"]
        self.held: dict[str, list[int]] = {}
        self.proved = 0

    def before_start(self, store: RunStore, run_id: str) -> None:
        """Called before a run is started, and before each time it is resumed."""
        n_started = len(starts(self.folder, run_id))
        held = self.held.setdefault(run_id, [])
        # A worker killed before it could say anything left nothing, and is not compared.
        del held[n_started:]
        held.append(self.stored(store, run_id))

    def stored(self, store: RunStore, run_id: str) -> int:
        """Epochs a checkpoint holds, or architectures measured."""
        if self.kind != "train_supernet":
            return store.count_measurements(run_id)
        from core.training import checkpoint

        data = store.ledger(run_id).latest_checkpoint()
        return 0 if data is None else int(checkpoint.about(data)["epoch"])

    def require(self, run_id: str) -> None:
        """Every worker began with the step after what was stored, and went on without leaving one out.

        Raises:
            AssertionError: one began anew, repeated what was stored, or left something out.
        """
        told = starts(self.folder, run_id)
        assert len(told) == len(self.held[run_id]), (told, self.held[run_id])
        for held, lines in zip(self.held[run_id], told, strict=True):
            worked = [line.split() for line in lines if line.startswith(self.word)]
            assert not (worked and held >= self.total), f"all {held} were stored, and a worker did {worked}"
            if not worked and held < self.total:
                continue  # killed before it had a chance
            if self.kind == "train_supernet":
                epochs = [int(words[1]) for words in worked]
                expected = list(range(held + 1, held + 1 + len(epochs)))
                assert epochs == expected, f"with {held} epochs stored a worker trained {epochs}"
            self.proved += held > 0
        if self.kind != "train_supernet":
            self._require_no_repetition(told, self.held[run_id])

    def _require_no_repetition(self, told: list[list[str]], held: list[int]) -> None:
        """What a worker measured and what was stored before it never exceed the budget together."""
        for before, lines in zip(held, told, strict=True):
            measured = sum(int(line.split()[2]) for line in lines if line.startswith(self.word))
            assert before + measured <= self.params["budget"], (before, lines)
