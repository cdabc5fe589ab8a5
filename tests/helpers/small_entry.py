"""A small supernet with its complete table, as a library entry."""

from __future__ import annotations

import json

from core.datasets import load_dataset
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import evaluate_table
from core.library import supernets
from core.library.tables import dump_table
from core.supernets.elastic_cnn import GroupConfig
from core.supernets.files import dump_supernet
from core.tasks.base import evaluation_data
from tests.helpers.nets import small_cnn

OBJECTIVES = ("accuracy", "loss", "test_accuracy", "test_loss", "macs", "params", "size_bytes")


def small_entry(limit_validation: int = 0) -> supernets.SupernetEntry:
    """With a limit its validation samples are the first of those there are."""
    config = {"limit_validation": limit_validation} if limit_validation else {}
    dataset = load_dataset("digits", **config)
    groups = (
        GroupConfig(widths=(2, 4), depths=(1,)),
        GroupConfig(widths=(4, 8), depths=(1, 2), kernels=(1, 3)),
    )
    net = small_cnn(groups=groups)
    card = {
        "title": "Small",
        "data": {"name": "digits", "config": config, "seed": 0, "fingerprint": dataset.fingerprint},
    }
    file = dump_supernet(net, card)
    rows = net.space.array()
    values = evaluate_table(net, rows, OBJECTIVES, evaluation_data(dataset))
    table = dump_table(net.space, rows, values)
    plain = supernets.from_bytes(file, title="Small", supernet_id="small")
    costs = json.loads(json.dumps(CostTable.of(net).to_json()))
    return supernets.SupernetEntry(
        "small", "Small", "shipped", plain.sha256, plain.header, lambda: file, lambda: table, costs, "table"
    )
