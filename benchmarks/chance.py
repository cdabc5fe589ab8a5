"""How sure a front is: the time of resampling it, and whether what is said of chance holds on images never looked at.

For each supernet, over the front of accuracy and MACs:

    time       2,000 resamples of all subnets on one thread, and the naive way (one resample after the other)
    coverage   share of the front's members whose accuracy on test images lies in the interval of 90 % of what to expect.
               All members see the same images, so on one division they are mostly all in or many out: besides the
               test split itself, all images are divided anew many times, each half once the one that is chosen by
    split      how much easier test images are for all subnets together; more than chance explains what no interval holds
    too good   how much better members look than they are on the other half, in points, on average
    stay       members that are on the front of the other half: predicted (luck taken off), by resampling alone, and counted
    steps      sure steps that go up on the other half, and the same for all steps of the front

    python benchmarks/chance.py [--divisions 10] [--train 3] [--processes 1]

With --train N it trains as many further supernets of digits, each on another division, and measures them completely.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from core.chance.credible import Members, credible_steps
from core.chance.intervals import score_interval, split_shift
from core.chance.optimism import LEVEL, expected
from core.chance.renewed import renewed_share
from core.chance.resampling import ResampledFronts, resampled_fronts, sample_weights
from core.chance.shrinkage import shrink
from core.library import supernets
from core.library.correct import known_bits, measured_by
from core.library.library import Library
from core.library.supernets import SUPERNET_FILE, SupernetEntry
from core.pareto import non_dominated
from core.store import MemoryLedger
from core.workflows import evaluate_table, train_supernet

NAIVE = 20


@dataclass(frozen=True)
class Table:
    """A supernet's subnets: what they are, what they cost, and which of all images they get right."""

    name: str
    options: NDArray[np.uint8]
    costs: NDArray[np.float64]
    right: NDArray[np.uint8]
    n_validation: int


@dataclass(frozen=True)
class Held:
    """What one division shows: shares and points, members and steps."""

    covered: dict[str, float]
    too_good: dict[str, float]
    stay: tuple[float, float, float]
    up: tuple[int, int, int, int]


def read(entry: SupernetEntry) -> Table:
    """From a table with its bits."""
    table, bits = supernets.table(entry), known_bits(entry)
    assert table is not None, "not measured"
    assert bits.by_split, bits.sentence
    both = [bits.by_split[split].matrix() for split in ("validation", "test")]
    options = entry.space.from_ids(table["arch_id"].tolist())
    costs = table["macs"].to_numpy(float)
    return Table(entry.title, options, costs, np.concatenate(both, axis=1), both[0].shape[1])


