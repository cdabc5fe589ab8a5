"""Does a subnet compute inside its supernet what its architecture learns alone? For a few subnets of digits-cnn.

For the smallest, a knee and the largest subnet: train the architecture alone with several seeds and the
supernet's own settings, then compare stage by stage. Printed are means over seeds, the smallest and largest
value, the value for shuffled samples, and the verdict: whether one more network trained alone would lie
there 19 times in 20 (`core.similarity.seed_spread`). What comes out is printed, whatever it is.

    python benchmarks/shared_or_alone.py [seeds] [epochs] [measure]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from core.library import alone, supernets
from core.library.alone import list_alone
from core.library.fronts import front
from core.library.library import Library
from core.records import RunState
from core.similarity.seed_spread import StageResult
from core.store import RunStore
from core.views.shared_or_alone import SharedOrAlone, shared_or_alone
from core.workflows import train_alone
from core.workflows.train_alone import Request

SUPERNET = "digits-cnn"


def subnets() -> dict[str, str]:
    """Name -> arch_id."""
    entry = supernets.find(None, SUPERNET)
    space, table = entry.space, supernets.table(entry)
    assert table is not None
    knee = front(table, ("macs", "accuracy")).knees["distance"]
    return {"smallest": space.arch_id(space.smallest), "knee": knee, "largest": space.arch_id(space.largest)}


def train(store: RunStore, arch_id: str, seeds: int, epochs: int | None) -> float:
    """Train one architecture alone; returns the seconds it took."""
    request = Request(supernet=SUPERNET, arch=arch_id, seeds=seeds, epochs=epochs)
    run_id = store.create_run(alone.KIND, request.model_dump(), title=arch_id, state=RunState.RUNNING)
    start = time.perf_counter()
    for _ in train_alone.run(request, store.ledger(run_id), Library(store)):
        pass
    store.set_state(run_id, RunState.DONE)
    return time.perf_counter() - start


def line(stage: StageResult) -> str:
    def spread(values: tuple[float, ...]) -> str:
        return f"{sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f})"

    return f"  {stage.label:24} {stage.units:>3} {spread(stage.shared):>24} {spread(stage.alone):>24} {stage.null_mean:>9.3f}  {stage.verdict.value}"


def show(name: str, arch_id: str, answer: SharedOrAlone, seconds: tuple[float, float]) -> None:
    alone = [100 * value for value in answer.alone["test_accuracy"]]
    print(f"\n{name} ({arch_id}), trained alone in {seconds[0]:.0f} s, compared in {seconds[1]:.2f} s")
    print(
        f"  test accuracy inside {100 * answer.inside['test_accuracy']:.1f} %, alone "
        f"{', '.join(f'{value:.1f}' for value in alone)} %: {answer.accuracy}"
    )
    print(
        f"  {answer.measure + ', ' + answer.pooling:24} {'p':>3} {'inside against alone':>24} {'alone against alone':>24} {'shuffled':>9}"
    )
    for stage in (*answer.stages, *answer.outputs):
        print(line(stage))
    print(f"  {answer.sentence}")


def main(seeds: int = 3, epochs: int = 0, measure: str = "cka") -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home, RunStore("sqlite://", Path(home)) as store:
        for name, arch_id in subnets().items():
            trained = train(store, arch_id, seeds, epochs or None)
            start = time.perf_counter()
            answer = shared_or_alone(store, list_alone(store, SUPERNET, arch_id), measure)
            if name == "smallest":
                print(
                    f"{SUPERNET}, {answer.probe}, {answer.epochs} epochs, seeds {', '.join(map(str, answer.seeds))}"
                )
            show(name, arch_id, answer, (trained, time.perf_counter() - start))


if __name__ == "__main__":
    words = sys.argv[1:4]
    main(*(int(word) for word in words[:2]), *words[2:])
