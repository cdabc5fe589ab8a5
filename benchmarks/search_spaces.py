"""The spaces that searches are compared on: each a problem, a way to measure, and what measuring costs.

- digits-cnn, fashion-cnn: shipped supernets; measured by their real evaluator, exact front from their tables.
- macro: NAS-Bench-Macro's 6,561 paths (Su et al., ICLR 2021): test accuracy from the table; MACs and seconds counted
  from the skeleton as the paper describes it, for the table has none.
- nb201: NAS-Bench-201's cells: CIFAR-10 test accuracy (NATS-Bench) and latency on an edge GPU (HW-NAS-Bench); seconds
  modeled by MACs, of which all but the stem's are every cell's own.
- synthetic: an elastic CNN of 5e10 subnets on digits, trained for a few seconds here, once; no exact front is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.stage_work import ORDINARY
from core.library import supernets
from core.library.measuring import by_forward_pass, counted_beforehand, work_of_stages
from core.objectives.base import objective
from core.records import Measurement, Objective, Source
from core.search import Problem
from core.search.problem import StageWork
from core.spaces import Arch, Archs, Choice, SearchSpace
from core.spaces.cell_string import EDGES, OPERATIONS, cell_space, format_arch_string

SHIPPED = ("digits-cnn", "fashion-cnn")
TABLES = {
    "macro": ("nas_bench_macro.parquet",),
    "nb201": ("nas_bench_201_accuracy.parquet", "nas_bench_201_hardware.parquet"),
}
NAMES = (*SHIPPED, *TABLES, "synthetic")
SAMPLES = 1000
"""Samples that modeled seconds are for."""

Measure = Callable[[Sequence[Arch]], list[Measurement]]


@dataclass(frozen=True, eq=False)
class Bench:
    """One space to search.

    Attributes:
        name: of `NAMES`.
        problem: with two objectives.
        measure: a batch of architectures.
        whole: (n, 2) values of every architecture; None where nobody knows them.
        modeled: whether seconds are modeled by `problem.work` rather than measured while measuring.
        keeping: bytes of activations to keep from one batch to the next -> the problem and a measure of its own that
            starts with nothing kept; None where nothing can be kept.
    """

    name: str
    problem: Problem
    measure: Measure
    whole: NDArray[np.float64] | None
    modeled: bool
    keeping: Callable[[int], tuple[Problem, Measure]] | None = None

    def fresh(self, keep: int) -> tuple[Problem, Measure]:
        """Problem and measure of one search that may keep so many bytes."""
        return self.keeping(keep) if keep and self.keeping is not None else (self.problem, self.measure)

    def exhaustive_seconds(self) -> float | None:
        """What measuring the whole space takes: modeled, or measured now; None for a space without end."""
        if self.whole is None:
            return None
        rows = self.problem.space.array()
        if self.modeled:
            return walked_seconds(self.problem.work, rows)
        began = time.process_time()
        self.measure([tuple(row) for row in rows.tolist()])
        return time.process_time() - began


def walked_seconds(work: StageWork | None, rows: Archs) -> float:
    """Modeled seconds of one batch: every distinct prefix once, and nothing is kept from one batch to the next."""
    assert work is not None
    total, prefixes, seconds = 0.0, work.prefixes(rows), work.seconds(rows)
    for numbers, each in zip(prefixes.T, seconds.T, strict=True):
        _, first = np.unique(numbers, return_index=True)
        total += float(each[first][numbers[first] >= 0].sum())
    return total


def bench(name: str, *, tables: Path | None, cache: Path) -> Bench:
    """A space by its name.

    Args:
        name: of `NAMES`.
        tables: folder of the published tables.
        cache: folder for the synthetic space's weights.

    Raises:
        FileNotFoundError: the table is not there.
    """
    if name in SHIPPED:
        return _shipped(name)
    if name == "synthetic":
        return _synthetic(cache)
    for file in TABLES[name]:
        if tables is None or not (tables / file).is_file():
            raise FileNotFoundError(
                f"{name} is skipped: {file} is not here (--tables or PARETOSCOPE_TABLES)."
            )
    assert tables is not None
    return _macro(tables) if name == "macro" else _nb201(tables)


# --- supernets ------------------------------------------------------------------------------------

GOALS = ("accuracy", "macs")


def _of_supernet(name: str, entry: supernets.SupernetEntry, whole: NDArray[np.float64] | None) -> Bench:
    def keeping(keep: int) -> tuple[Problem, Measure]:
        goals, work = tuple(objective(name) for name in GOALS), work_of_stages(entry, keep=keep)
        problem = Problem(entry.space, goals, counted=counted_beforehand(entry), work=work)
        return problem, partial(_all, by_forward_pass(entry, None, GOALS, keep=keep))

    return Bench(name, *keeping(0), whole, False, keeping)


def _shipped(name: str) -> Bench:
    entry = supernets.find(None, name)
    table = supernets.table_with_counts(entry)
    assert table is not None
    return _of_supernet(name, entry, table[list(GOALS)].to_numpy(float))


def _all(measure: Callable[..., object], archs: Sequence[Arch]) -> list[Measurement]:
    found = {m.arch: m for m in measure(archs)}  # type: ignore[attr-defined]
    return [found[arch] for arch in archs]


def _synthetic(cache: Path) -> Bench:
    from core.library.library import Library
    from core.store import MemoryLedger
    from core.workflows import train_supernet

    path = cache / "synthetic.safetensors"
    if not path.is_file():
        groups = [
            {"widths": [w, 2 * w, 3 * w, 4 * w], "depths": [1, 2, 3, 4], "kernels": [1, 3, 5]}
            for w in (2, 4, 6, 8)
        ]
        request = {
            "title": "synthetic",
            "family": "elastic_cnn",
            "config": {"groups": groups},
            "data": {"name": "digits"},
            "training": {"strategy": "sandwich", "epochs": 25, "learning_rate": 0.05, "seed": 0},
        }
        ledger = MemoryLedger()
        for _ in train_supernet.run(train_supernet.Request.model_validate(request), ledger, Library()):
            pass
        path.write_bytes(ledger.artifact("supernet.safetensors"))
    return _of_supernet("synthetic", supernets.resolve(None, str(path)), None)


# --- published tables -----------------------------------------------------------------------------


class Additive:
    """Stages whose seconds are those of their own option, one choice each, or of all choices together.

    Args:
        seconds: per stage, (options,) or (1,) for a stage that makes no choice.
        columns: per stage, the choice it reads; None for none, and `ALL` for all of them.
    """

    ALL = -1

    def __init__(
        self, columns: Sequence[int | None], seconds: Sequence[Callable[[Archs], NDArray[np.float64]]]
    ) -> None:
        self.memory = 0
        self._columns, self._seconds = columns, seconds
        self._numbers: dict[bytes, int] = {}

    def prefixes(self, rows: Archs) -> NDArray[np.int64]:
        """See `StageWork`."""
        found, read = [], np.zeros((len(rows), 0), np.uint8)
        for level, column in enumerate(self._columns):
            if column is not None:
                more = rows if column == self.ALL else rows[:, [column]]
                read = np.concatenate([read, more], axis=1)
            keys = [bytes([level]) + row.tobytes() for row in read]
            found.append([self._numbers.setdefault(key, len(self._numbers)) for key in keys])
        return np.array(found, np.int64).T

    def seconds(self, rows: Archs) -> NDArray[np.float64]:
        """See `StageWork`."""
        return np.stack([each(rows) for each in self._seconds], axis=1)

    def bytes(self, rows: Archs) -> NDArray[np.int64]:
        """See `StageWork`; nothing is kept of a table."""
        return np.zeros((len(rows), len(self._seconds)), np.int64)


def _took(macs: float, written: float, calls: float = 1.0) -> float:
    return float(ORDINARY @ [calls, macs * SAMPLES, written * SAMPLES])


MACRO_LAYERS = ((64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1))
"""Channels and stride of each layer that makes a choice, after a stem of 32 channels on 32x32."""
MACRO_BLOCKS = ((0, 1), (3, 3), (6, 5))
"""Expansion and kernel of each option; the first is an identity, where the shape changes a convolution of 1x1."""


def _macro_layer(index: int, option: int) -> tuple[float, float]:
    """(MACs, numbers written) of one layer for one sample."""
    before = 32 if index == 0 else MACRO_LAYERS[index - 1][0]
    channels, stride = MACRO_LAYERS[index]
    side = 32 // int(np.prod([s for _, s in MACRO_LAYERS[:index]], initial=1))
    after = side // stride
    expansion, kernel = MACRO_BLOCKS[option]
    if expansion == 0:
        same = stride == 1 and before == channels
        return (0.0, 0.0) if same else (before * channels * after**2, channels * after**2)
    hidden = before * expansion
    macs = before * hidden * side**2 + kernel**2 * hidden * after**2 + hidden * channels * after**2
    return macs, hidden * (side**2 + after**2) + channels * after**2


def _macro(folder: Path) -> Bench:
    frame = pd.read_parquet(folder / TABLES["macro"][0])
    space = SearchSpace(
        [Choice(f"layer{i}", ("identity", "mb3_k3", "mb6_k5"), "operation") for i in range(1, 9)]
    )
    rows = np.array([[int(digit) for digit in text] for text in frame["arch"]], np.uint8)
    costs = np.array([[_macro_layer(i, o) for o in range(3)] for i in range(8)])
    ends = np.array([[27 * 32 * 32**2, 32 * 32**2], [256 * 1280 * 16 + 12_800, 1280 * 16]])
    fixed = float(ends[:, 0].sum())

    def counted(archs: Archs) -> dict[str, NDArray[np.float64]]:
        return {"macs": fixed + costs[np.arange(8), archs, 0].sum(axis=1)}

    def layer(index: int) -> Callable[[Archs], NDArray[np.float64]]:
        of = np.array([_took(*costs[index, option]) for option in range(3)])
        return lambda archs: of[archs[:, index]]

    def end(index: int) -> Callable[[Archs], NDArray[np.float64]]:
        return lambda archs: np.full(len(archs), _took(*ends[index]))

    work = Additive([None, *range(8), None], [end(0), *(layer(i) for i in range(8)), end(1)])
    goals = (objective("accuracy"), objective("macs"))
    problem = Problem(space, goals, counted=counted, work=work)
    values = np.stack([frame["mean_acc"].to_numpy(float) / 100, counted(rows)["macs"]], axis=1)
    return _tabulated("macro", problem, rows, values)


LATENCY = Objective(
    "latency", "Latency on an edge GPU", "ms", False, Source.MEASURED, "Published, milliseconds."
)


def _nb201(folder: Path) -> Bench:
    accuracy, hardware = (pd.read_parquet(folder / file) for file in TABLES["nb201"])
    frame = accuracy.merge(hardware, on="arch_str")
    space = cell_space()
    of = {format_arch_string([OPERATIONS[o] for o in row]): row for row in space.array().tolist()}
    rows = np.array([of[text] for text in frame["arch_str"]], np.uint8)

    def body(archs: Archs) -> NDArray[np.float64]:
        edges = np.stack(
            [(archs == OPERATIONS.index(f"nor_conv_{k}x{k}")).sum(axis=1) for k in (3, 1)], axis=1
        )
        macs = 7_783_050 + edges @ np.array([35_389_440, 3_932_160])
        return np.array([_took(float(m), 30_000 * len(EDGES), 120) for m in macs])

    def stem(archs: Archs) -> NDArray[np.float64]:
        return np.full(len(archs), _took(442_368, 16_384))

    problem = Problem(
        space, (objective("accuracy"), LATENCY), work=Additive([None, Additive.ALL], [stem, body])
    )
    names = ["cifar10_test_acc200", "cifar10__edgegpu_latency"]
    return _tabulated("nb201", problem, rows, frame[names].to_numpy(float) / [100, 1])


def _tabulated(name: str, problem: Problem, rows: Archs, values: NDArray[np.float64]) -> Bench:
    of = {tuple(row): value for row, value in zip(rows.tolist(), values.tolist(), strict=True)}
    assert len(of) == problem.space.size
    names = [o.name for o in problem.objectives]

    def measure(archs: Sequence[Arch]) -> list[Measurement]:
        return [Measurement(arch, dict(zip(names, of[arch], strict=True))) for arch in archs]

    return Bench(name, problem, measure, values, modeled=True)
