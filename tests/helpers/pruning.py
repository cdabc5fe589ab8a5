"""Pruning runs made in this process, small ones."""

from __future__ import annotations

from typing import Any

from core.library.library import Library
from core.records import RunState
from core.store import RunStore
from core.workflows import prune_models
from core.workflows.prune_models import Request

SMALLEST, LARGEST = "subnet:digits-cnn:000000000000", "subnet:digits-cnn:311131113111"
METHODS: list[dict[str, Any]] = [
    {"name": "magnitude", "sparsities": [0.5, 0.9]},
    {"name": "l1_filters", "sparsities": [0.5]},
    {"name": "random_like", "sparsities": [0.5]},
    {"name": "taylor", "sparsities": [0.5], "config": {"rounds": 3}},
    {"name": "small_dense", "sparsities": [0.5], "config": {"epochs": 1}},
]
"""Taylor refuses rounds: the method that cannot prune."""


def small_request(model: str = SMALLEST, **changes: Any) -> Request:
    """A run of some seconds."""
    return Request.model_validate({"model": model, "methods": METHODS, "tuning_epochs": 1} | changes)


def new_run(store: RunStore, request: Request) -> str:
    """A run that nobody works on yet."""
    return store.create_run(
        "prune_models", request.model_dump(mode="json"), title="pruned", state=RunState.RUNNING
    )


def pruned(store: RunStore, request: Request | None = None) -> str:
    """A finished run; returns its id."""
    asked = request or small_request()
    run_id = new_run(store, asked)
    for _ in prune_models.run(asked, store.ledger(run_id), Library(store)):
        pass
    store.set_state(run_id, RunState.DONE)
    return run_id
