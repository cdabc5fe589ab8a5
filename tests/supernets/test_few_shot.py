"""Supernets in parts: who belongs where, and that splitting changes nothing but whose weights are whose."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.evaluation.stage_work import CountedWork
from core.spaces import Choice, SearchSpace
from core.supernets import FAMILIES
from core.supernets.elastic_gcn import ElasticGCN
from core.supernets.few_shot import FewShot, came_from, configured, parts_of, split, weights_of
from core.supernets.files import build
from core.supernets.parts import Parts, SplitConfig, parts_after
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import disturb, small_cnn

SPACE = SearchSpace(
    [
        Choice("a", ("x", "y", "z", "u"), ordinal=False),
        Choice("b", (1, 2, 3)),
        Choice("c", (1, 2), requires=("b", (1, 2))),
        Choice("d", (1, 2)),
    ]
)
SPLITS = (
    SplitConfig(choice="a", groups=((0, 3), (1, 2))),
    SplitConfig(part=1, choice="b", groups=((2,), (0, 1))),
    SplitConfig(part=0, choice="a", groups=((3,), (0,))),
)


def restricted(space: SearchSpace, own: dict[str, tuple[int, ...]]) -> int:
    """How many architectures have only these options, counted one by one."""
    rows = space.array()
    kept = [np.isin(rows[:, space.position[name]], options) for name, options in own.items()]
    return int(np.logical_and.reduce([np.ones(len(rows), bool), *kept]).sum())


def test_parts_share_out_the_space() -> None:
    parts = Parts(SPACE, SPLITS)
    assert len(parts) == parts_after(SPLITS) == 4
    assert parts.options == [{"a": (3,)}, {"a": (1, 2), "b": (2,)}, {"a": (1, 2), "b": (0, 1)}, {"a": (0,)}]
    rows = SPACE.array()
    belongs = np.array([parts.of(row) for row in rows.tolist()])
    sizes = [restricted(SPACE, own) for own in parts.options]
    assert np.bincount(belongs).tolist() == sizes
    assert sum(sizes) == SPACE.size
    assert [parts.space(SPACE, part).size for part in range(4)] == sizes
    for part, own in enumerate(parts.options):
        for name, options in own.items():
            assert set(rows[belongs == part][:, SPACE.position[name]]) == set(options)
    assert parts.choices == ("a", "b")
    assert parts.origins(2) == [0, 1, 1, 0]
    assert parts.origins(1) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (SplitConfig(choice="a", groups=((0,), (1, 2))), "must hold the options"),
        (SplitConfig(choice="a", groups=((0, 1), (1, 2, 3))), "must hold the options"),
        (SplitConfig(choice="a", groups=((), (0, 1, 2, 3))), "must hold the options"),
        (SplitConfig(choice="c", groups=((0,), (1,))), "no choice that every architecture makes"),
        (SplitConfig(choice="nothing", groups=((0,), (1,))), "no choice that every architecture makes"),
        (SplitConfig(part=1, choice="a", groups=((0, 1), (2, 3))), "no part 1"),
    ],
)
def test_impossible_splits_are_refused_in_a_sentence(wrong: SplitConfig, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=rf"{sentence}.*\.$"):
        Parts(SPACE, [wrong])


def test_configurations_that_cannot_be_built_are_refused() -> None:
    for config, sentence in [
        ({"base": "few_shot"}, "split further"),
        ({"base": "no_such_family"}, "no family"),
        ({"base": "elastic_gcn"}, "do not take images"),
        ({"base": "elastic_cnn", "config": {"groups": []}}, "groups"),
        ({"config": {"input_shape": [1, 8, 8]}}, "input_shape"),
        ({"input_shape": (1, 1 << 30, 1 << 30)}, "sides"),
        ({"splits": [{"choice": "width1", "groups": [[0], [1]] * 36}]}, "splits"),
        ({"splits": [{"choice": "width1", "groups": [[0], [1]]}] * 70}, "splits"),
        ({"splits": [{"choice": "kernel1_2", "groups": [[0], [1]]}]}, "every architecture makes"),
    ]:
        with pytest.raises(InvalidInput, match=sentence):
            build("few_shot", config)


@pytest.mark.slow
@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_a_split_supernet_computes_what_it_did(family: str) -> None:
    torch.manual_seed(0)
    cls = FAMILIES.get(family)
    net = disturb(cls(cls.example((1, 8, 8))))
    name = next(c.name for c in net.space.choices if c.requires is None and len(c.options) > 1)
    last = len(net.space.choices[net.space.position[name]].options) - 1
    made = split(net, [SplitConfig(choice=name, groups=((last,), tuple(range(last))))])
    assert made.space == net.space
    images = torch.rand(6, 1, 8, 8)
    with torch.no_grad():
        for arch in {net.space.sample(np.random.default_rng(i)) for i in range(4)}:
            statistics = net.calibrate(arch, images)
            assert torch.equal(made(images, arch), net(images, arch))
            again = made.extract(arch, made.calibrate(arch, images))
            torch.testing.assert_close(again(images), net.extract(arch, statistics)(images), atol=0, rtol=0)


def twice(net) -> tuple[FewShot, FewShot]:
    first = split(net, [SplitConfig(choice="width1", groups=((0,), (1,)))])
    return first, split(first, [SplitConfig(part=1, choice="depth2", groups=((1,), (0,)))])


def test_parts_are_split_again_and_start_from_where_they_were() -> None:
    net = small_cnn()
    first, second = twice(net)
    with torch.no_grad():
        for part, factor in ((0, 2.0), (1, 3.0)):
            for weight in weights_of(first, part):
                weight.mul_(factor)
    again = split(first, second.config.splits[1:])
    assert parts_of(net) == [{}]
    assert parts_of(again) == [
        {"width1": (0,)},
        {"width1": (1,), "depth2": (1,)},
        {"width1": (1,), "depth2": (0,)},
    ]
    for name, before in came_from(again, first).items():
        assert torch.equal(again.get_parameter(name), first.get_parameter(before))
    for part, origin in enumerate((0, 1, 1)):
        for one, other in zip(weights_of(again, part), weights_of(first, origin), strict=True):
            assert torch.equal(one, other)
            assert one is not other
    assert sum(len(weights_of(again, part)) for part in range(3)) == len(list(again.parameters()))


def test_a_stored_table_of_costs_still_tells_parts_apart() -> None:
    net = FewShot(FewShot.example((1, 8, 8)))
    table = CostTable.of(net)
    again = CostTable.from_json(json.loads(json.dumps(table.to_json())))
    rows = net.space.sample_array(60, np.random.default_rng(0))
    assert again.telling() == table.telling()
    assert (CountedWork(again).prefixes(rows) == CountedWork(table).prefixes(rows)).all()
    belongs = [net.parts.of(row) for row in rows.tolist()]
    for entries in again.entries(rows):
        assert (entries.part == np.where(entries.present, belongs, 0)).all()


def test_training_one_part_leaves_the_others_weights_as_they_are() -> None:
    _, net = twice(small_cnn())
    images = torch.rand(8, 1, 8, 8)
    arch = net.space.largest
    own = {id(weight) for weight in weights_of(net, net.parts.of(arch))}
    net(images, arch).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert (parameter.grad is None) == (id(parameter) not in own) or parameter.grad is None, name
    assert any(p.grad is not None for p in net.parameters())


def test_what_belongs_to_another_kind_of_data_is_not_split() -> None:
    net = ElasticGCN(ElasticGCN.examples()[0])
    with pytest.raises(InvalidInput, match="for images"):
        split(net, [SplitConfig(choice=net.space.names[0], groups=((0,), (1,)))])


def test_noise_in_training_is_the_bases_own() -> None:
    cells = FAMILIES.get("nasnet_cells").example((1, 8, 8)).model_copy(update={"drop_path": 0.5})
    net = FewShot(
        configured(
            "nasnet_cells", cells, (SplitConfig(choice="normal1_operation1", groups=((0, 1), (2, 3, 4))),)
        )
    )
    arch = net.space.largest
    assert net.in_training(arch, 1.0, np.random.default_rng(0)).drop == 0.5  # type: ignore[attr-defined]


def test_sorting_channels_changes_the_largest_subnet_and_other_parts_in_nothing() -> None:
    _, net = twice(small_cnn())
    images = torch.rand(8, 1, 8, 8)
    rows = net.space.sample_array(40, np.random.default_rng(0)).tolist()
    ends = [net.space.largest, *(a for a in rows if net.parts.of(a) != net.parts.of(net.space.largest))]
    with torch.no_grad():
        before = [net(images, arch) for arch in ends]
        kept = {name: weight.clone() for name, weight in net.named_parameters()}
        net.sort_channels()
        for arch, outputs in zip(ends, before, strict=True):
            torch.testing.assert_close(net(images, arch), outputs, atol=1e-4, rtol=1e-4)
    assert any(not torch.equal(kept[name], weight) for name, weight in net.named_parameters())
