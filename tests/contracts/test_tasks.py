"""The task contract, held by every registered kind of data; a new one needs a small data set below."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from core.config import BaseConfig
from core.datasets import Dataset, load_dataset
from core.datasets.base import Split
from core.datasets.graphs import GraphSplit
from core.errors import InvalidInput, NotFound
from core.networks.trees import leaves, map_leaves
from core.seeding import stream
from core.supernets.families import FAMILIES
from core.supernets.statistics import ElasticBatchNorm
from core.tasks import TASKS
from core.tasks.base import Batch, InputConfig, Task, evaluation_data, task_of
from tests.helpers.nets import disturb

DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "image": ("digits", {"limit_train": 150, "limit_validation": 40, "limit_test": 30, "calibration": 24}),
    "tokens": ("commands", {"texts": 300, "calibration": 24}),
    "graph": ("generated_graph", {"nodes": 300, "calibration": 24}),
    "series": ("tones", {"clips": 240, "calibration": 24}),
    "language": (
        "licenses",
        {"length": 24, "scored": 5, "limit_train": 150, "limit_validation": 40, "limit_test": 30},
    ),
}
STRONG: dict[str, dict[str, Any]] = {
    "image": {"shift": 2, "flip": True},
    "tokens": {"drop": 0.4},
    "graph": {"drop_edges": 0.4, "drop_features": 0.4},
    "series": {"shift": 0.3, "gain": 20, "noise": 0.5, "mask": 0.4},
    "language": {"noise": 0.4},
}
NONE: dict[str, dict[str, Any]] = {
    "image": {"shift": 0},
    "tokens": {},
    "graph": {},
    "series": {"shift": 0, "gain": 0},
    "language": {},
}


@pytest.fixture(params=TASKS.names(), scope="module")
def dataset(request: pytest.FixtureRequest) -> Dataset:
    name, config = DATA[request.param]
    return load_dataset(name, **config)


@pytest.fixture
def task(dataset: Dataset) -> Task:
    return task_of(dataset)


def batches(dataset: Dataset, size: int, seed: int = 0, epoch: int = 0, **how: Any) -> list[Batch]:
    task = task_of(dataset)
    return list(task.epoch(dataset, batch_size=size, seed=seed, epoch=epoch, augmentation=how))


def equal(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(leaves(one), leaves(other), strict=True))


def families_of(task: Task) -> list[str]:
    return [name for name in FAMILIES.names() if FAMILIES.get(name).task_name == task.name]


def wholes(split: Split) -> dict[int, bytes]:
    """What each sample is, by its id: its row of every array; of a graph its features, of language its tokens."""
    # A graph's features have more rows than there are samples, and its edges are no rows at all. Which positions of a
    # window are scored is another matter in training.
    first = isinstance(split, GraphSplit) or split.y.ndim > 1
    arrays = split.arrays()[:1] if first else split.arrays()
    return {
        int(number): b"".join(np.ascontiguousarray(array[row]).tobytes() for array in arrays)
        for row, number in enumerate(split.ids)
    }


def samples(task: Task, inputs: Any, n: int) -> list[bytes]:
    """What stands in each of the first n rows, as `wholes` has it."""
    arrays = [leaf.numpy() for leaf in leaves(inputs)]
    arrays = arrays[:1] if task.whole or task.per_position else arrays
    return [b"".join(np.ascontiguousarray(a[row]).tobytes() for a in arrays) for row in range(n)]


def neighbors(features: np.ndarray, edges: np.ndarray, n: int) -> list[list[bytes]]:
    """Features of the nodes from which an edge comes, of each of the first n nodes."""
    return [sorted(features[a].tobytes() for a in edges[0][edges[1] == node]) for node in range(n)]


def around(split: Split) -> dict[bytes, list[bytes]]:
    """The neighbors of every node of a graph, by its features."""
    features, edges = split.x
    return dict(
        zip((row.tobytes() for row in features), neighbors(features, edges, len(features)), strict=True)
    )


# --- what it says -----------------------------------------------------------------------------------


def test_it_says_what_a_person_reads(task: Task) -> None:
    assert TASKS.info(task.name).summary
    assert task.label != task.name
    assert task.samples != task.sample
    assert task.takes.endswith(".")
    assert all(line.startswith("python predict.py ") for line in task.usage)
    assert len(set(task.inputs)) == len(task.inputs) > 0
    assert set(task.fixed) <= set(task.Inputs.model_fields)
    for field in task.Augmentation.model_fields.values():
        assert field.description
        assert not field.is_required()


def test_there_is_a_family_and_a_data_set_for_it(task: Task) -> None:
    assert families_of(task)
    for name in families_of(task):
        assert issubclass(FAMILIES.get(name).Config, task.Inputs)


def test_arrays_of_a_sample_are_as_many_as_inputs_of_a_network(task: Task, dataset: Dataset) -> None:
    assert len(leaves(task.batch(dataset, dataset.test).inputs)) == len(task.inputs) == len(dataset.arrays)


def test_a_data_set_of_no_known_task_is_not_found(dataset: Dataset) -> None:
    with pytest.raises(NotFound, match="sounds"):
        task_of(dataclasses.replace(dataset, task="sounds"))


# --- fitting a supernet to data -------------------------------------------------------------------------


def test_what_the_data_decide_makes_a_configuration_that_fits(task: Task, dataset: Dataset) -> None:
    found = task.settings_from(dataset)
    assert set(found) <= set(task.Inputs.model_fields)
    assert found["classes"] == len(dataset.classes)
    for family in families_of(task):
        task.require_fit(FAMILIES.get(family).Config.model_validate(found), dataset)
    task.require_fit(task.Inputs.model_validate(task.Inputs(**found).model_dump(mode="json")), dataset)


def another(value: Any) -> Any:
    """A value of the same kind, larger where there is an order."""
    if isinstance(value, tuple):
        return tuple(side + 1 for side in value)
    return value + 1 if isinstance(value, int) else "0" * len(value)


def test_data_with_more_tokens_than_the_supernet_knows_are_refused(task: Task, dataset: Dataset) -> None:
    config = task.Inputs(**task.settings_from(dataset))
    for field in task.at_most:
        with pytest.raises(InvalidInput, match=f"{field} is {getattr(config, field)}"):
            task.require_fit(config.model_copy(update={field: getattr(config, field) - 1}), dataset)


def test_other_fixed_fields_are_refused_by_name_and_value(task: Task, dataset: Dataset) -> None:
    config = task.Inputs(**task.settings_from(dataset))
    for field in task.fixed:
        was = getattr(config, field)
        if was == "":
            continue  # nothing is known of it in these data
        other = another(was)
        wrong = config.model_copy(update={field: other})
        with pytest.raises(InvalidInput) as refusal:
            task.require_fit(wrong, dataset)
        said = str(refusal.value)
        assert said.startswith(dataset.title)
        assert f"{field.replace('_', ' ')} is {was}" in said
        assert f"made for {other}." in said


def test_what_decides_the_shape_of_a_weight_is_fixed(task: Task, dataset: Dataset) -> None:
    found = task.settings_from(dataset)

    def shapes(family: str, settings: dict[str, Any]) -> list[torch.Size]:
        cls = FAMILIES.get(family)
        with torch.device("meta"):
            return [t.shape for t in cls(cls.Config.model_validate(settings)).state_dict().values()]

    for family in families_of(task):
        for field, value in found.items():
            if field not in (*task.fixed, *task.at_most) and isinstance(value, int):
                assert shapes(family, found | {field: value + 1}) == shapes(family, found), field


def test_what_is_not_fixed_may_differ(task: Task, dataset: Dataset) -> None:
    config = task.Inputs(**task.settings_from(dataset))
    free = {
        name: value if isinstance(value, tuple) else another(value)
        for name, value in config.model_dump().items()
        if name not in task.fixed
    }
    task.require_fit(config.model_copy(update=free), dataset)


def test_data_of_another_kind_are_refused_before_anything_is_compared(task: Task) -> None:
    for name, (data, config) in DATA.items():
        if name == task.name:
            continue
        other = load_dataset(data, **config)
        with pytest.raises(InvalidInput) as refusal:
            task.require_fit(BaseConfig(), other)  # type: ignore[arg-type]
        assert str(refusal.value) == f"{other.title} holds {name} data; this supernet takes {task.name} data."


def test_impossible_data_make_no_configuration(task: Task) -> None:
    sound = task.Inputs()
    for wrong in ({"classes": 0}, {"input_shape": (0,) * len(sound.input_shape)}, {"input_shape": ()}):
        with pytest.raises(ValueError, match=r"classes|features|tokens|shape|sides|pixel|image|side"):
            task.Inputs(**(sound.model_dump() | wrong))


def test_wrong_augmentation_is_one_sentence_about_these_samples(task: Task) -> None:
    for wrong in ({"no_such_setting": 1}, {next(iter(task.Augmentation.model_fields)): "much"}):
        with pytest.raises(InvalidInput, match=f"Augmentation of {task.samples}") as refusal:
            task.augmentation(wrong)
        assert next(iter(wrong)) in str(refusal.value)


# --- batches ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 7, 32, 5000])
def test_an_epoch_holds_each_sample_at_most_once_in_full_batches(dataset: Dataset, size: int) -> None:
    found, n = batches(dataset, size), len(dataset.train)
    ids = torch.cat([batch.ids for batch in found])
    assert len(ids.unique()) == len(ids)
    assert set(ids.tolist()) <= set(dataset.train.ids.tolist())
    assert {len(batch) for batch in found} == {min(size, n)}
    assert len(found) == task_of(dataset).steps(dataset, size)
    assert n - len(ids) < min(size, n), "what is left out is less than a batch"


@pytest.mark.parametrize("strong", [False, True])
def test_batches_are_functions_of_seed_and_epoch_alone(dataset: Dataset, strong: bool) -> None:
    how = (STRONG if strong else NONE)[dataset.task]
    torch.manual_seed(1)
    first = batches(dataset, 16, seed=5, epoch=2, **how)
    torch.manual_seed(2)
    torch.rand(3)
    other_epochs = [batches(dataset, 16, seed=5, epoch=e, **how) for e in (0, 1)]
    for one, other in zip(first, batches(dataset, 16, seed=5, epoch=2, **how), strict=True):
        assert equal(one.inputs, other.inputs)
        assert torch.equal(one.ids, other.ids)
    orders = [torch.cat([b.ids for b in found]).tolist() for found in (first, *other_epochs)]
    orders.append(torch.cat([b.ids for b in batches(dataset, 16, seed=6, epoch=2, **how)]).tolist())
    assert len({tuple(order) for order in orders}) == 4


def test_augmentation_does_not_touch_order_or_labels_but_changes_samples(dataset: Dataset) -> None:
    plain, strong = (batches(dataset, 16, **how[dataset.task]) for how in (NONE, STRONG))
    for one, other in zip(plain, strong, strict=True):
        assert torch.equal(one.ids, other.ids)
        assert torch.equal(one.targets, other.targets)
        assert len(leaves(one.inputs)[0]) == len(leaves(other.inputs)[0])
    changed = [
        a.shape != b.shape or not torch.equal(a, b)
        for one, other in zip(plain, strong, strict=True)
        for a, b in zip(leaves(one.inputs), leaves(other.inputs), strict=True)
    ]
    assert sum(changed) >= len(plain)


def test_augmentation_never_writes_into_the_data_set(dataset: Dataset) -> None:
    before = [array.copy() for array in dataset.train.arrays()]
    for batch in batches(dataset, 16, **STRONG[dataset.task]):
        for leaf in leaves(batch.inputs):
            leaf.zero_()
    for array, old in zip(dataset.train.arrays(), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_each_counted_row_is_the_sample_of_its_id(dataset: Dataset) -> None:
    known = wholes(dataset.train)
    every = dataset.train.x[0][:, 1:] if task_of(dataset).per_position else dataset.train.y
    classes = dict(zip(dataset.train.ids.tolist(), every.tolist(), strict=True))
    for batch in batches(dataset, 16, **NONE[dataset.task]):
        ids = batch.ids.tolist()
        assert samples(task_of(dataset), batch.inputs, len(ids)) == [known[i] for i in ids]
        assert batch.targets.tolist() == [classes[i] for i in ids]


def test_a_graph_stays_the_same_graph_whoever_comes_first(dataset: Dataset) -> None:
    if not task_of(dataset).whole:
        pytest.skip("samples go alone")
    known = around(dataset.train)
    for batch in batches(dataset, 40)[:2]:
        x, e = (leaf.numpy() for leaf in batch.inputs)
        for node, found in enumerate(neighbors(x, e, len(batch))):
            assert found == known[x[node].tobytes()]


def test_a_part_of_a_split_is_one_batch_as_it_is(task: Task, dataset: Dataset) -> None:
    part = dataset.validation.rows(np.array([5, 1, 9]))
    batch = task.batch(dataset, part)
    assert len(batch) == 3
    assert batch.ids.tolist() == dataset.validation.ids[[5, 1, 9]].tolist()
    assert batch.targets.tolist() == dataset.validation.y[[5, 1, 9]].tolist()
    assert [leaf.dtype for leaf in leaves(batch.inputs)] == [
        leaf.dtype for leaf in leaves(batches(dataset, 4)[0].inputs)
    ]


def test_counted_rows_are_the_leading_rows_of_every_leaf(task: Task, dataset: Dataset) -> None:
    batch = task.batch(dataset, dataset.validation.first(4))
    outputs = {"logits": torch.arange(30.0).view(10, 3), "more": (torch.arange(10),)}
    counted = batch.counted(outputs)
    assert torch.equal(counted["logits"], outputs["logits"][:4])
    assert torch.equal(counted["more"][0], torch.arange(4))


def test_a_batch_moves_whole(task: Task, dataset: Dataset) -> None:
    batch = task.batch(dataset, dataset.validation.first(4))
    moved = batch.to("meta")
    for leaf, old in zip(leaves(moved.inputs), leaves(batch.inputs), strict=True):
        assert leaf.device.type == "meta"
        assert (leaf.shape, leaf.dtype) == (old.shape, old.dtype)
        assert old.device.type == "cpu", "the batch itself stays where it is"
    assert moved.targets.device.type == moved.ids.device.type == "meta"
    assert len(moved) == len(batch)


# --- the evaluator's rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("splits", [("validation", "test"), ("test", "validation"), ("test",)])
def test_calibration_comes_first_and_spans_are_the_splits(dataset: Dataset, splits: tuple[str, ...]) -> None:
    data = evaluation_data(dataset, splits)
    calibration = dataset.calibration.first(None if task_of(dataset).calibrates else 0)
    n, known = len(calibration), wholes(calibration)
    assert data.calibration_rows == n
    assert tuple(data.spans) == splits
    assert data.targets[:n].tolist() == calibration.y.tolist()
    expected = [known[i] for i in calibration.ids.tolist()]
    end = n
    for name in splits:
        split, span = dataset.split(name), data.spans[name]
        assert (span.start, span.stop) == (end, end + len(split)), "no gap, no overlap"
        assert data.targets[span].tolist() == split.y.tolist()
        expected += [wholes(split)[i] for i in split.ids.tolist()]
        end = span.stop
    assert len(data.targets) == end
    assert samples(task_of(dataset), data.inputs, end) == expected


def test_calibration_rows_may_be_chosen_anew(task: Task, dataset: Dataset) -> None:
    """A calibration split that is itself a part of another one puts the right samples in the right rows."""
    picked = stream(0, "contract").permutation(len(dataset.train))[:9]
    changed = dataclasses.replace(dataset, calibration=dataset.train.rows(picked))
    part = dataset.validation.rows(np.array([8, 3, 5]))
    data = task.evaluation(changed, {"part": part})
    known = wholes(dataset.train) | wholes(dataset.validation)
    ids = [*(dataset.train.ids[picked].tolist() if task.calibrates else []), *part.ids.tolist()]
    assert samples(task, data.inputs, len(ids)) == [known[i] for i in ids]
    if task.whole:
        features, edges = (leaf.numpy() for leaf in data.inputs)
        links = around(dataset.train)
        for node, found in enumerate(neighbors(features, edges, len(ids))):
            assert found == links[features[node].tobytes()]


# --- what outputs mean ---------------------------------------------------------------------------------------


def test_losses_are_smoothed_cross_entropies_one_by_one(task: Task) -> None:
    outputs = torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets = torch.arange(12) % 5
    for smoothing in (0.0, 0.3):
        found = task.losses(outputs, targets, smoothing=smoothing)
        for row, target, loss in zip(outputs.numpy(), targets.tolist(), found.tolist(), strict=True):
            logs = row - row.max() - np.log(np.exp(row - row.max()).sum())
            wanted = (1 - smoothing) * np.eye(5)[target] + smoothing / 5
            assert loss == pytest.approx(-(wanted * logs).sum(), rel=1e-9)


def test_predictions_are_the_largest_outputs_of_each_sample_for_any_number_of_subnets(task: Task) -> None:
    outputs = torch.randn(3, 12, 5, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(12) % 5
    by_hand = [[max(range(5), key=row.__getitem__) for row in subnet] for subnet in outputs.tolist()]
    assert task.predictions(outputs).tolist() == by_hand
    assert task.correct(outputs, targets).tolist() == [
        [guess == int(right) for guess, right in zip(subnet, targets, strict=True)] for subnet in by_hand
    ]


def test_several_positions_of_a_sample_are_averaged_and_counted_one_by_one(task: Task) -> None:
    if not task.per_position:
        pytest.skip("one answer per sample")
    generator = torch.Generator().manual_seed(2)
    outputs = torch.randn(2, 4, 3, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(5, (4, 3), generator=generator)
    for subnet in outputs:
        logs = [[row.log_softmax(0) for row in window] for window in subnet]
        for smoothing in (0.0, 0.2):
            by_hand = [
                sum(
                    -((1 - smoothing) * each[t] + smoothing * each.mean())
                    for each, t in zip(w, of, strict=True)
                )
                / 3
                for w, of in zip(logs, targets.tolist(), strict=True)
            ]
            torch.testing.assert_close(
                task.losses(subnet, targets, smoothing=smoothing), torch.stack(by_hand)
            )
    right = task.correct(outputs, targets)
    assert right.shape == (2, 12)
    assert right[1].tolist() == (outputs[1].argmax(-1) == targets).flatten().tolist()
    assert 0 < right.sum() < 24


def test_only_data_of_families_without_batchnorm_go_uncalibrated(task: Task) -> None:
    if task.calibrates:
        pytest.skip("calibration rows come first")
    for name, config in configs(task):
        net = FAMILIES.get(name)(config)
        assert not any(isinstance(module, ElasticBatchNorm) for module in net.modules()), name


# --- random inputs -------------------------------------------------------------------------------------------


def configs(task: Task) -> list[tuple[str, InputConfig]]:
    return [(name, config) for name in families_of(task) for config in FAMILIES.get(name).examples()]


def test_random_inputs_are_functions_of_the_generator(task: Task) -> None:
    for _, config in configs(task):
        torch.manual_seed(0)
        one, same, other = (
            task.random_inputs(config, 6, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
        )
        assert equal(one, same)
        assert not torch.equal(leaves(one)[0], leaves(other)[0])
        assert len(leaves(one)[0]) == 6


@pytest.mark.parametrize("n", [1, 2, 9])
def test_every_family_takes_them_and_answers_each_sample(task: Task, n: int) -> None:
    for name, config in configs(task):
        torch.manual_seed(0)
        net = disturb(FAMILIES.get(name)(config))
        inputs = task.random_inputs(config, n, torch.Generator().manual_seed(n))
        with torch.no_grad():
            for arch in (net.smallest, net.largest):
                outputs = net(
                    inputs, arch, net.calibrate(arch, task.random_inputs(config, 12, torch.Generator()))
                )
                scored = (config.scored,) if task.per_position else ()  # type: ignore[attr-defined]
                assert outputs.shape == (n, *scored, config.classes)
                assert torch.isfinite(outputs).all()


def test_a_families_data_are_described_by_shape(task: Task, dataset: Dataset) -> None:
    said = task.describe_input(dataset.input_shape)
    assert all(str(side) in said for side in dataset.input_shape)
    assert map_leaves(lambda leaf: leaf.dtype, task.batch(dataset, dataset.test).inputs) == map_leaves(
        lambda leaf: leaf.dtype,
        task.random_inputs(task.Inputs(**task.settings_from(dataset)), 3, torch.Generator()),
    )
