"""The supernet contract, held by every registered family; a new family is covered without a new test.

Every parameter is disturbed first, because a fresh network hides what it forgets to copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from core.evaluation.costs import CostTable
from core.networks.costs import FUSED
from core.networks.trees import leaves, map_leaves
from core.supernets import FAMILIES
from core.supernets.base import BranchContext, Supernet
from core.supernets.files import build, dump_supernet, load_supernet
from core.supernets.ordering import permute_units
from tests.helpers.nets import disturb

CALIBRATION = 16
EXAMPLES = [(name, i) for name in FAMILIES.names() for i in range(len(FAMILIES.get(name).examples()))]


@pytest.fixture(scope="module", params=EXAMPLES, ids=str)
def net(request) -> Supernet:
    name, index = request.param
    torch.manual_seed(0)
    family = FAMILIES.get(name)
    return disturb(family(family.examples()[index]), seed=1)


@pytest.fixture(scope="module")
def inputs(net) -> Any:
    return net.task.random_inputs(net.config, 40, torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def archs(net) -> list[tuple[int, ...]]:
    rows = net.space.sample_array(14, np.random.default_rng(3)).tolist()
    return [net.smallest, net.largest, *map(tuple, rows)]


def walked(net: Supernet, archs: list[tuple[int, ...]], inputs: Any) -> list[Tensor]:
    """Outputs of several architectures by `branch`, siblings together wherever prefixes agree."""
    context = BranchContext(CALIBRATION)
    values: dict[tuple, object] = {(): inputs}
    for level, stage in enumerate(net.stages):
        wanted: dict[tuple, dict[object, tuple[int, ...]]] = {}
        for arch in archs:
            prefix = tuple(s.key(arch) for s in list(net.stages)[:level])
            wanted.setdefault(prefix, {}).setdefault(stage.key(arch), arch)
        following: dict[tuple, object] = {}
        for prefix, by_key in wanted.items():
            computed = {k: a for k, a in by_key.items() if k is not None}
            outputs = stage.branch(values[prefix], list(computed.values()), context) if computed else []
            following |= {(*prefix, k): y for k, y in zip(computed, outputs, strict=True)}
            if None in by_key:
                following[(*prefix, None)] = values[prefix]
        values = following
    return [values[tuple(s.key(a) for s in net.stages)] for a in archs]  # type: ignore[misc]


def same(a: Any, b: Any) -> bool:
    return all(torch.equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))


def test_extracted_subnet_computes_the_same(net, inputs, archs) -> None:
    for arch in archs:
        statistics = net.calibrate(arch, inputs, CALIBRATION)
        torch.testing.assert_close(
            net.extract(arch, statistics)(inputs), net(inputs, arch, statistics), atol=1e-5, rtol=1e-5
        )


def test_shared_walk_computes_the_same(net, inputs, archs) -> None:
    with torch.no_grad():
        for arch, logits in zip(archs, walked(net, archs, inputs), strict=True):
            expected = net(inputs, arch, net.calibrate(arch, inputs, CALIBRATION))
            torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_siblings_do_not_change_each_other(net, inputs, archs) -> None:
    with torch.no_grad():
        together = walked(net, archs, inputs)
        backwards = walked(net, archs[::-1], inputs)[::-1]
        for arch, first, second in zip(archs, together, backwards, strict=True):
            assert torch.equal(first, second)
            assert torch.equal(first, walked(net, [arch], inputs)[0])


def apart(net: Supernet, inputs: Any, n: int) -> tuple[Any, Any]:
    """Inputs whose first n samples have nothing to do with the others, and the same with other others."""
    if not net.task.whole:
        return inputs, map_leaves(lambda leaf: torch.cat([leaf[:n], torch.zeros_like(leaf[n:])]), inputs)
    features, edges = inputs
    here = edges[:, (edges < n).all(0)]
    there = edges[:, (edges >= n).all(0)]
    assert here.numel()
    assert there.numel()
    others = torch.cat([features[:n], torch.zeros_like(features[n:])])
    return (features, torch.cat([here, there], 1)), (others, here)


def test_a_row_depends_on_itself_its_reach_and_the_calibration_rows(net, inputs, archs) -> None:
    before, after = apart(net, inputs, CALIBRATION + 1)
    with torch.no_grad():
        for first, second in zip(walked(net, archs[:4], before), walked(net, archs[:4], after), strict=True):
            torch.testing.assert_close(
                first[: CALIBRATION + 1], second[: CALIBRATION + 1], atol=1e-5, rtol=1e-5
            )
            assert not torch.equal(first[CALIBRATION + 1 :], second[CALIBRATION + 1 :])


def test_extracted_subnet_is_plain_and_owns_its_weights(net, inputs, archs) -> None:
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    own = {t.untyped_storage().data_ptr() for t in net.state_dict().values()}
    for arch in archs:
        subnet = net.extract(arch, net.calibrate(arch, inputs, CALIBRATION))
        for module in subnet.modules():
            assert type(module).__module__.startswith(("torch.nn.", "core.networks.blocks")), type(module)
        assert not own & {t.untyped_storage().data_ptr() for t in subnet.state_dict().values()}
        assert not subnet.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def one_pass(net: Supernet) -> Any:
    """What costs are counted for: one sample, or the whole graph that the supernet was trained on."""
    generator = torch.Generator().manual_seed(7)
    if not net.task.whole:
        return net.task.random_inputs(net.config, 1, generator)
    features, _ = net.task.random_inputs(net.config, net.config.nodes, generator)
    return features, torch.randint(0, net.config.nodes, (2, net.config.edges), generator=generator)


def messages_of(nodes: list[int], dim: int, index: list[int], messages: list[int], **_: Any) -> int:
    """Operations of one hop: each edge brings a vector, and each node its own; counting degrees is free."""
    return 2 * (messages[0] + nodes[0]) * nodes[1] if len(nodes) == 2 else 0


def test_counted_costs_are_those_of_the_extracted_subnet(net, inputs, archs) -> None:
    table = CostTable.of(net)
    for arch in archs:
        rows = np.array([arch], np.uint8)
        subnet = net.extract(arch, net.calibrate(arch, inputs, CALIBRATION))
        known = {torch.ops.aten.scatter_add: messages_of, **FUSED}
        with FlopCounterMode(display=False, custom_mapping=known) as counter:
            subnet(one_pass(net))
        assert counter.get_total_flops() == 2 * table.total("macs", rows)[0]
        assert sum(p.numel() for p in subnet.parameters()) == table.total("params", rows)[0]
        assert sum(t.nbytes for t in subnet.state_dict().values()) == table.total("bytes", rows)[0]


def test_equal_keys_mean_equal_computation(net, inputs) -> None:
    """Change one choice; stages whose keys stay equal, after equal input, must not notice."""
    rng = np.random.default_rng(4)
    with torch.no_grad():
        for _ in range(8):
            arch = net.space.sample(rng)
            for other in net.space.neighbors(arch)[:6]:
                x = inputs
                for stage in net.stages:
                    if stage.key(arch) != stage.key(other):
                        break
                    if stage.key(arch) is None:
                        continue
                    assert same(stage(x, arch), stage(x, other)), type(stage).__name__
                    assert stage.cost(arch) == stage.cost(other)
                    x = stage(x, arch)


def test_choices_that_do_not_matter_change_nothing(net, inputs) -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        free = tuple(int(v) for v in rng.integers(0, net.space.cardinalities))
        canonical = net.space.canonical(free)
        with torch.no_grad():
            assert torch.equal(net(inputs, free), net(inputs, canonical))
        assert net.costs(free) == net.costs(canonical)


def test_stages_declare_every_choice_they_depend_on(net, inputs) -> None:
    """Random values for all choices a stage does not depend on change nothing in it."""
    rng = np.random.default_rng(6)
    met = 0
    for arch in (net.space.sample(rng) for _ in range(6)):
        x = inputs
        for stage in net.stages:
            kept = [net.space.position[name] for name in stage.depends_on]
            for _ in range(4):
                other = list(net.space.sample(rng))
                for index in kept:
                    other[index] = arch[index]
                other = net.space.canonical(other)
                if any(other[index] != arch[index] for index in kept):
                    continue  # a choice that no longer matters
                met += other != arch
                assert stage.key(other) == stage.key(arch)
                if stage.key(arch) is not None:
                    assert stage.cost(other) == stage.cost(arch)
                    assert same(stage(x, other), stage(x, arch)), type(stage).__name__
            if stage.key(arch) is not None:
                x = stage(x, arch)
    assert met > 20


def cropping(net: Supernet) -> Supernet:
    """The same family without kernel matrices, so that every weight of a subnet is one of the supernet's."""
    cropped = {"kernel_transform": False} if "kernel_transform" in type(net.config).model_fields else {}
    return disturb(type(net)(net.config.model_copy(update=cropped)))


