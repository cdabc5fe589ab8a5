"""What the runs of one group ended with, number by number over their seeds. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.library import alone, searches
from core.library.alone import AloneRecord
from core.library.results import result
from core.library.searches import SearchRecord
from core.over_seeds import Spread, spread
from core.records import Metrics
from core.views.seed_groups import SeedGroup, seeds_of

if TYPE_CHECKING:
    from core.records import Run
    from core.store import RunStore

_TRAINING = "train_supernet"
_ENDS = ("smallest", "random", "largest")


@dataclass(frozen=True)
class SeedNumber:
    """One number of a group.

    Attributes:
        label: what it is.
        share: whether it is a fraction, read in percent.
        spread: over the seeds.
    """

    label: str
    share: bool
    spread: Spread


def seed_numbers(store: RunStore, group: SeedGroup) -> list[SeedNumber]:
    """Numbers of the runs of a group that are done; empty where runs of this kind end with none."""
    rows = seed_rows(store, group)
    names = dict.fromkeys(name for row in rows for name in row if name not in ("seed", "run"))
    return [
        SeedNumber(
            name.replace("_", " "), "accuracy" in name, spread([row[name] for row in rows if name in row])
        )
        for name in names
    ]


def seed_rows(store: RunStore, group: SeedGroup) -> list[Metrics]:
    """One row per seed: the seed, the run, and its numbers; for CSV."""
    rows: dict[int, Metrics] = {}
    for run in group.done:
        for seed, numbers in _numbers(store, run):
            rows.setdefault(seed, {"seed": seed, "run": run.run_id, **numbers})
    return [rows[seed] for seed in sorted(rows)]


def _numbers(store: RunStore, run: Run) -> Iterator[tuple[int, dict[str, float]]]:
    if run.kind == searches.KIND:
        found = result(store, SearchRecord, searches.KIND, run.run_id)
        if found is not None:
            record = found.record
            yield (
                seeds_of(run)[0],
                {
                    "hypervolume": record.hypervolume,
                    "front_size": record.front_size,
                    "evaluations": record.evaluations,
                },
            )
    elif run.kind == alone.KIND:
        kept = result(store, AloneRecord, alone.KIND, run.run_id)
        for net in kept.record.nets if kept is not None else ():
            yield net.seed, {"validation_accuracy": net.accuracy, "test_accuracy": net.test_accuracy}
    elif run.kind == _TRAINING:
        epochs = store.ledger(run.run_id).metrics()
        if epochs:
            yield seeds_of(run)[0], {f"{n}_accuracy": float(epochs[-1][n]) for n in _ENDS if n in epochs[-1]}