def front_of(right: NDArray[np.uint8], costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of the front's members, from the cheapest on."""
    points = np.stack([right.sum(axis=1), costs], axis=1)
    rows = np.flatnonzero(non_dominated(points, maximize=[True, False]))
    return rows[np.argsort(costs[rows], kind="stable")]


def bootstrap_optimism(
    fronts: ResampledFronts,
    costs: NDArray[np.float64],
    correct: NDArray[np.int64],
    members: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(m,) the estimator that was not chosen: how much better the best up to each cost looks in resamples than it did."""
    levels = np.unique(costs[fronts.row])
    place = fronts.resample.astype(np.int64) * len(levels) + np.searchsorted(levels, costs[fronts.row])
    gain = (fronts.correct - correct[fronts.row]) / fronts.n_samples
    first = np.arange(fronts.resamples, dtype=np.int64) * len(levels)
    found = []
    for upto in np.searchsorted(levels, costs[members], side="right") - 1:
        at = np.searchsorted(place, first + upto, side="right") - 1
        found.append(float(gain[at[(at >= 0) & (place[at] >= first)]].mean()))
    return np.array(found)


def look(table: Table, chosen: NDArray[np.int64], other: NDArray[np.int64]) -> Held:
    """Choose by some images, look at the others."""
    right, unseen = table.right[:, chosen], table.right[:, other]
    members = front_of(right, table.costs)
    truth, n, new = unseen[members].mean(axis=1), len(chosen), len(other)
    known = shrink(right, table.options)
    fronts = resampled_fronts(right, table.costs)
    correct = right.sum(axis=1, dtype=np.int64)
    plain = correct[members] / n
    values = {
        "expected": expected(right, known, members, n_new=new).value,
        "mean luck off": np.clip(plain - bootstrap_optimism(fronts, table.costs, correct, members), 0, 1),
        "nothing off": plain,
    }
    covered = {}
    for name, value in values.items():
        low, high = score_interval(value, 1 / (1 / n + 1 / new), level=LEVEL)
        covered[name] = float(((low <= truth) & (truth <= high)).mean())
    stays = renewed_share(right, table.costs, known)[members].sum()
    again = np.isin(members, front_of(unseen, table.costs)).sum()
    sure = members[credible_steps(Members.of(right[members]))]
    up = [int((np.diff(unseen[rows].sum(axis=1, dtype=np.int64)) > 0).sum()) for rows in (sure, members)]
    return Held(
        covered,
        {name: 100 * float((value - truth).mean()) for name, value in values.items()},
        (float(stays), float(fronts.share[members].sum()), float(again)),
        (up[0], len(sure) - 1, up[1], len(members) - 1),
    )


def times(table: Table) -> str:
    """Seconds of 2,000 resamples, and of the naive way."""
    right = np.ascontiguousarray(table.right[:, : table.n_validation])
    start = time.perf_counter()
    found = resampled_fronts(right, table.costs)
    mine = time.perf_counter() - start
    weights = sample_weights(right.shape[1], NAIVE)
    start = time.perf_counter()
    for drawn in weights:
        points = np.stack([right @ drawn, table.costs], axis=1)
        non_dominated(points, maximize=[True, False])
    naive = (time.perf_counter() - start) * found.resamples / NAIVE
    return f"{found.resamples:,} resamples of {right.shape[0]:,} x {right.shape[1]:,}: {mine:.2f} s; one by one {naive:.0f} s"


def show(table: Table, divisions: int) -> None:
    print(f"\n{table.name}\n  time      {times(table)}")
    every, split = np.arange(table.right.shape[1]), table.n_validation
    own = look(table, every[:split], every[split:])
    shares = table.right.mean(axis=0)
    difference, ends = split_shift(shares[:split], shares[split:])
    print(
        f"  split     all subnets together do {100 * difference:+.2f} points better on test images than on validation images "
        f"(95 %: {100 * ends.low:+.2f} to {100 * ends.high:+.2f})"
    )
    half, rng, found = min(split, len(every) - split), np.random.default_rng(0), []
    for _ in range(divisions):
        order = rng.permutation(len(every))
        a, b = order[:half], order[half : 2 * half]
        found += [look(table, a, b), look(table, b, a)]
    for name in own.covered:
        anew = np.mean([each.covered[name] for each in found]) if found else np.nan
        off = np.mean([each.too_good[name] for each in found]) if found else np.nan
        print(
            f"  coverage  {name:14} test split {own.covered[name]:6.1%}, divided anew {anew:6.1%}; "
            f"too good {own.too_good[name]:+.2f}, divided anew {off:+.2f} points"
        )
    for what, told in (("test split", [own]), ("divided anew", found)):
        if told:
            stay, up = np.mean([e.stay for e in told], axis=0), np.sum([e.up for e in told], axis=0)
            print(
                f"  stay      {what:14} predicted {stay[0]:.1f}, by resampling alone {stay[1]:.1f}, counted {stay[2]:.1f}"
            )
            print(
                f"  steps     {what:14} sure ones up {up[0] / max(up[1], 1):.0%}, all of the front up {up[2] / max(up[3], 1):.0%}"
            )


def trained(seed: int, processes: int) -> SupernetEntry:
    """A supernet of digits on a division of its own, measured completely."""
    params = train_supernet.preset_request("digits-cnn", data=None, method=None, seed=seed)
    params["data"]["seed"] = seed
    ledger = MemoryLedger()
    for _ in train_supernet.run(train_supernet.Request.model_validate(params), ledger, Library()):
        pass
    entry = supernets.from_bytes(ledger.artifact(SUPERNET_FILE), title=f"digits-cnn, seed {seed}")
    file = Path(os.environ.get("TMPDIR", "/tmp")) / f"chance-{seed}-{os.getpid()}.safetensors"
    file.write_bytes(entry.read())
    try:
        table = MemoryLedger()
        request = evaluate_table.Request(
            supernet=str(file), objectives=["accuracy", "test_accuracy", "macs"], processes=processes
        )
        for _ in evaluate_table.run(request, table, Library()):
            pass
    finally:
        file.unlink()
    return measured_by(entry, table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--divisions", type=int, default=10)
    parser.add_argument("--train", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    asked = parser.parse_args()
    for entry in supernets.entries():
        show(read(entry), asked.divisions)
    for seed in range(1, asked.train + 1):
        show(read(trained(seed, asked.processes)), asked.divisions)


if __name__ == "__main__":
    main()