def slices(net: Supernet, arch: tuple[int, ...], inputs: Any) -> dict[str, Tensor]:
    """Which numbers of the supernet a subnet is made of: number them all, extract, read the numbers."""
    statistics = net.calibrate(arch, inputs)
    saved = {name: p.detach().clone() for name, p in net.named_parameters()}
    first, place = 0, {}
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            ids = torch.arange(first, first + parameter.numel())
            parameter.copy_(ids.view_as(parameter))
            place[name], first = first, first + parameter.numel()
        assert first < 2**24  # exact in float32
        found = torch.cat([p.flatten() for p in net.extract(arch, statistics).parameters()]).long()
        for name, parameter in net.named_parameters():
            parameter.copy_(saved[name])
    assert len(found) == len(found.unique()), "one number of the supernet serves twice in a subnet"
    used = torch.zeros(first, dtype=torch.bool)
    used[found] = True
    return {
        name: used[place[name] : place[name] + p.numel()].view_as(p) for name, p in net.named_parameters()
    }


def test_a_step_moves_the_drawn_subnets_weights_and_no_others(net, inputs, archs) -> None:
    net = cropping(net)
    for arch in archs[:5]:
        inside = slices(net, arch, inputs)
        before = {name: p.detach().clone() for name, p in net.named_parameters()}
        net.zero_grad()
        net(inputs, arch).square().mean().backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()
        moved = 0
        for name, parameter in net.named_parameters():
            outside = ~inside[name]
            assert torch.equal(parameter.detach()[outside], before[name][outside]), name
            moved += int((parameter.detach() != before[name]).sum())
        # A drawn cell may hold convolutions that lead nowhere; the two extremes do not.
        if arch in (net.smallest, net.largest):
            assert moved > 0.7 * sum(int(mask.sum()) for mask in inside.values())
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                parameter.copy_(before[name])


