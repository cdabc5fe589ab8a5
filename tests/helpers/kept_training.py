"""A training in a store, without any training: the numbers, the film and, where it is done, the supernet."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

from core.library.supernets import SUPERNET_FILE
from core.records import Run, RunState
from core.store import RunStore
from core.training.film import FILM_FILE, empty_film
from tests.helpers.supernet_files import measured_bundle

PARAMS: dict[str, Any] = {"title": "Tiny", "family": "elastic_cnn", "training": {"epochs": 6}}


def kept_training(store: RunStore, state: RunState, epochs: int = 3) -> Run:
    """A training with the numbers and the film of so many epochs."""
    run_id = store.create_run("train_supernet", PARAMS, title="Tiny", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    film = empty_film(np.arange(3, dtype=np.uint8)[:, None], np.array([10, 20, 30]), exact=True, samples=60)
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "loss": 1.0, "smallest": 0.1, "largest": 0.3, "random": 0.2, "median": 0.2}
        row |= {"random_low": 0.1, "random_high": 0.3, "learning_rate": 0.1, "passes": 9.0, "memory": 4e8}
        row |= {"macs_1": 30, "drawn_1": 5, "loss_1": 1.5, "seconds": 1.0}
        film = film.with_frame(epoch, np.array([0.1, 0.2, 0.3]) * epoch)
        ledger.save_artifact(FILM_FILE, film.dump(), "application/octet-stream")
        ledger.log_metrics(epoch, row)
    if state is RunState.DONE:
        with zipfile.ZipFile(io.BytesIO(measured_bundle()[1])) as archive:
            ledger.save_artifact(SUPERNET_FILE, archive.read(SUPERNET_FILE), "application/octet-stream")
    store.set_state(run_id, state)
    return store.get_run(run_id)
