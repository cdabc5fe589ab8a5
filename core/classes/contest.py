"""The contest: the best subnet under a budget of MACs, judged by the server on images that no page shows.

All 1,797 digits are used by the lessons' supernet already, and every page may show the accuracy on its test images. So the
hidden images are made: each test image three times, moved by up to a pixel and with noise. Which way, a seed decides that
the server draws for each contest and shows only when the contest is closed; then everybody can make the images again.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.cache import kept
from core.errors import InvalidInput
from core.lessons.base import SUPERNET
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.runtime import heavy_imports
from core.seeding import stream
from core.store.class_rows import Contest, Entry, Rules, Student

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.store import RunStore

COPIES = 3
NOISE = 0.1
"""Standard deviation of the noise; pixels are between 0 and 1."""
HIDDEN = (
    "The hidden images are the test images of the digits, each three times, moved by up to one pixel and with noise. Which "
    "way, a seed decides that the server drew for this contest; nobody sees it before the contest is closed."
)
DEFAULT_BUDGET = 60_000


def opened(rules: Rules, budget: int) -> Rules:
    """The rules with a new contest; one that is open is closed.

    Raises:
        InvalidInput: no subnet fits into the budget.
    """
    entry = supernets.find(None, SUPERNET)
    smallest = macs_of(entry, entry.space.smallest)
    if budget < smallest:
        raise InvalidInput(f"The smallest subnet needs {smallest:,} MACs: give a larger budget.")
    contest = Contest(number=len(rules.contests) + 1, budget=budget, seed=secrets.randbelow(2**31))
    return rules.model_copy(update={"contests": (*closed(rules).contests, contest)})


def closed(rules: Rules) -> Rules:
    """The rules with no contest open."""
    return rules.model_copy(
        update={"contests": tuple(each.model_copy(update={"open": False}) for each in rules.contests)}
    )


def current(rules: Rules) -> Contest | None:
    """The last contest, open or closed."""
    return rules.contests[-1] if rules.contests else None


def entered(
    store: RunStore, sandbox: RunStore | None, student: Student, supernet: str, arch_id: str
) -> Entry:
    """Enter a subnet and judge it; returns the judged entry. A killed server judges it at the next look (`judge_open`).

    Args:
        store: of the class.
        sandbox: the student's own, whose supernets may be entered.
        supernet: the lessons' supernet or the id of one in the sandbox.

    Raises:
        NotFound: there is no such supernet.
        InvalidInput: there is no such subnet, or it cannot be entered; no try is used then.
    """
    entry = eligible(sandbox, supernet)
    try:
        arch = entry.space.from_id(arch_id)
    except InvalidInput as error:
        raise InvalidInput(
            f"{entry.title} has no subnet {arch_id[:40]!r}: copy the id from its card. No try was used."
        ) from error
    tried = store.class_work.enter(
        student,
        supernet=entry.supernet_id,
        arch_id=arch_id,
        macs=macs_of(entry, arch),
        of=COPIES * len(supernets.dataset(entry).test),
    )
    return judged(store, sandbox, student.code, tried)


def prepare(seed: int) -> None:
    """Load what judging takes, so that the first who enters a subnet does not wait for it. Loads torch.

    Args:
        seed: of the contest.

    Raises:
        CoreError: something of it cannot be read; whoever enters a subnet is told.
    """
    heavy_imports()
    entry = supernets.find(None, SUPERNET)
    dataset, net = supernets.dataset(entry), supernets.load(entry)
    x, y = hidden(dataset, seed)
    from core.networks.answers import count_correct

    smallest = entry.space.smallest
    count_correct(net.extract(smallest, net.calibrate_on(smallest, dataset)), x, y)


def macs_of(entry: SupernetEntry, arch: Sequence[int]) -> int:
    """Multiply-accumulate operations of a subnet, counted."""
    return int(supernets.counted(entry, np.array([arch]), "macs")[0])


def eligible(sandbox: RunStore | None, supernet: str) -> SupernetEntry:
    """A supernet whose subnets may be entered: trained on exactly the training images of the lessons' supernet.

    Raises:
        NotFound: there is none.
        InvalidInput: it was trained on other images, perhaps on those the hidden ones are made of.
    """
    shipped = supernets.find(None, SUPERNET)
    if supernet == SUPERNET:
        return shipped
    entry = supernets.find(sandbox, supernet)
    data, known = entry.card.data, shipped.card.data
    if data is None or known is None or data.fingerprint != known.fingerprint:
        raise InvalidInput(
            "This supernet learned other images than the lessons' one, and may have seen those it would be judged on: "
            "train one with the data set's own settings."
        )
    return entry


def judged(store: RunStore, sandbox: RunStore | None, code: str, tried: Entry) -> Entry:
    """Judge an entry and keep what came out; a few hundredths of a second, one thread. Loads torch.

    Raises:
        CoreError: the supernet can no longer be read; the entry stays open.
    """
    from core.networks.answers import count_correct

    entry = eligible(sandbox, tried.supernet)
    contest = next(each for each in store.classes.get(code).rules.contests if each.number == tried.contest)
    dataset, net = supernets.dataset(entry), supernets.load(entry)
    arch = entry.space.from_id(tried.arch_id)
    subnet = net.extract(arch, net.calibrate_on(arch, dataset))
    x, y = hidden(dataset, contest.seed)
    store.class_work.judged(code, tried, count_correct(subnet, x, y))
    return next(
        each
        for each in store.class_work.entries(code)
        if (each.contest, each.student_id, each.attempt) == (tried.contest, tried.student_id, tried.attempt)
    )


@kept(4, key=lambda dataset, seed: (dataset.fingerprint, seed))
def hidden(dataset: Dataset, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The hidden images and their classes; equal seeds give equal ones.

    Returns:
        (3 n, c, h, w) float32 in [0, 1] and (3 n,) int64, of n test images.
    """
    x = np.concatenate([dataset.test.x] * COPIES)
    rng = stream(seed, "hidden images")
    n, _, height, width = x.shape
    down, right = rng.integers(0, 3, (2, n))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns = down[:, None] + np.arange(height), right[:, None] + np.arange(width)
    moved = np.moveaxis(padded[np.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]], -1, 1)
    noisy = np.clip(moved + rng.normal(0, NOISE, moved.shape), 0, 1).astype(np.float32)
    return noisy, np.concatenate([dataset.test.y] * COPIES)


@dataclass(frozen=True)
class Place:
    """A place on the leaderboard.

    Attributes:
        rank: 1 is best; equal results share it.
        best: the student's best judged entry.
        tries: used so far.
    """

    rank: int
    best: Entry
    tries: int


def leaderboard(entries: Sequence[Entry], contest: int) -> list[Place]:
    """Everybody's best entry: most hidden images right first, ties by fewer MACs, then shared."""
    mine: dict[str, list[Entry]] = {}
    for each in entries:
        if each.contest == contest:
            mine.setdefault(each.student_id, []).append(each)
    best = [
        min((e for e in tried if e.correct is not None), key=_order, default=None) for tried in mine.values()
    ]
    ranked = sorted((each for each in best if each is not None), key=lambda e: (*_order(e), e.ordinal))
    keys = [_order(each) for each in ranked]
    return [Place(keys.index(_order(each)) + 1, each, len(mine[each.student_id])) for each in ranked]


def _order(entry: Entry) -> tuple[int, int]:
    return -(entry.correct or 0), entry.macs