def test_weights_outside_a_subnet_do_not_reach_its_output(net, inputs, archs) -> None:
    net = cropping(net)
    kept = {name: p.detach().clone() for name, p in net.named_parameters()}
    for arch in archs[:5]:
        inside = slices(net, arch, inputs)
        with torch.no_grad():
            before = net(inputs, arch)
            assert torch.isfinite(before).all()
            for name, parameter in net.named_parameters():
                parameter[~inside[name]] = 1e3
            assert torch.equal(net(inputs, arch), before)
            for name, parameter in net.named_parameters():
                parameter.copy_(kept[name])


def test_forward_is_differentiable_for_every_architecture(net, inputs, archs) -> None:
    net.requires_grad_(True)
    for arch in archs[:4]:
        net.zero_grad()
        net(inputs, arch).sum().backward()
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        assert gradients
        assert all(torch.isfinite(g).all() for g in gradients)
    net.zero_grad()
    net.requires_grad_(False)


def test_file_round_trip(net, inputs) -> None:
    again, card = load_supernet(dump_supernet(net, {"title": "x"}))
    assert card == {"title": "x"}
    assert again.space == net.space
    assert all(
        torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True)
    )
    with torch.no_grad():
        assert torch.equal(again(inputs, net.largest), net(inputs, net.largest))


def test_stages_that_attend_show_queries_keys_and_values(net, inputs, archs) -> None:
    if not any(stage.attends for stage in net.chain):
        pytest.skip("no self-attention")
    sizes = set()
    for arch in archs:
        flows = net.activations(inputs, arch)
        made = net.last_attention(inputs, flows, arch)
        assert len({each.shape[:2] for each in made[:3]}) == 1
        assert made.key.shape == made.value.shape
        assert made.query.shape[0] == len(leaves(flows[-1])[0])
        assert made.mask is None or made.mask.shape == made.query.shape[:2]
        assert all(bool(torch.isfinite(each).all()) for each in made[:3])
        sizes.add(made.query.shape[2])
    assert len(sizes) > 1 or not any(c.kind == "heads" and len(c.options) > 1 for c in net.space.choices)


def test_units_may_change_places(net, inputs) -> None:
    """Each kind of units by itself, and all together: the largest subnet stays what it is, smaller ones do not."""
    found = net.orderable()
    if not found:
        pytest.skip("units keep their places")
    assert len({each.label for each in found}) == len(found)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    rng = np.random.default_rng(5)
    reversed_orders = {each.label: np.arange(each.size)[::-1] for each in found}
    ways = [{label: order} for label, order in reversed_orders.items()]
    ways.append({each.label: rng.permutation(each.size) for each in found})
    with torch.no_grad():
        largest, smallest = net(inputs, net.largest), net(inputs, net.smallest)
        for orders in ways:
            permute_units(net, orders)
            torch.testing.assert_close(net(inputs, net.largest), largest, atol=1e-5, rtol=1e-5)
            moved = [n for n, tensor in net.state_dict().items() if not torch.equal(tensor, before[n])]
            assert moved or all(len(order) < 2 for order in orders.values())
            if len(orders) > 1:
                assert not torch.allclose(net(inputs, net.smallest), smallest, atol=1e-4)
            net.load_state_dict(before)


@pytest.mark.parametrize("name", FAMILIES.names())
def test_image_families_take_the_usual_shapes(name) -> None:
    family = FAMILIES.get(name)
    if family.task.name != "image":
        pytest.skip("for inputs")
    for shape in ((1, 8, 8), (1, 28, 28), (3, 32, 32)):
        net = build(name, family.example(shape).model_dump(mode="json"))
        assert net(torch.rand(3, *shape), net.smallest).shape == (3, 10)
        assert isinstance(net, nn.Module)
