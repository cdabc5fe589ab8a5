"""Objectives of extracted networks: attacked, looked into, or their weights counted (cards 19 and 21)."""

from __future__ import annotations

import pytest
import torch

from core.errors import InvalidInput
from core.evaluation.by_network import count_weights, measure_networks, with_networks
from core.evaluation.evaluator import evaluate, evaluate_table, walk
from core.objectives import attacked as attacks
from core.objectives.attacked import attacked
from core.objectives.base import OBJECTIVES, quick_names
from core.objectives.extracted import Subject
from core.objectives.fsp_distance import flows
from core.records import Source
from core.tasks.base import EvaluationData, evaluation_data
from tests.helpers.nets import random_dataset, small_cnn

NAMES = ["robust_accuracy", "fsp_distance"]


@pytest.fixture(scope="module")
def net():
    return small_cnn()


@pytest.fixture(scope="module")
def data() -> EvaluationData:
    return evaluation_data(random_dataset())


def subject(net, data, arch) -> Subject:
    rows = data.spans["validation"]
    subnet = net.extract(arch, net.calibrate(arch, data.inputs[: data.calibration_rows]))
    return Subject(subnet, data.inputs[rows], data.targets[rows])


def test_attacked_images_are_made_once_and_stay_in_the_stated_ball(net, data) -> None:
    one = subject(net, data, net.largest)
    images = attacked(one)
    assert attacked(one) is images
    assert 0 < float((images - one.inputs).abs().max()) <= attacks.EPS_GRAY + 1e-6
    assert float(images.min()) >= 0
    assert float(images.max()) <= 1
    assert f"{attacks.EPS_GRAY:g} of a pixel" in OBJECTIVES.info("robust_accuracy").summary
    assert f"{attacks.STEPS} steps" in OBJECTIVES.info("robust_accuracy").summary


def test_robust_accuracy_counts_who_is_right_on_the_subnets_own_attacked_images(net, data) -> None:
    for arch in (net.smallest, net.largest):
        one = subject(net, data, arch)
        right = one.net(attacked(one)).argmax(1) == one.targets
        found = measure_networks(net, arch, NAMES, data)
        assert found["robust_accuracy"] == float(right.double().mean())
        clean = float((one.net(one.inputs).argmax(1) == one.targets).double().mean())
        assert found["robust_accuracy"] <= clean


def test_fsp_distance_is_zero_where_nothing_moves_and_follows_its_definition(net, data) -> None:
    one = subject(net, data, net.largest)
    one.kept["attacked"] = one.inputs.clone()
    distance = OBJECTIVES.create("fsp_distance")
    assert distance.of_network(one) == 0
    one.kept["attacked"] = one.inputs.flip(3)
    x, y = one.inputs, one.inputs.flip(3)
    shares = []
    for stage in list(one.net)[:-1]:
        pair = []
        for z in (x, y):
            out = stage(z)
            entered = torch.nn.functional.adaptive_avg_pool2d(z, out.shape[2:])
            area = out.shape[2] * out.shape[3]
            pair.append(
                torch.stack([a.flatten(1) @ b.flatten(1).T / area for a, b in zip(entered, out, strict=True)])
            )
        clean, moved = pair
        shares.append(((moved - clean) ** 2).sum((1, 2)) / (clean**2).sum((1, 2)))
        x, y = stage(x), stage(y)
    assert len(flows(one, one.inputs)) == len(shares)
    assert distance.of_network(one) == pytest.approx(float(torch.stack(shares).mean()), rel=1e-4)


def test_a_value_depends_on_nothing_but_the_subnet(net, data) -> None:
    rows = net.space.array()[::500]
    together = evaluate_table(net, rows, ["accuracy", *NAMES, "nonzero_params"], data)
    for index in (0, len(rows) - 1):
        [one] = evaluate(
            net, rows[index : index + 1], ["fsp_distance", "robust_accuracy", "nonzero_params"], data
        )
        for name in one.values:
            assert one.values[name] == together[name][index]
        assert one.how("robust_accuracy").source is Source.MEASURED
        assert one.how("nonzero_params").source is Source.COUNTED


def test_a_walk_hands_them_on_one_by_one_with_what_it_measured_itself(net, data) -> None:
    rows = net.space.array()[::700]
    walked = list(
        with_networks(walk(net, rows, ["accuracy"], data), net, rows, ["accuracy", "robust_accuracy"], data)
    )
    assert sorted(index for indices, _ in walked for index in indices) == list(range(len(rows)))
    assert all(
        len(indices) == 1 and set(values) == {"accuracy", "robust_accuracy"} for indices, values in walked
    )


def test_non_zero_parameters_are_counted_from_the_extracted_subnet(net, data) -> None:
    sparse = small_cnn()
    with torch.no_grad():
        for p in sparse.parameters():
            p.mul_((torch.rand(p.shape, generator=torch.Generator().manual_seed(1)) > 0.3).float())
    rows = sparse.space.array()[::97]
    counted = count_weights(sparse, rows, ["nonzero_params", "accuracy"])
    assert set(counted) == {"nonzero_params"}
    for row, n in zip(rows.tolist(), counted["nonzero_params"], strict=True):
        subnet = sparse.extract(row, sparse.calibrate(row, data.inputs[:8]))
        assert n == sum(int(p.count_nonzero()) for p in subnet.parameters())
    dense = count_weights(net, rows, ["nonzero_params"])["nonzero_params"]
    assert (dense > counted["nonzero_params"]).all()


def test_only_images_are_attacked_and_only_where_their_split_is(net, data, monkeypatch) -> None:
    other = EvaluationData(data.inputs, data.targets, data.calibration_rows, {"test": data.spans["test"]})
    with pytest.raises(InvalidInput, match="lacks the validation split"):
        measure_networks(net, net.largest, NAMES, other)
    monkeypatch.setattr(type(net.task), "name", "tokens")
    with pytest.raises(InvalidInput, match="defined for image data"):
        measure_networks(net, net.largest, NAMES, data)


def test_what_takes_long_is_measured_only_where_it_is_asked_for() -> None:
    assert not set(NAMES) & set(quick_names())
    assert "nonzero_params" in quick_names()
