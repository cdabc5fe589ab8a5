"""Every family measured by the exact evaluator: the definition's numbers, and nothing leaks from the test split."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.evaluation.evaluator import evaluate_table
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData, evaluation_data
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import disturb, random_dataset

SHAPE = (1, 8, 8)
OBJECTIVES = ("accuracy", "loss", "test_accuracy", "test_loss")


@pytest.fixture(scope="module", params=IMAGE_FAMILIES)
def net(request) -> Supernet:
    torch.manual_seed(0)
    family = FAMILIES.get(request.param)
    return disturb(family(family.example(SHAPE))).requires_grad_(False)


@pytest.fixture(scope="module")
def rows(net) -> np.ndarray:
    drawn = net.space.sample_array(14, np.random.default_rng(1))
    return np.concatenate([np.array([net.smallest, net.largest], np.uint8), drawn])


@pytest.fixture(scope="module")
def data() -> EvaluationData:
    return evaluation_data(random_dataset(input_shape=SHAPE))


@pytest.mark.slow
def test_numbers_are_those_of_the_extracted_subnets(net, rows, data) -> None:
    table = evaluate_table(net, rows, OBJECTIVES, data)
    for index, row in enumerate(rows.tolist()):
        subnet = net.extract(row, net.calibrate(row, data.inputs[: data.calibration_rows]))
        for prefix, split in (("", "validation"), ("test_", "test")):
            span = data.spans[split]
            logits, labels = subnet(data.inputs[span]), data.targets[span]
            loss = float(F.cross_entropy(logits.double(), labels))
            assert table[f"{prefix}loss"][index] == pytest.approx(loss, abs=1e-5), row
            hits = float((logits.argmax(1) == labels).double().mean())
            # Logits may tie, in a cell that answers a constant, to the last bit.
            top = logits.topk(2).values
            if float((top[:, 0] - top[:, 1]).min()) > 1e-4:
                assert table[f"{prefix}accuracy"][index] == pytest.approx(hits, abs=1e-12), row
    assert len(set(table["loss"].round(6).tolist())) > 7


def test_other_test_images_and_labels_change_no_validation_number(net, rows, data) -> None:
    images, labels = data.inputs.clone(), data.targets.clone()
    images[data.spans["test"]] = 7.0
    labels[data.spans["test"]] = 0
    labels[: data.calibration_rows] = 0
    changed = dataclasses.replace(data, inputs=images, targets=labels)
    before, after = (evaluate_table(net, rows, OBJECTIVES, d) for d in (data, changed))
    np.testing.assert_allclose(after["loss"], before["loss"], atol=1e-6, rtol=0)
    assert not np.allclose(after["test_loss"], before["test_loss"], atol=1e-3)


def test_the_calibration_images_do_matter_where_there_is_batchnorm(net, rows, data) -> None:
    images = data.inputs.clone()
    images[: data.calibration_rows] *= 0.3
    changed = dataclasses.replace(data, inputs=images)
    before, after = (evaluate_table(net, rows, ("loss",), d)["loss"] for d in (data, changed))
    assert np.allclose(before, after, atol=1e-6) is not net.needs_statistics
