"""How good forecasts are: real works, each forecast by a trial before it starts and by its own progress while it runs.

    python benchmarks/forecast.py [names]

Times are computing time of one thread, so that what else the machine has to do does not count. Printed per work:
seconds it took; forecast / true before the start; predicted / true time left when a tenth, a quarter and half of
its time were over. Between 0.67 and 1.5 is the goal.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

HOME = tempfile.TemporaryDirectory(prefix="paretoscope-forecast-")
os.environ["PARETOSCOPE_HOME"] = HOME.name
os.environ.pop("PARETOSCOPE_DATABASE_URL", None)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from core.datasets.images import keep_upload  # noqa: E402
from core.jobs.forecast import TRAINING, of_training, of_work  # noqa: E402
from core.jobs.kinds import load_workflow  # noqa: E402
from core.jobs.remaining import RemainingTime  # noqa: E402
from core.jobs.trying import try_work  # noqa: E402
from core.library.library import Library  # noqa: E402
from core.runtime import heavy_imports  # noqa: E402
from core.settings import settings  # noqa: E402
from core.store import RunStore  # noqa: E402
from core.workflows.train_supernet import preset_request, with_settings  # noqa: E402

SHARES = (0.1, 0.25, 0.5)


def preset(name: str, epochs: int, method: str | None = None) -> dict[str, Any]:
    """The request of a preset with another number of epochs."""
    return with_settings(preset_request(name, method=method), {"epochs": epochs})


def own(n: int = 600, side: int = 28) -> dict[str, Any]:
    """A supernet on an upload of gray pictures, as the Supernets page would ask for it."""
    rng, buffer = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for at in range(n):
            made = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8)).save(made, "PNG")
            archive.writestr(f"class {at % 3}/{at}.png", made.getvalue())
    kept = keep_upload(buffer.getvalue())
    config = {"upload": kept.upload_id, "size": kept.size, "channels": kept.channels}
    return preset("digits-cnn", 4) | {"data": {"name": "images", "seed": 0, "config": config}}


def works() -> dict[str, tuple[str, dict[str, Any]]]:
    """Name -> (workflow, request)."""
    measured = {"supernet": "digits-cnn"}
    return {
        "training, sandwich": (TRAINING, preset("digits-cnn", 20)),
        "training, progressive shrinking": (TRAINING, preset("digits-cnn", 20, "progressive_shrinking")),
        "training, own gray 28x28": (TRAINING, own()),
        "training, texts": (TRAINING, preset("commands-encoder", 6)),
        "measuring 13,824 subnets": ("evaluate_table", measured),
        "search, measuring": ("search_front", measured | {"use_table": False, "budget": 1000}),
        "search, from the table": ("search_front", measured),
        "training alone, 3 seeds": ("train_alone", measured | {"arch": "311131113111", "epochs": 20}),
    }


def forecast_of(kind: str, params: dict[str, Any], library: Library) -> float:
    """Seconds of computing forecast before the start, without what a worker needs to start."""
    # The trial has read the data, which the work then finds in memory.
    trial = try_work(kind, params, library).model_copy(update={"prepare": 0.0})
    if kind == TRAINING:
        return of_training(trial, int(params["training"]["epochs"])).seconds
    return of_work(trial).seconds


def measure(kind: str, params: dict[str, Any], library: Library) -> list[tuple[float, float | None]]:
    """(seconds since the start, predicted seconds left) at every report of a work; the last is its end."""
    workflow, store = load_workflow(kind), library.require_store()
    ledger = store.ledger(store.create_run(kind, params, title="work"))
    remaining, began = RemainingTime(time.process_time), time.process_time()
    found = []
    for progress in workflow.run(workflow.Request.model_validate(params), ledger, library):
        found.append((time.process_time() - began, remaining.update(progress.fraction)))
    return found


def main(names: list[str]) -> None:
    """Print a row per work."""
    heavy_imports()
    torch.set_num_threads(1)
    library = Library(RunStore(settings().database_url, settings().home))
    heads = "".join(f"{f'at {share:.0%}':>8}" for share in SHARES)
    print(f"{'work':<34}{'took':>8}{'before':>8}{heads}")
    for name, (kind, params) in works().items():
        if names and name not in names:
            continue
        before = forecast_of(kind, params, library)
        reports = measure(kind, params, library)
        total = reports[-1][0]
        row = f"{name:<34}{total:>6.1f} s{before / total:>8.2f}"
        for share in SHARES:
            first = next(((t, left) for t, left in reports if t >= share * total and left is not None), None)
            known = first is not None and first[0] < total
            row += f"{first[1] / (total - first[0]):>8.2f}" if first and known and first[1] else f"{'-':>8}"
        print(row, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
