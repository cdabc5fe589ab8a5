"""A shipped-like supernet with a complete, made-up table: pages are tested without training anything."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from core.evaluation.costs import CostTable
from core.seeding import stream
from core.workflows.library import dump_table


def write_supernet(folder: Path, name: str, title: str, widths: tuple[tuple[int, ...], ...], *, data: str = "digits") -> None:
    """Write `folder/name` like a shipped supernet; accuracies grow with MACs, with named noise."""
    from core.supernets.files import build, dump_supernet, peek_supernet

    groups = [{"widths": list(w), "depths": [1, 2], "kernels": [3, 5]} for w in widths]
    supernet = build("elastic_cnn", {"groups": groups})
    card = {"data": {"name": data, "seed": 0}, "training": {"seed": 0, "strategy": "sandwich"}}
    weights = dump_supernet(supernet, card)
    rows, costs = supernet.space.array(), CostTable.of(supernet)
    macs = costs.macs(rows).astype(float)
    rng = stream(0, "made-up", name)
    accuracy = 0.98 - 0.25 * np.exp(-macs / np.median(macs) * 1.4) - rng.gamma(1.2, 0.012, len(rows))
    accuracy = np.round(np.clip(accuracy, 0.1, 1) * 360) / 360
    values = {"accuracy": accuracy, "test_accuracy": np.round(accuracy * 359) / 360, "loss": 1 - accuracy, "test_loss": 1.02 - accuracy}
    values |= {n: costs.counted(n, rows) for n in ("macs", "params", "size_bytes")}
    table = dump_table(supernet.space, rows, values)
    target = folder / "supernets" / name
    target.mkdir(parents=True)
    (target / "supernet.safetensors").write_bytes(weights)
    (target / "table.parquet").write_bytes(table)
    described = {
        "title": title,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "header": peek_supernet(weights),
        "costs": costs.to_json(),
        "table_sha256": hashlib.sha256(table).hexdigest(),
    }
    (target / "card.json").write_text(json.dumps(described))
