"""The supernet contract, held by every registered family; a new family is covered without a new test.

Every parameter is disturbed first, because a fresh network hides what it forgets to copy.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from core.evaluation.costs import CostTable
from core.supernets import FAMILIES
from core.supernets.base import BranchContext, Supernet
from core.supernets.files import build, dump_supernet, load_supernet
from tests.helpers.nets import disturb

SHAPES = [(1, 8, 8), (3, 12, 12)]
CALIBRATION = 16


@pytest.fixture(scope="module", params=list(itertools.product(FAMILIES.names(), SHAPES)), ids=str)
def net(request) -> Supernet:
    name, shape = request.param
    torch.manual_seed(0)
    family = FAMILIES.get(name)
    return disturb(family(family.example(shape)), seed=1)


@pytest.fixture(scope="module")
def images(net) -> Tensor:
    return torch.rand(40, *net.input_shape, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def archs(net) -> list[tuple[int, ...]]:
    rows = net.space.sample_array(14, np.random.default_rng(3)).tolist()
    return [net.smallest, net.largest, *map(tuple, rows)]


def walked(net: Supernet, archs: list[tuple[int, ...]], images: Tensor) -> list[Tensor]:
    """Logits of several architectures by `branch`, siblings together wherever prefixes agree."""
    context = BranchContext(CALIBRATION)
    values: dict[tuple, object] = {(): images}
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


def test_extracted_subnet_computes_the_same(net, images, archs) -> None:
    for arch in archs:
        statistics = net.calibrate(arch, images[:CALIBRATION])
        torch.testing.assert_close(net.extract(arch, statistics)(images), net(images, arch, statistics), atol=1e-5, rtol=1e-5)


def test_shared_walk_computes_the_same(net, images, archs) -> None:
    with torch.no_grad():
        for arch, logits in zip(archs, walked(net, archs, images), strict=True):
            expected = net(images, arch, net.calibrate(arch, images[:CALIBRATION]))
            torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_siblings_do_not_change_each_other(net, images, archs) -> None:
    with torch.no_grad():
        together = walked(net, archs, images)
        backwards = walked(net, archs[::-1], images)[::-1]
        for arch, first, second in zip(archs, together, backwards, strict=True):
            assert torch.equal(first, second)
            assert torch.equal(first, walked(net, [arch], images)[0])


def test_a_row_depends_on_itself_and_the_calibration_rows(net, images, archs) -> None:
    changed = images.clone()
    changed[CALIBRATION + 1 :] = 0
    with torch.no_grad():
        for before, after in zip(walked(net, archs[:4], images), walked(net, archs[:4], changed), strict=True):
            torch.testing.assert_close(before[: CALIBRATION + 1], after[: CALIBRATION + 1], atol=1e-5, rtol=1e-5)


def test_extracted_subnet_is_plain_and_owns_its_weights(net, images, archs) -> None:
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    own = {t.untyped_storage().data_ptr() for t in net.state_dict().values()}
    for arch in archs:
        subnet = net.extract(arch, net.calibrate(arch, images[:CALIBRATION]))
        for module in subnet.modules():
            assert type(module).__module__.startswith(("torch.nn.", "core.supernets.plain")), type(module)
        assert not own & {t.untyped_storage().data_ptr() for t in subnet.state_dict().values()}
        assert not subnet.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_counted_costs_are_those_of_the_extracted_subnet(net, images, archs) -> None:
    table = CostTable.of(net)
    for arch in archs:
        rows = np.array([arch], np.uint8)
        subnet = net.extract(arch, net.calibrate(arch, images[:CALIBRATION]))
        with FlopCounterMode(display=False) as counter:
            subnet(images[:1])
        assert counter.get_total_flops() == 2 * table.macs(rows)[0]
        assert sum(p.numel() for p in subnet.parameters()) == table.params(rows)[0]
        assert sum(t.nbytes for t in subnet.state_dict().values()) == table.size_bytes(rows)[0]


def test_equal_keys_mean_equal_computation(net, images) -> None:
    """Change one choice; stages whose keys stay equal, after equal input, must not notice."""
    rng = np.random.default_rng(4)
    with torch.no_grad():
        for _ in range(8):
            arch = net.space.sample(rng)
            for other in net.space.neighbors(arch)[:6]:
                x = images[:CALIBRATION]
                for stage in net.stages:
                    if stage.key(arch) != stage.key(other):
                        break
                    if stage.key(arch) is None:
                        continue
                    assert torch.equal(stage(x, arch), stage(x, other)), type(stage).__name__
                    assert stage.cost(arch) == stage.cost(other)
                    x = stage(x, arch)


def test_choices_that_do_not_matter_change_nothing(net, images) -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        free = tuple(int(v) for v in rng.integers(0, net.space.cardinalities))
        canonical = net.space.canonical(free)
        with torch.no_grad():
            assert torch.equal(net(images, free), net(images, canonical))
        assert net.costs(free) == net.costs(canonical)


def test_a_step_moves_only_the_drawn_subnets_weights(net, images) -> None:
    """Gradients of the smallest subnet touch no more numbers than it has."""
    # A transformed kernel reads more of the large one than it keeps; cropped ones do not.
    cropped = {"kernel_transform": False} if "kernel_transform" in type(net.config).model_fields else {}
    net = disturb(type(net)(net.config.model_copy(update=cropped)))
    net(images, net.smallest).square().mean().backward()
    used = sum(int((p.grad != 0).sum()) for p in net.parameters() if p.grad is not None)
    size = CostTable.of(net).params(np.array([net.smallest], np.uint8))[0]
    total = sum(p.numel() for p in net.parameters())
    assert 0 < used <= size < total


def test_forward_is_differentiable_for_every_architecture(net, images, archs) -> None:
    net.requires_grad_(True)
    for arch in archs[:4]:
        net.zero_grad()
        net(images[:8], arch).sum().backward()
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        assert gradients
        assert all(torch.isfinite(g).all() for g in gradients)
    net.zero_grad()
    net.requires_grad_(False)


def test_file_round_trip(net, images) -> None:
    again, card = load_supernet(dump_supernet(net, {"title": "x"}))
    assert card == {"title": "x"}
    assert again.space == net.space
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))
    with torch.no_grad():
        assert torch.equal(again(images, net.largest), net(images, net.largest))


@pytest.mark.parametrize("name", FAMILIES.names())
def test_takes_the_usual_image_shapes(name) -> None:
    for shape in ((1, 8, 8), (1, 28, 28), (3, 32, 32)):
        config = FAMILIES.get(name).example(shape).model_dump(mode="json")
        net = build(name, config)
        assert net(torch.rand(3, *shape), net.smallest).shape == (3, 10)
        assert isinstance(net, nn.Module)
