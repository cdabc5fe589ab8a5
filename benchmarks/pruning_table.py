"""How long the evaluation table takes: 8 methods x 4 sparsities on clean, 17 corrupted and attacked image sets.

Claim: on digits-cnn's largest subnet under 60 s on 2 cores, fine-tuning and the calibration of severities
included; what is looked at later is read in milliseconds. Ratio: against evaluating every network on its own,
corrupting the images anew for each.

    python benchmarks/pruning_table.py
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

PARENT = "subnet:digits-cnn:311131113111"
METHODS = ("magnitude", "lamp", "snip", "taylor", "l1_filters", "fpgm", "random_like", "small_dense")
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
SEVERITY = 3


def main() -> None:
    """Run, then look."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["PARETOSCOPE_HOME"] = home
        run(Path(home))


def run(home: Path) -> None:
    """Prune and evaluate by the workflow itself, then time the views and the naive way."""
    import numpy as np

    from core.cli.driving import open_store
    from core.datasets.corruptions import corrupt
    from core.library.benchmarks import Judge, corruption_names, margins_of
    from core.library.library import Library
    from core.library.networks import load_model
    from core.library.pruned import KIND, load_compact
    from core.library.severities import strengths
    from core.records import RunState
    from core.runtime import heavy_imports
    from core.views.pruning import pruning_view, table
    from core.views.pruning_map import alike_benchmarks, pair_map
    from core.workflows import prune_models

    heavy_imports()
    store = open_store()
    methods = [{"name": name, "sparsities": SPARSITIES} for name in METHODS]
    request = prune_models.Request.model_validate({"model": PARENT, "methods": methods})
    run_id = store.create_run(KIND, request.model_dump(mode="json"), title="table", state=RunState.RUNNING)
    started, steps = time.perf_counter(), 0
    for _ in prune_models.run(request, store.ledger(run_id), Library(store)):
        steps += 1
    whole = time.perf_counter() - started
    print(
        f"{len(METHODS)} methods x {len(SPARSITIES)} sparsities x {len(corruption_names())} corruptions, fine-tuned: {whole:.1f} s ({steps} progress reports)"
    )

    for what in ("first", "second"):
        started = time.perf_counter()
        view = pruning_view(store, PARENT)
        assert view is not None
        shown = table(view, view.models, SEVERITY)
        print(
            f"table of {shown.accuracy.shape}, {what} look: {1000 * (time.perf_counter() - started):.0f} ms"
        )
    started = time.perf_counter()
    points = len(pair_map(view, view.models, SEVERITY).pairs)
    print(f"map of {points} points: {time.perf_counter() - started:.2f} s, again: ", end="")
    started = time.perf_counter()
    pair_map(view, view.models, SEVERITY)
    print(f"{1e6 * (time.perf_counter() - started):.0f} us")
    started = time.perf_counter()
    alike_benchmarks(view, view.models, SEVERITY)
    print(f"benchmarks that say the same: {time.perf_counter() - started:.2f} s")

    judge = Judge.of(store, load_model(store, PARENT).entry)
    net = load_compact(store, run_id, 1)
    levels, probe = strengths(judge.severities), judge.probe
    spoiled = [f"{name}@{SEVERITY}" for name in corruption_names()]
    times = {"shared": [], "naive": []}
    for _ in range(5):
        started = time.perf_counter()
        for benchmark in spoiled:
            margins_of(net, judge.images(net, benchmark), probe.y)
        times["shared"].append(time.perf_counter() - started)
        started = time.perf_counter()
        for name in corruption_names():
            images = corrupt(probe.x, name, SEVERITY, ids=probe.ids, strength=levels[name])
            margins_of(net, images, probe.y)
        times["naive"].append(time.perf_counter() - started)
    shared, naive = (float(np.median(times[k])) for k in ("shared", "naive"))
    print(
        f"one network on {len(spoiled)} corruptions: {1000 * shared:.0f} ms with kept images, {1000 * naive:.0f} ms without: {naive / shared:.1f}x"
    )


if __name__ == "__main__":
    main()
