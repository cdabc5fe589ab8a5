"""What is promised of digits-cnn: the shipped file and table keep it, and so does a training from scratch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.datasets import load_dataset
from core.evaluation.evaluator import evaluate_table
from core.library import supernets
from core.library.library import Library
from core.library.supernets import SUPERNET_FILE
from core.store import MemoryLedger
from core.supernets.files import load_supernet
from core.tasks.base import evaluation_data
from core.workflows import train_supernet
from core.workflows.train_supernet import Request, preset_request

LEAST_LARGEST, LEAST_SMALLEST, LEAST_SPREAD = 0.97, 0.80, 0.05


def assert_promised(smallest: float, largest: float, every: np.ndarray) -> None:
    assert largest >= LEAST_LARGEST
    assert smallest >= LEAST_SMALLEST
    assert every.max() - every.min() >= LEAST_SPREAD


def test_the_shipped_table_covers_the_space_and_keeps_the_promise() -> None:
    entry = supernets.find(None, "digits-cnn")
    table = supernets.table(entry)
    assert table is not None
    found = table.set_index("arch_id")["test_accuracy"]
    space = entry.space
    assert len(found) == space.size == found.index.nunique()
    assert_promised(
        found[space.arch_id(space.smallest)], found[space.arch_id(space.largest)], found.to_numpy()
    )


def test_extracted_subnets_of_the_shipped_weights_score_what_the_table_says() -> None:
    """Plain torch layers, one subnet at a time: neither the evaluator nor the table's writer takes part."""
    entry = supernets.find(None, "digits-cnn")
    net, data, space = supernets.load(entry), supernets.dataset(entry), entry.space
    table = supernets.table(entry)
    assert table is not None
    found = table.set_index("arch_id")
    calibration = torch.from_numpy(data.calibration.x)
    rows = space.sample_array(4, np.random.default_rng(7)).tolist()
    for arch in {space.smallest, space.largest, *map(tuple, rows)}:
        subnet = net.extract(arch, net.calibrate(arch, calibration))
        for column, split in (("accuracy", data.validation), ("test_accuracy", data.test)):
            with torch.no_grad():
                right = int((subnet(torch.from_numpy(split.x)).argmax(1).numpy() == split.y).sum())
            # Another order of additions may turn an image that stands on the edge between two classes.
            assert abs(right - found.loc[space.arch_id(arch), column] * len(split)) < 1.5, (arch, column)


@pytest.mark.long
def test_a_training_from_scratch_with_another_seed_keeps_the_promise() -> None:
    """The shipped file is of seed 0; nothing about it may be luck of that seed."""
    ledger = MemoryLedger()
    for _ in train_supernet.run(
        Request.model_validate(preset_request("digits-cnn", seed=1)), ledger, Library()
    ):
        pass
    net, card = load_supernet(ledger.artifact(SUPERNET_FILE))
    rows = net.space.array()[::40]
    rows = np.concatenate([np.array([net.smallest, net.largest], np.uint8), rows])
    data = evaluation_data(load_dataset("digits"), ("test",))
    found = evaluate_table(net, rows, ("test_accuracy",), data)["test_accuracy"]
    print(
        f"trained in {card['seconds']} s: smallest {found[0]:.4f}, largest {found[1]:.4f}, range {found.min():.4f}-{found.max():.4f}"
    )
    assert_promised(found[0], found[1], found)
