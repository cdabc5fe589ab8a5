"""Batches and evaluation rows of texts and of a graph: every sample once, nothing mixed up, seeded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.datasets import Dataset, load_dataset
from core.errors import InvalidInput
from core.evaluation.evaluator import evaluate_table
from core.supernets.families import FAMILIES
from core.tasks.base import EvaluationData, evaluation_data, task_of
from tests.helpers.nets import disturb

DATA = {"commands": {"texts": 400}, "generated_graph": {"nodes": 300, "calibration": 32}}


@pytest.fixture(params=DATA)
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return load_dataset(request.param, **DATA[request.param])


def epoch(dataset: Dataset, number: int, batch_size: int = 30, **augmentation: float) -> list:
    task = task_of(dataset)
    return list(task.epoch(dataset, batch_size=batch_size, seed=0, epoch=number, augmentation=augmentation))


def test_an_epoch_holds_every_sample_once_with_its_class(dataset: Dataset) -> None:
    batches = epoch(dataset, 0)
    ids = torch.cat([batch.ids for batch in batches]).numpy()
    assert len(np.unique(ids)) == len(ids) == 30 * task_of(dataset).steps(dataset, 30)
    known = dict(zip(dataset.train.ids.tolist(), dataset.train.y.tolist(), strict=True))
    rows = dict(zip(dataset.train.ids.tolist(), dataset.train.arrays()[0], strict=False))
    for batch in batches:
        assert [known[i] for i in batch.ids.tolist()] == batch.targets.tolist()
        for row, sample in zip(batch.inputs[0], batch.ids.tolist(), strict=False):
            np.testing.assert_array_equal(row.numpy(), rows[sample])


def test_order_and_augmentation_are_functions_of_seed_and_epoch(dataset: Dataset) -> None:
    field = next(iter(task_of(dataset).Augmentation.model_fields))
    first, again, plain = (epoch(dataset, 3, **kept) for kept in ({field: 0.5}, {field: 0.5}, {}))
    for a, b, c in zip(first, again, plain, strict=True):
        assert torch.equal(a.ids, b.ids)
        assert torch.equal(a.ids, c.ids)
        assert all(torch.equal(x, y) for x, y in zip(a.inputs, b.inputs, strict=True))
    changed = [
        x.shape != y.shape or not torch.equal(x, y)
        for x, y in zip(first[0].inputs, plain[0].inputs, strict=True)
    ]
    assert any(changed)
    assert not torch.equal(epoch(dataset, 4)[0].ids, plain[0].ids)


def test_a_text_keeps_at_least_one_word() -> None:
    for batch in epoch(load_dataset("commands", **DATA["commands"]), 0, drop=0.9):
        assert batch.inputs[1].any(1).all()


def test_a_node_cannot_be_measured_in_two_splits() -> None:
    dataset = load_dataset("generated_graph", **DATA["generated_graph"])
    with pytest.raises(InvalidInput, match="two of the splits"):
        evaluation_data(dataset, ("train",))


def test_shared_prefixes_give_what_each_subnet_gives_alone(dataset: Dataset) -> None:
    family = {"tokens": "elastic_encoder", "graph": "elastic_gcn"}[dataset.task]
    cls = FAMILIES.get(family)
    torch.manual_seed(0)
    net = disturb(cls(cls.Config.model_validate(task_of(dataset).settings_from(dataset))))
    rows = np.unique(net.space.sample_array(24, np.random.default_rng(0)), axis=0)
    data: EvaluationData = evaluation_data(dataset)
    together = evaluate_table(net, rows, ("loss", "test_loss"), data)
    for position in (0, len(rows) // 2, len(rows) - 1):
        arch = tuple(rows[position].tolist())
        for name, split in (("loss", dataset.validation), ("test_loss", dataset.test)):
            # By the split's own arrangement of the graph, not by the evaluator's.
            batch = net.task.batch(dataset, split)
            with torch.no_grad():
                outputs = batch.counted(net(batch.inputs, arch, net.calibrate_on(arch, dataset)))
            alone = net.task.losses(outputs, batch.targets).double().mean().item()
            assert together[name][position] == pytest.approx(alone, rel=1e-5)
