"""A small decoder for license texts in a store, with fresh weights and its complete table."""

from __future__ import annotations

from typing import Any

import torch

from core.config import JsonObject
from core.datasets import load_dataset
from core.library.library import Library
from core.records import RunState
from core.store import RunStore
from core.supernets.files import build, dump_supernet
from core.workflows import evaluate_table
from tests.helpers.nets import disturb

DATA: JsonObject = {
    "name": "licenses",
    "seed": 0,
    "config": {"length": 32, "scored": 4, "limit_validation": 64, "limit_test": 64},
}
CONFIG: JsonObject = {
    "layers": 3,
    "hidden": [8, 16],
    "skippable": [1, 2, 3],
    "widths": [16],
    "heads": [2],
    "head_size": 8,
}


def add_decoder(store: RunStore, title: str = "small decoder", **changes: Any) -> str:
    """Keep it and measure every subnet of it; returns its id."""
    settings: dict[str, Any] = dict(DATA["config"])  # type: ignore[call-overload]
    dataset = load_dataset("licenses", **settings)
    torch.manual_seed(0)
    net = disturb(build("elastic_decoder", {**CONFIG, **dataset.inputs, **changes}))
    net.tokenizer = dataset.tokenizer
    card = {"title": title, "data": {**DATA, "fingerprint": dataset.fingerprint}}
    supernet_id = store.add_supernet(title, dump_supernet(net, card), {**card, "family": "elastic_decoder"})
    request = evaluate_table.Request(supernet=supernet_id)
    run_id = store.create_run("evaluate_table", request.model_dump(mode="json"), title="all", seed=0)
    for _ in evaluate_table.run(request, store.ledger(run_id), Library(store)):
        pass
    store.set_state(run_id, RunState.DONE)
    return supernet_id
