"""What the strict device is asked in other tests, asked of a real one: to a tolerance, where there is one.

    PARETOSCOPE_DEVICE=cuda python -m pytest tests/gpu -m "slow or not slow"

Never run by those who wrote it, for want of a device.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from core.device import TOLERANCE, Cuda, Device, device_of, using
from core.evaluation.agreement import compare
from core.evaluation.evaluator import evaluate_table
from core.evaluation.latency.on_device import DeviceRace
from core.networks.file import dump_net
from core.networks.trees import leaves, n_rows
from core.objectives.base import names_of
from core.objectives.extracted import FromNetworks
from core.store import MemoryLedger
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData, evaluation_data
from core.training.loop import train
from core.training.strategies import STRATEGIES
from tests.helpers.nets import disturb, random_dataset, small_cnn
from tests.training.small import digits, net_for, settings

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="this machine's torch finds no CUDA device"
)
CALIBRATION = 16
EXAMPLES = [(name, i) for name in FAMILIES.names() for i in range(len(FAMILIES.get(name).examples()))]


@pytest.fixture
def device() -> Iterator[Device]:
    with using(device_of("cuda")) as found:
        yield found


@pytest.fixture(scope="module", params=EXAMPLES, ids=str)
def net(request) -> Supernet:
    name, index = request.param
    torch.manual_seed(0)
    family = FAMILIES.get(name)
    return disturb(family(family.examples()[index]), seed=1)


def samples(net: Supernet) -> EvaluationData:
    inputs = net.task.random_inputs(net.config, 40, torch.Generator().manual_seed(2))
    with torch.no_grad():
        answered = net(inputs, net.largest)
    targets = torch.randint(0, net.classes, answered.shape[:-1], generator=torch.Generator().manual_seed(3))
    spans = {"validation": slice(CALIBRATION, 30), "test": slice(30, n_rows(answered))}
    return EvaluationData(inputs, targets, CALIBRATION, spans, dict.fromkeys(spans, 2.0))


def near(here: object, there: object) -> None:
    for a, b in zip(leaves(here), leaves(there), strict=True):
        torch.testing.assert_close(b, a, rtol=0, atol=TOLERANCE["float32"] * max(1.0, float(a.abs().max())))


def test_every_family_answers_as_on_the_processor(net, device) -> None:
    data = samples(net)
    with torch.no_grad():
        there, inputs = device.net(net), device.put(data.inputs)
        for arch in (net.largest, tuple(net.space.sample_array(1, np.random.default_rng(5))[0].tolist())):
            statistics = net.calibrate(arch, data.inputs, CALIBRATION)
            measured = there.calibrate(arch, inputs, CALIBRATION)
            near(net(data.inputs, arch, statistics), device.back(there(inputs, arch, measured)))
            extracted = there.extract(arch, measured)
            assert {t.device.type for t in extracted.state_dict().values()} == {"cpu"}
            near(net.extract(arch, statistics)(data.inputs), device.back(device.net(extracted)(inputs)))


def test_every_family_is_walked_as_on_the_processor(net, device) -> None:
    data = samples(net)
    rows = np.unique(net.space.sample_array(16, np.random.default_rng(3)), axis=0)
    found = compare(net, rows, data, "validation", device)
    assert found.holds, found


@pytest.mark.parametrize("precision", Cuda.precisions)
def test_every_precision_is_as_near_as_is_said_of_it(precision: str) -> None:
    net, data = small_cnn(), evaluation_data(random_dataset(200))
    rows = np.unique(net.space.sample_array(32, np.random.default_rng(0)), axis=0)
    found = compare(net, rows, data, "test", Cuda(precision))
    assert found.holds, found


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_takes_steps(name: str, device) -> None:
    """The loss of the first epoch is the processor's, nearly; what is saved goes on here."""
    phases = STRATEGIES.create(name).phases(net_for(name).space)
    config = settings(strategy=name, epochs=max(2, len(phases)), learning_rate=0.02, shift=1)
    there, here = MemoryLedger(), MemoryLedger()
    net = net_for(name)
    list(train(net, digits(64), config, there))
    assert {p.device.type for p in net.parameters()} == {"cpu"}
    with using(Device()):
        list(train(net_for(name), digits(64), config, here))
        kept = there.latest_checkpoint()
        assert kept is not None
        goes_on = MemoryLedger()
        goes_on.checkpoint(kept, fraction=0.5)
        list(train(net_for(name), digits(64), config, goes_on))
    assert there.metrics()[0]["loss"] == pytest.approx(here.metrics()[0]["loss"], rel=0.02)


def test_attacks_and_a_room_that_is_asked_for(device) -> None:
    net, data = small_cnn(), evaluation_data(random_dataset(60))
    names = ["accuracy", *names_of(FromNetworks)]
    rows = np.array([net.smallest, net.largest], np.uint8)
    assert device.free_bytes() > 0
    there = evaluate_table(net, rows, names, data)
    with using(Device()):
        here = evaluate_table(net, rows, names, data)
    np.testing.assert_allclose(there["accuracy"], here["accuracy"], atol=0.05)


def test_latency_is_that_of_the_events(device) -> None:
    net = small_cnn()
    inputs = torch.rand(24, 1, 8, 8)
    race = DeviceRace(device, [np.zeros((64, 1, 8, 8), np.float32)])
    for arch in (net.smallest, net.largest):
        race.add(dump_net(net.extract(arch, net.calibrate(arch, inputs)), (1, 8, 8), {}))
    for _ in range(6):
        race.round()
    assert (race.minima > 0).all()
    assert (race.minima < 1000).all()
