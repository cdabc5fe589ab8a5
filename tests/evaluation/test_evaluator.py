"""The exact evaluator against the slow, obvious way, and against itself in any order and grouping."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.chance.bits import bits_column
from core.device import device_of
from core.errors import InvalidInput
from core.evaluation import walking
from core.evaluation.evaluator import evaluate, evaluate_table, walk
from core.evaluation.kept_activations import KeptActivations
from core.evaluation.trie import Trie
from core.tasks.base import EvaluationData, evaluation_data
from tests.helpers.nets import random_dataset, small_cnn

ALL = ("accuracy", "loss", "test_accuracy", "test_loss", "macs", "params", "size_bytes")


@pytest.fixture(scope="module")
def net():
    return small_cnn()


@pytest.fixture(scope="module")
def data():
    return evaluation_data(random_dataset())


def one_by_one(net, arch, data) -> dict[str, float]:
    """Extract, run, count: the definition of each objective."""
    calibration = data.inputs[: data.calibration_rows]
    subnet = net.extract(arch, net.calibrate(arch, calibration))
    values = {}
    for prefix, split in (("", "validation"), ("test_", "test")):
        rows = data.spans[split]
        logits = subnet(data.inputs[rows])
        values[f"{prefix}accuracy"] = float((logits.argmax(1) == data.targets[rows]).double().mean())
        values[f"{prefix}loss"] = float(F.cross_entropy(logits.double(), data.targets[rows]))
    values["params"] = sum(p.numel() for p in subnet.parameters())
    values["size_bytes"] = sum(t.nbytes for t in subnet.state_dict().values())
    values["macs"] = sum(c.macs for c in net.costs(arch))
    return values


def test_equals_the_slow_way_for_every_architecture_of_a_sample(net, data) -> None:
    rows = net.space.array()[::37]
    table = evaluate_table(net, rows, ALL, data)
    for index, row in enumerate(rows):
        expected = one_by_one(net, tuple(row.tolist()), data)
        for name in ALL:
            assert table[name][index] == pytest.approx(expected[name], abs=1e-5), (name, row)


@pytest.mark.slow
def test_siblings_that_have_no_room_together_wait_and_give_the_same_bits(net, data, monkeypatch) -> None:
    rows = net.space.array()[::7]
    whole = evaluate_table(net, rows, ALL, data)
    most: list[int] = []
    for stage in net.chain:

        def counted(x, archs, context, branch=stage.branch):
            most.append(len(archs))
            return branch(x, archs, context)

        monkeypatch.setattr(stage, "branch", counted)
    monkeypatch.setattr(walking, "_SMALL_BYTES", 0)
    monkeypatch.setattr(walking, "_SIBLING_BYTES", 2 * 4 * 64 * len(data.inputs))
    again = evaluate_table(net, rows, ALL, data)
    assert all(again[name].tobytes() == whole[name].tobytes() for name in ALL)
    kept = KeptActivations(1 << 30)
    for _ in range(2):
        found = list(evaluate(net, rows, ALL, data, kept))
        assert {m.arch: m.values["loss"] for m in found} == {
            tuple(row): loss for row, loss in zip(rows.tolist(), whole["loss"].tolist(), strict=True)
        }
    # Eight siblings of a block with 4 channels of 8x8 have no room; two of those with the fewest numbers do.
    few = max(most)
    monkeypatch.setattr(walking, "_SIBLING_BYTES", 1 << 30)
    most.clear()
    evaluate_table(net, rows, ALL, data)
    assert few < max(most)


def test_samples_that_have_no_room_together_go_through_in_pieces(net, data, monkeypatch) -> None:
    rows = net.space.array()[::101]
    whole = evaluate_table(net, rows, ALL, data)
    monkeypatch.setattr(walking, "_MAP_BYTES", 0)
    monkeypatch.setattr(walking, "_BLOCK", 5)
    size = walking._piece(net, data, device_of("cpu"))
    assert size == data.calibration_rows < len(data.inputs) - data.calibration_rows
    again = evaluate_table(net, rows, ALL, data)
    for name in ALL:
        np.testing.assert_allclose(again[name], whole[name], atol=1e-5)
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = evaluate_table(net, rows[order], ALL, data)
    assert all(shuffled[name].tobytes() == again[name][order].tobytes() for name in ALL)


def test_any_order_and_any_grouping_give_the_same_bits(net, data) -> None:
    rng = np.random.default_rng(0)
    rows = net.space.array()
    rows = rows[rng.choice(len(rows), 150, replace=False)]
    whole = evaluate_table(net, rows, ALL, data)
    for sizes in ((1,) * 20, (7, 60, 83)):
        order = rng.permutation(len(rows))
        start = 0
        for size in sizes:
            part = order[start : start + size]
            start += size
            again = evaluate_table(net, rows[part], ALL, data)
            for name in ALL:
                assert again[name].tobytes() == whole[name][part].tobytes(), name


def test_streams_each_distinct_architecture_once(net, data) -> None:
    archs = [net.smallest, net.largest, net.smallest]
    stream = evaluate(net, archs, ("accuracy", "macs"), data)
    found = list(stream)
    assert sorted(m.arch for m in found) == sorted({net.smallest, net.largest})
    assert all(tuple(m.values) == ("accuracy", "macs") for m in found)


def test_can_be_closed_between_batches(net, data) -> None:
    steps = walk(net, net.space.array(), ("accuracy",), data)
    first, values = next(steps)
    steps.close()
    assert len(first) == len(values["accuracy"]) > 0


def test_visits_each_distinct_prefix_once(net, data, monkeypatch) -> None:
    calls = dict.fromkeys(range(len(net.stages)), 0)
    for level, stage in enumerate(net.stages):
        original = stage.branch

        def counted(x, archs, context, level=level, original=original):
            calls[level] += len(archs)
            return original(x, archs, context)

        monkeypatch.setattr(stage, "branch", counted)
    rows = net.space.array()
    evaluate_table(net, rows, ("accuracy",), data)
    for level in range(len(net.stages)):
        keys = [tuple(s.key(row) for s in list(net.stages)[: level + 1]) for row in rows.tolist()]
        assert calls[level] == len({k for k in keys if k[-1] is not None}), level


def test_statistics_come_from_the_calibration_rows_alone(net, data) -> None:
    changed = EvaluationData(data.inputs.clone(), data.targets, data.calibration_rows, data.spans)
    changed.inputs[data.spans["test"]] = 0.0
    rows = net.space.array()[::101]
    before = evaluate_table(net, rows, ("accuracy", "loss"), data)
    after = evaluate_table(net, rows, ("accuracy", "loss"), changed)
    assert before["loss"].tobytes() == after["loss"].tobytes()


def test_leaves_the_weights_alone(net, data) -> None:
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    evaluate_table(net, net.space.array()[::200], ALL, data)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_odd_resolutions_are_exact_too() -> None:
    net = small_cnn(input_shape=(1, 7, 9))
    data = evaluation_data(random_dataset(input_shape=(1, 7, 9)))
    rows = net.space.array()[::173]
    table = evaluate_table(net, rows, ("loss",), data)
    for index, row in enumerate(rows):
        assert table["loss"][index] == pytest.approx(
            one_by_one(net, tuple(row.tolist()), data)["loss"], abs=1e-5
        )


def test_trie_keeps_equal_prefixes_together(net) -> None:
    rng = np.random.default_rng(1)
    rows = np.unique(net.space.sample_array(300, rng), axis=0)
    trie = Trie.of(net, rng.permutation(rows))
    for level in range(len(net.stages)):
        prefixes = [tuple(column) for column in trie.codes[: level + 1].T.tolist()]
        runs = 1 + sum(a != b for a, b in itertools.pairwise(prefixes))
        assert runs == len(set(prefixes))


def test_refuses_what_it_cannot_measure(net, data) -> None:
    with pytest.raises(InvalidInput, match="Latency"):
        evaluate_table(net, net.space.array()[:1], ("latency_ms",), data)
    validation = evaluation_data(random_dataset(), ("validation",))
    with pytest.raises(InvalidInput, match="test split"):
        evaluate_table(net, net.space.array()[:1], ("test_accuracy",), validation)
    assert list(evaluate(net, [], ("accuracy",), data)) == []


def test_which_samples_were_right_comes_with_every_share_of_samples(net, data) -> None:
    rows = net.space.array()[::150]
    names = ("accuracy", "loss", "test_accuracy")
    kept: dict[str, dict[int, np.ndarray]] = {"accuracy": {}, "test_accuracy": {}}
    for indices, values in walk(net, rows, names, data, keep_bits=True):
        assert bits_column("loss") not in values
        for name, found in kept.items():
            found |= dict(zip(indices, values[bits_column(name)], strict=True))
    table = evaluate_table(net, rows, names, data)
    measured = {m.arch: m for m in evaluate(net, rows, names, data)}
    for name, split in (("accuracy", "validation"), ("test_accuracy", "test")):
        span = data.spans[split]
        for index, row in enumerate(rows):
            arch = tuple(row.tolist())
            subnet = net.extract(arch, net.calibrate(arch, data.inputs[: data.calibration_rows]))
            right = (subnet(data.inputs[span]).argmax(1) == data.targets[span]).numpy()
            found = np.unpackbits(kept[name][index], count=len(right)).astype(bool)
            np.testing.assert_array_equal(found, right)
            assert found.sum() / len(right) == table[name][index]
            assert measured[arch].right[name] == kept[name][index].tobytes()
    assert set(measured[tuple(rows[0].tolist())].right) == set(kept)
