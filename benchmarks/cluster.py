"""What a cluster would make of the exact evaluation of a space, and of a search; from costs that are measured here.

    python benchmarks/cluster.py [--cores 8,64,512] [--spread 0.1] [--plays 5]

1. What a shard costs besides its work: two Ray nodes on this machine, in a network of their own (two processes, where Ray is
   not installed); what the driver computes for each shard and for each result.
2. How much work the cuts of digits-cnn do twice, beside fixed levels of the chain, equal parts and random parts.
3. How long shards of a space of a million architectures take, beside what was modeled; a sample is walked.
4. The whole space on more and more cores, played from these; efficiency is one core's time for one walk over cores times
   time. Goals: at least 0.9 on 8 cores, 0.8 on 64, 0.6 on 512.
5. A search of digits-cnn on 64 workers that waits for all of a batch, and one that does not.

Times of work are computing time of one thread, so that what else the machine does counts little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from benchmarks.cluster_simulation import Costs, Nodes, Searched, play, search_at_once
from benchmarks.search_spaces import bench
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import walk
from core.evaluation.shards import cut, cut_in_turn, repeated
from core.evaluation.trie import Trie
from core.evaluation.work import parts_of, seconds_of_walks, walk_seconds
from core.library import supernets
from core.pareto import hypervolume, reference_point
from core.records import Measurement
from core.runtime import heavy_imports
from core.search import ALGORITHMS
from core.spaces import Arch
from core.supernets.base import Supernet
from core.supernets.elastic_cnn import ElasticCNN, ElasticCNNConfig
from core.tasks.base import EvaluationData, evaluation_data

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("accuracy", "test_accuracy")
GOALS = {8: 0.9, 64: 0.8, 512: 0.6}
WALKED = 24
"""Shards of the large space that are timed."""
WORKERS, BUDGET, BARRIER, SEEDS = 64, 2000, 50, 3
ALGORITHM = "nsga2"


@dataclass(frozen=True)
class Space:
    """All architectures of a supernet, in canonical form, with what they cost."""

    net: Supernet
    data: EvaluationData
    rows: NDArray[np.uint8]
    table: CostTable

    @classmethod
    def of(cls, net: Supernet, data: EvaluationData) -> Space:
        return cls(net, data, np.asarray(net.space.array()), CostTable.of(net))

    @property
    def samples(self) -> int:
        return len(self.data.targets)

    def twice(self, shards: list[NDArray[np.int64]]) -> float:
        return repeated(self.net, self.table, self.rows, self.samples, shards)

    def seconds(self, shards: list[NDArray[np.int64]]) -> NDArray[np.float64]:
        return seconds_of_walks(self.net, self.table, self.rows, self.samples, shards)

    def shards(self, cores: int) -> list[NDArray[np.int64]]:
        return cut(self.net, self.table, self.rows, self.samples, cores=cores)

    def in_turn(self, cores: int) -> tuple[list[NDArray[np.int64]], list[float]]:
        """The shards of a walk on an executor, and when each was cut: computing time."""
        began, shards, there = time.process_time(), [], []
        for shard in cut_in_turn(self.net, self.table, self.rows, self.samples, cores=cores):
            shards.append(shard)
            there.append(time.process_time() - began)
        return shards, there

    def by_level(self, level: int) -> list[NDArray[np.int64]]:
        """One part for each beginning of so many stages."""
        trie = Trie.of(self.net, self.rows)
        changes = (trie.codes[:level, 1:] != trie.codes[:level, :-1]).any(axis=0)
        return np.split(trie.order, np.flatnonzero(changes) + 1)

    def equal(self, parts: int) -> list[NDArray[np.int64]]:
        return np.array_split(Trie.of(self.net, self.rows).order, parts)


def digits() -> Space:
    """The shipped supernet."""
    entry = supernets.find(None, "digits-cnn")
    return Space.of(supernets.load(entry), evaluation_data(supernets.dataset(entry)))


def million(data: EvaluationData) -> Space:
    """The same family with finer widths and a third depth; its weights are random, for they cost the same time."""
    third = {"depths": (1, 2, 3)}
    groups = (
        {"widths": (1, 2, 3, 4, 5, 6, 8), "kernels": (3, 5), **third},
        {"widths": (2, 4, 6, 8, 10, 12, 16), "kernels": (3, 5), **third},
        {"widths": (4, 8, 12, 16, 20, 24, 28, 32), "kernels": (1, 3), **third},
    )
    config = {"groups": groups, "pixel_mean": (0.3,), "pixel_std": (0.4,), "input_shape": (1, 8, 8)}
    return Space.of(ElasticCNN(ElasticCNNConfig.model_validate(config)).eval(), data)


# --- measured -----------------------------------------------------------------------------------


def overheads() -> dict[str, object]:
    """What benchmarks/cluster_overhead.py measures, in a process of its own."""
    command = [sys.executable, "benchmarks/cluster_overhead.py"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if told.returncode:
        sys.exit(f"The overhead could not be measured:\n{told.stderr[-2000:]}")
    return dict(json.loads(told.stdout.splitlines()[-1]))


def walked(space: Space, shards: list[NDArray[np.int64]], count: int) -> NDArray[np.float64]:
    """(count, 2) modeled and measured seconds of shards drawn at random."""
    rng = np.random.default_rng(0)
    picked = [shards[at] for at in rng.choice(len(shards), min(count, len(shards)), replace=False)]
    list(walk(space.net, space.rows[picked[0][:50]], NAMES, space.data))  # warms what all find ready
    took = []
    for shard in picked:
        began = time.process_time()
        for _ in walk(space.net, space.rows[shard], NAMES, space.data):
            pass
        took.append(time.process_time() - began)
    return np.stack([space.seconds(picked), took], axis=1)


# --- printed ------------------------------------------------------------------------------------


def ms(values: NDArray[np.float64]) -> str:
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9]) * 1e3
    return f"median {middle:.1f} ms, 10 to 90 %: {low:.1f} to {high:.1f} ms"


def print_cuts(space: Space) -> None:
    """Table of what is done twice."""
    print(f"\nWork done twice, of {len(space.rows):,} architectures of digits-cnn (modeled seconds)")
    print("| cut | shards | done twice |\n|---|---|---|")
    whole = float(space.seconds([np.arange(len(space.rows))])[0])
    for level in (3, 4, 5):
        parts = space.by_level(level)
        print(f"| level {level} of the chain | {len(parts)} | {space.twice(parts):.1%} |")
    for many in (25, 100, 200):
        size = whole / many
        ours = cut(
            space.net, space.table, space.rows, space.samples, cores=1, smallest=size, largest=1.4 * size
        )
        print(f"| ours, about {many} | {len(ours)} | {space.twice(ours):.1%} |")
        even = space.equal(len(ours))
        print(f"| equal parts in the order of the walk | {len(even)} | {space.twice(even):.1%} |")
    mixed = np.array_split(np.random.default_rng(0).permutation(len(space.rows)), 24)
    print(f"| random parts | {len(mixed)} | {space.twice(mixed):.0%} |")
    for cores in (2, 8, 32):
        ours = space.shards(cores)
        print(f"| ours, for {cores} cores | {len(ours)} | {space.twice(ours):.1%} |")


def print_plays(
    space: Space, costs: Costs, nodes: Nodes, cores: list[int], plays: int, cold: float, own: float
) -> list[str]:
    """Table of the whole space on so many cores; what was not reached."""
    whole = walk_seconds(space.net, space.table, space.rows, space.samples)
    print(f"\n{len(space.rows):,} architectures; one core: {whole * costs.mean_ratio:,.0f} s")
    print(
        "| cores | cut | shards | done twice | seconds | times faster | efficiency (least, most) | the rest went into |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    missed = []
    for many in cores:
        ours, cut_at = space.in_turn(many)
        # The thread that cuts also gives out what it has cut.
        there = [seconds + at * own for at, seconds in enumerate(cut_at)]
        level = next(
            found for at in range(1, len(space.net.chain) + 1) if len(found := space.by_level(at)) >= 4 * many
        )
        began = time.process_time()
        equal = space.equal(4 * many)
        sorting = time.process_time() - began
        for name, shards, before in (
            ("ours", ours, there),
            ("a level", level, [sorting] * len(level)),
            ("equal parts", equal, [sorting] * len(equal)),
        ):
            modeled = space.seconds(shards)
            order = np.arange(len(shards)) if name == "ours" else np.argsort(-modeled)
            played = [
                play(
                    modeled[order],
                    [len(shards[at]) for at in order],
                    whole,
                    many,
                    costs,
                    there=before,
                    nodes=nodes,
                    rng=np.random.default_rng(seed),
                )
                for seed in range(plays)
            ]
            found = [each.efficiency for each in played]
            middle = played[int(np.argsort(found)[len(found) // 2])]
            rest = ", ".join(f"{what} {share:.1%}" for what, share in middle.shares.items())
            print(
                f"| {many} | {name} | {len(shards):,} | {modeled.sum() / whole - 1:.1%} | {middle.seconds:,.1f} "
                f"| {middle.efficiency * many:.1f} | **{middle.efficiency:.2f}** ({min(found):.2f}, {max(found):.2f}) | {rest} |",
                flush=True,
            )
            if name != "ours":
                continue
            late = whole * costs.mean_ratio / (many * (middle.seconds + cold))
            print(
                f"| | with workers that have yet to start | | | {middle.seconds + cold:,.1f} | | {late:.2f} | |"
            )
            if middle.efficiency < GOALS.get(many, 0.0):
                missed.append(f"{middle.efficiency:.2f} on {many} cores, not {GOALS[many]}")
    return missed


def print_searches(space: Space, costs: Costs, scale: float) -> None:
    """A search of digits-cnn on many workers: what it finds, and how long it takes."""
    table = bench("digits-cnn", tables=None, cache=Path())
    assert table.whole is not None
    of = {tuple(row): value for row, value in zip(space.rows.tolist(), table.whole, strict=True)}
    goals = [o.name for o in table.problem.objectives]
    maximize = [o.maximize for o in table.problem.objectives]
    reference = reference_point(table.whole, maximize=maximize)
    best = hypervolume(table.whole, reference, maximize=maximize)

    def measure(archs: object) -> list[Measurement]:
        given: list[Arch] = list(archs)  # type: ignore[call-overload]
        return [Measurement(arch, dict(zip(goals, map(float, of[arch]), strict=True))) for arch in given]

    alone = parts_of(space.table, space.rows, space.samples) @ np.array([4e-4, 1e-10, 1.5e-8])
    spread = alone.std() / alone.mean()
    print(
        f"\n{ALGORITHM} on digits-cnn, {WORKERS} workers, {BUDGET} architectures, {SEEDS} seeds; a measurement takes {scale:g} s in the "
        f"mean, spread as modeled seconds of single architectures are (standard deviation {spread:.0%} of the mean), "
        "with overheads as above"
    )
    print("| told | seconds | workers measure | hypervolume of the exact front |\n|---|---|---|---|")
    for name, barrier in (
        (f"when {BARRIER} are there", BARRIER),
        (f"when {WORKERS} are there", WORKERS),
        ("one by one", 0),
    ):
        found: list[Searched] = []
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)

            def seconds(rng: np.random.Generator = rng) -> float:
                return float(scale * rng.choice(alone) / alone.mean() + rng.choice(costs.overhead))

            algorithm = ALGORITHMS.create(ALGORITHM, problem=table.problem, seed=seed)
            found.append(
                search_at_once(algorithm, measure, seconds, workers=WORKERS, budget=BUDGET, barrier=barrier)
            )
        shares = [
            hypervolume([[m.values[g] for g in goals] for m in each.found], reference, maximize=maximize)
            / best
            for each in found
        ]
        took, use = (np.mean([getattr(each, what) for each in found]) for what in ("seconds", "use"))
        print(
            f"| {name} | {took:.0f} | {use:.0%} | {np.mean(shares):.2%} ({min(shares):.2%} to {max(shares):.2%}) |",
            flush=True,
        )


def main() -> None:
    """Print everything; exit status 1 where a goal was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cores", default="8,64,512")
    parser.add_argument(
        "--spread", type=float, default=0.1, help="of nodes' speeds: standard deviation, mean 1"
    )
    parser.add_argument("--node-cores", type=int, default=16, help="cores of a node; they are equally fast")
    parser.add_argument("--plays", type=int, default=5)
    parser.add_argument(
        "--evaluation-seconds", type=float, default=2.0, help="of one architecture in a search"
    )
    asked = parser.parse_args()
    heavy_imports()
    of = overheads()
    overhead = np.maximum(np.array(of["overhead"], float), 0.0)
    first = float(np.max(of["first"]))
    print(f"Shards over {of['where']}: {len(overhead)} gaps between shards, {ms(overhead)}")
    print(
        f"  the first of a worker that has yet to start: {first:.1f} s; opening a session: {of['opened']:.1f} s"
    )
    print(
        f"  the driver's busiest thread: {float(of['busiest_thread']) * 1e3:.2f} ms a shard, the one that cuts "
        f"{float(of['cutting_thread']) * 1e3:.2f} ms (all together {float(of['all_threads']) * 1e3:.2f} ms), "
        f"{float(of['per_result']) * 1e6:.2f} us an architecture"
    )
    small = digits()
    print_cuts(small)
    large = million(small.data)
    took = walked(large, large.shards(512), WALKED)
    ratios = took[:, 1] / took[:, 0]
    print(
        f"\n{len(took)} shards of {len(large.rows):,} architectures walked: measured over modeled seconds "
        f"{np.median(ratios):.2f} (10 to 90 %: {np.quantile(ratios, 0.1):.2f} to {np.quantile(ratios, 0.9):.2f}); "
        f"they agree by r = {np.corrcoef(took.T)[0, 1]:.2f}"
    )
    costs = Costs(
        overhead,
        float(of["busiest_thread"]),
        float(of["per_result"]),
        ratios,
        float(took[:, 1].sum() / took[:, 0].sum()),
    )
    nodes = Nodes(asked.node_cores, asked.spread)
    print(
        f"\nPlayed with: overheads, ratios and the driver's times drawn from or equal to those above; the driver serves one shard at "
        f"a time and its machine has cores for Ray's threads; nodes of {nodes.cores} cores whose speeds have a standard "
        f"deviation of {nodes.spread:.0%}; a network that adds nothing to the overhead measured on one machine; workers that "
        "have loaded torch, weights and samples before the clock starts (else the row below); cuts begin when the clock starts."
    )
    cores = [int(each) for each in asked.cores.split(",")]
    missed = print_plays(large, costs, nodes, cores, asked.plays, first, float(of["cutting_thread"]))
    print_searches(small, costs, asked.evaluation_seconds)
    if missed:
        sys.exit(f"\nMissed: {'; '.join(missed)}.")


if __name__ == "__main__":
    main()
