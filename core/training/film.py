"""The film of a training: the accuracy of the same subnets after some of its epochs, so that the front is seen growing.

Where the space is small they are all of it, and every front is exact; elsewhere a sample spread evenly over MACs from
the smallest to the largest. Which it is, and after which epochs, follows from counted work alone: at most a tenth of
the training's, or a few seconds where that is more. So every machine and every resumed run takes the same frames,
and none of them touches the training: weights are read, and no chance is used. No torch.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import DamagedArtifact
from core.seeding import stream
from core.spaces import Archs, SearchSpace
from core.spaces.spread import spread_rows

FILM_FILE = "film.npz"
SHARE = 0.1
"""Of the training's work that its frames may take."""
AT_LEAST, AT_MOST = 4.5, 0.3
"""Seconds of an ordinary core that they may take in any case, if they are no larger share of the training than this one: a
short training is worth seeing, too."""
MOST_FRAMES, _LEAST_FRAMES = 24, 5
_MOST_EXACT = 20_000
_SAMPLES = (256, 128, 64, 32)

Costs = Callable[[Archs], NDArray[np.float64]]
Work = Callable[[Archs], float]


class Offer(NamedTuple):
    """Subnets that a film may show, and what one frame of them costs.

    Attributes:
        subnets: how many.
        exact: whether they are all of the space.
        work: seconds of an ordinary core.
    """

    subnets: int
    exact: bool
    work: float


def chosen(offers: Iterable[Offer], total: float, epochs: int) -> tuple[Offer | None, tuple[int, ...]]:
    """The first offer that gives enough frames, and the epochs after which they are taken.

    Args:
        offers: the better first.
        total: work of the training without frames.
        epochs: of the training.

    Returns:
        The offer and numbers of epochs from 1, close together at first, where a front grows fastest; the last is the
        last epoch. (None, ()) where even the least takes too long.
    """
    allowed, frames, last = max(SHARE * total, min(AT_LEAST, AT_MOST * total)), 0, None
    for last in offers:
        frames = min(int(allowed / max(last.work, 1e-9)), MOST_FRAMES, epochs)
        if frames >= min(_LEAST_FRAMES, epochs):
            break
    return (last, _spread(frames, epochs)) if frames else (None, ())


def _spread(frames: int, epochs: int) -> tuple[int, ...]:
    """So many different numbers from 1 to `epochs`; the last one alone where there is one."""
    if frames == 1:
        return (epochs,)
    found: list[int] = []
    for k in range(frames):
        wanted = round(1 + (epochs - 1) * (k / (frames - 1)) ** 2)
        found.append(max(wanted, found[-1] + 1 if found else 1))
    # What was pushed along must not pass the end.
    for k in range(frames - 1, -1, -1):
        found[k] = min(found[k], epochs - (frames - 1 - k))
    return tuple(found)


@dataclass(frozen=True)
class Script:
    """What a film shows, decided before the first step.

    Attributes:
        rows: (m, d) architectures.
        exact: whether they are all of the space.
        epochs: after which frames are taken, from 1.
        work: seconds of an ordinary core that a frame takes.
    """

    rows: Archs
    exact: bool
    epochs: tuple[int, ...]
    work: float


def offered(space: SearchSpace, costs: Costs, work: Work) -> Iterator[Offer]:
    """What could be shown of a space, the better first.

    Args:
        space: whose subnets.
        costs: (n, d) architectures -> (n,) MACs.
        work: (n, d) architectures -> seconds of an ordinary core that measuring them takes.
    """
    sizes = [space.size] * (space.size <= _MOST_EXACT) + [n for n in _SAMPLES if n < space.size]
    yield from (Offer(n, n == space.size, work(_rows(space, n, costs))) for n in sizes)


def script(space: SearchSpace, costs: Costs, work: Work, *, total: float, epochs: int) -> Script | None:
    """What the film of a training shows; None where it would take too long.

    Args:
        space, costs, work: see `offered`.
        total, epochs: see `chosen`.
    """
    offer, numbers = chosen(offered(space, costs, work), total, epochs)
    if offer is None:
        return None
    return Script(_rows(space, offer.subnets, costs), offer.exact, numbers, offer.work)


def _rows(space: SearchSpace, n: int, costs: Costs) -> Archs:
    if n == space.size:
        return space.array()
    return spread_rows(space, n, stream(0, "film"), costs)


@dataclass(frozen=True)
class Film:
    """What was seen so far.

    Attributes:
        rows: (m, d) architectures.
        macs: (m,) of each.
        exact: whether they are all of the space.
        samples: validation samples they were measured on.
        epochs: (f,) after which frames were taken, ascending.
        accuracy: (f, m) validation accuracies, fractions.
    """

    rows: Archs
    macs: NDArray[np.int64]
    exact: bool
    samples: int
    epochs: NDArray[np.int64]
    accuracy: NDArray[np.float64]

    def with_frame(self, epoch: int, accuracy: NDArray[np.float64]) -> Film:
        """The film with a frame more; whatever it held of this epoch and later ones is taken anew.

        So a run that was cut between a frame and its checkpoint has no frame twice.
        """
        kept = self.epochs < epoch
        return Film(
            self.rows,
            self.macs,
            self.exact,
            self.samples,
            np.append(self.epochs[kept], epoch),
            np.vstack([self.accuracy[kept], accuracy]),
        )

    def dump(self) -> bytes:
        """The bytes of `FILM_FILE`; equal films are equal bytes."""
        buffer = io.BytesIO()
        about = json.dumps({"exact": self.exact, "samples": self.samples})
        np.savez_compressed(
            buffer,
            rows=self.rows,
            macs=self.macs,
            epochs=self.epochs,
            accuracy=self.accuracy,
            about=np.array(about),
        )
        return buffer.getvalue()


def empty_film(rows: Archs, macs: NDArray[np.int64], *, exact: bool, samples: int) -> Film:
    """A film before its first frame; arguments as the attributes of `Film`."""
    nothing = np.empty((0, len(rows)), np.float64)
    return Film(rows, macs.astype(np.int64), exact, samples, np.empty(0, np.int64), nothing)


def read_film(data: bytes) -> Film:
    """The film in the bytes of `FILM_FILE`.

    Raises:
        DamagedArtifact: they are none.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as kept:
            about = json.loads(str(kept["about"]))
            film = Film(
                kept["rows"],
                kept["macs"],
                bool(about["exact"]),
                int(about["samples"]),
                kept["epochs"],
                kept["accuracy"],
            )
        if film.accuracy.shape != (len(film.epochs), len(film.rows)) or len(film.macs) != len(film.rows):
            raise ValueError("arrays of different lengths")
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedArtifact("The film of this training cannot be read; its curves can.") from error
    return film
