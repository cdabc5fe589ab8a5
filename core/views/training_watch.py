"""What a training has shown so far: its curves by epoch, what it drew, and its film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pareto import non_dominated
from core.records import Metrics
from core.training.film import Film
from core.training.watch import BySize, by_size
from core.words import count_of, format_bytes, format_count, format_seconds

MOST_SHOWN = 400
"""Subnets drawn besides the front, in every frame the same ones."""
_LINES = ("smallest", "median", "largest")

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Watched:
    """The numbers of a training's epochs; NaN where one does not say it.

    Attributes:
        epochs: (n,) from 1.
        lines: name -> (n,) validation accuracy, a fraction: "smallest" and "largest" where the space has such, and "median"
            of a fixed draw of subnets ("random", their mean, in trainings of earlier releases).
        low, high: (n,) least and most of that draw.
        rate: (n,) learning rate of each epoch's last step.
        sizes: draws and losses by size.
        passes: forward passes with a gradient so far; NaN in trainings of earlier releases.
        memory: bytes in use at the end of the last epoch; NaN if not known.
        seconds: spent in all epochs.
    """

    epochs: NDArray[np.int64]
    lines: Mapping[str, Curve]
    low: Curve
    high: Curve
    rate: Curve
    sizes: BySize
    passes: float
    memory: float
    seconds: float


def watched(rows: Sequence[Metrics]) -> Watched:
    """What the numbers of the epochs (`ledger.metrics()`) show."""

    def column(name: str) -> Curve:
        return np.array([float(row.get(name, np.nan)) for row in rows], np.float64)

    lines = {name: column(name) for name in _LINES}
    if np.isnan(lines["median"]).all():
        lines = {"smallest": lines["smallest"], "random": column("random"), "largest": lines["largest"]}
    passes, memory = column("passes"), column("memory")
    return Watched(
        epochs=np.array([int(row["epoch"]) for row in rows], np.int64),
        lines={name: values for name, values in lines.items() if not np.isnan(values).all()},
        low=column("random_low"),
        high=column("random_high"),
        rate=column("learning_rate"),
        sizes=by_size(rows),
        passes=float(passes[-1]) if len(rows) else np.nan,
        memory=float(memory[-1]) if len(rows) else np.nan,
        seconds=float(np.nansum(column("seconds"))),
    )


def numbers(found: Watched, *, running: bool, allowed: int) -> list[str]:
    """What it took so far, a few words each.

    Args:
        found: of the training.
        running: whether it still does; then its memory and what is left of that are said.
        allowed: bytes of memory that a job may use.
    """
    epochs = len(found.epochs)
    said = [f"{format_seconds(found.seconds)} in {count_of(epochs, 'epoch')}"]
    if np.isfinite(found.passes):
        said.append(f"{format_count(round(found.passes))} forward passes with a gradient")
    if running and np.isfinite(found.memory) and found.memory > 0:
        left = max(allowed - found.memory, 0)
        said.append(f"{format_bytes(found.memory)} of memory in use, {format_bytes(left)} left")
    return said


@dataclass(frozen=True)
class Strip:
    """A film as it is drawn.

    Attributes:
        epochs: of the frames.
        macs: (m,) of the subnets.
        accuracy: (frames, m) fractions.
        shown: (k,) positions of the subnets drawn besides the front.
        fronts: for each frame the positions of its front's members, from the cheapest to the dearest.
        sentence: what is shown, and how exact it is.
    """

    epochs: tuple[int, ...]
    macs: NDArray[np.int64]
    accuracy: Curve
    shown: NDArray[np.int64]
    fronts: tuple[NDArray[np.int64], ...]
    sentence: str


def strip(film: Film) -> Strip:
    """The fronts of a film, frame by frame."""
    macs = film.macs.astype(np.float64)
    fronts = []
    for accuracy in film.accuracy:
        members = np.flatnonzero(non_dominated(np.column_stack([accuracy, macs]), maximize=[True, False]))
        fronts.append(members[np.argsort(macs[members], kind="stable")])
    n = len(film.rows)
    shown = np.linspace(0, n - 1, min(n, MOST_SHOWN)).astype(np.int64)
    return Strip(tuple(film.epochs.tolist()), film.macs, film.accuracy, shown, tuple(fronts), _sentence(film))


def _sentence(film: Film) -> str:
    measured = f"measured on {format_count(film.samples)} validation samples"
    if film.exact:
        return f"Exact: after each of these epochs all {count_of(len(film.rows), 'subnet')} were {measured}."
    return (
        f"A sample: after each of these epochs the same {count_of(len(film.rows), 'subnet')}, spread evenly over MACs, "
        f"were {measured}. All of them would have taken more than a tenth of the training's time."
    )
