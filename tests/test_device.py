"""Which device is chosen, what it is called, and that networks, trees and time are treated as they must be on each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core import device as module
from core.device import Cuda, Device, chosen_device, device_of, using
from core.errors import DataUnavailable, InvalidInput
from tests.helpers.fake_device import ChanceOnDevice, NotMoved, fake_device


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARETOSCOPE_DEVICE", raising=False)
    monkeypatch.delenv("PARETOSCOPE_PRECISION", raising=False)


def there(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    monkeypatch.setattr(module, "_is_there", lambda kind: kind in kinds)


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))


def test_importing_it_loads_no_torch() -> None:
    code = "import sys, core.device; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], env=os.environ).returncode
        == 0
    )


@pytest.mark.parametrize(
    ("here", "expected"),
    [(("cpu",), "cpu"), (("cpu", "mps"), "mps"), (("cpu", "cuda"), "cuda"), (("cpu", "mps", "cuda"), "cuda")],
)
def test_auto_is_the_fastest_that_is_there(
    here: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(monkeypatch, *here)
    assert chosen_device().kind == expected
    monkeypatch.setenv("PARETOSCOPE_DEVICE", "cpu")
    assert chosen_device().kind == "cpu"


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_one_sentence(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, "cpu")
    monkeypatch.setenv("PARETOSCOPE_DEVICE", kind)
    with pytest.raises(DataUnavailable, match=f"PARETOSCOPE_DEVICE asks for {kind}.*Set it to auto or cpu"):
        chosen_device()


def test_a_precision_the_device_does_not_have_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, "cpu")
    monkeypatch.setenv("PARETOSCOPE_PRECISION", "tf32")
    with pytest.raises(InvalidInput, match="PARETOSCOPE_PRECISION=tf32 is not known to the processor"):
        chosen_device()


def test_only_the_processor_in_float32_has_no_name() -> None:
    assert device_of("cpu").identity == ""
    assert device_of("cpu", "bf16").identity == "cpu bf16"
    assert {Cuda(p).identity for p in Cuda.precisions} == {"cuda float32", "cuda tf32", "cuda bf16"}
    Cuda("float32")


def test_cuda_multiplies_in_tf32_only_where_it_was_asked_for() -> None:
    for precision, tf32 in (("tf32", True), ("float32", False), ("bf16", False)):
        Cuda(precision)
        flags = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        assert flags == (tf32, tf32)
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark


def test_on_the_processor_nothing_is_copied() -> None:
    device, net, x = device_of("cpu"), small_net(), torch.ones(2)
    tree = {"a": (x, [x])}
    assert device.put(tree) is tree
    assert device.net(net) is net
    assert device.move(net) is net
    assert device.back(tree)["a"][0].data_ptr() == x.data_ptr()
    assert device.free_bytes() is None
    assert not device.is_out_of_memory(torch.OutOfMemoryError("no"))


def test_trees_go_there_and_back() -> None:
    with fake_device() as device:
        x = torch.arange(6.0).view(2, 3)
        tree: dict[str, Any] = {"a": (x, [x + 1]), "b": x.bfloat16()}
        put = device.put(tree)
        assert {t.device.type for t in (put["a"][0], put["a"][1][0], put["b"])} == {"strict"}
        assert device.put(put)["a"][0] is put["a"][0]
        back = device.back(put)
        assert torch.equal(back["a"][1][0], x + 1)
        assert back["b"].numpy().tolist() == x.tolist()


def test_the_fake_is_strict() -> None:
    with fake_device() as device:
        x, y = torch.ones(2), device.put(torch.ones(2))
        with pytest.raises(NotMoved, match="aten::add"):
            x + y
        with pytest.raises(NotMoved):
            y[torch.tensor([0])]
        with pytest.raises(RuntimeError):
            y.numpy()
        with pytest.raises(ChanceOnDevice):
            torch.rand_like(y)
        with pytest.raises(ChanceOnDevice):
            torch.randn(3, device=y.device)
        assert (y + torch.tensor(1.0)).cpu().tolist() == [2, 2], "as CUDA allows"
        assert torch.arange(3, device=y.device).device == y.device


def test_a_network_is_copied_once_and_again_when_its_weights_have_changed() -> None:
    net, x = small_net().eval(), torch.randn(2, 2, 4, 4)
    with fake_device() as device:
        there = device.net(net)
        assert there is not net
        assert next(net.parameters()).device.type == "cpu"
        assert torch.equal(device.back(there(device.put(x))), net(x).detach())
        assert device.net(net) is there
        assert device.net(there) is there, "it is there already"
        with torch.no_grad():
            next(net.parameters()).mul_(2)
        assert torch.equal(device.back(device.net(net)(device.put(x))), net(x).detach())
        net[4].bias.data = torch.ones(4)
        assert torch.equal(device.back(device.net(net)(device.put(x))), net(x).detach())
        net[0] = nn.Conv2d(2, 3, 3)
        assert torch.equal(device.back(device.net(net)(device.put(x))), net(x).detach())
        with torch.inference_mode():
            net[4].bias.data = torch.zeros(4)
            made = device.net(net)
        assert not any(p.is_inference() for p in made.parameters())


def test_copies_go_with_the_network_and_with_forget() -> None:
    with fake_device() as device:
        net = small_net()
        device.net(net)
        assert device.taken > 0
        device.forget()
        assert device.taken == 0
        device.net(net)
        del net
        assert device.taken == 0


def test_bfloat16_is_computed_only_within() -> None:
    net, x = small_net(), torch.randn(2, 2, 4, 4)
    device = device_of("cpu", "bf16")
    with device.computing():
        assert net(x).dtype == torch.bfloat16
    assert net(x).dtype == torch.float32
    with device_of("cpu").computing():
        assert net(x).dtype == torch.float32
    with device.computing():
        assert device.back(net(x)).dtype == torch.float32, "NumPy knows no bfloat16"


def test_seconds_wait_for_the_device() -> None:
    with fake_device() as device:
        x = device.put(torch.ones(2))
        device.operation = 0.25
        x + 1  # somebody else's work does not count
        assert device.seconds(lambda: x + 1 + 1) == pytest.approx(0.5)


def test_cuda_seconds_lie_between_two_events(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            said.append("record")

        def synchronize(self) -> None:
            said.append("wait")

        def elapsed_time(self, other: Event) -> float:
            return 2.5

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: said.append("all"))
    assert Cuda().seconds(lambda: said.append("run")) == 0.0025
    assert said == ["all", "record", "run", "record", "wait"]


def test_cuda_has_what_is_free_and_what_torch_holds_in_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 5000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 300)
    assert Cuda().free_bytes() == 1400
    assert Cuda().is_out_of_memory(torch.OutOfMemoryError("no room"))
    assert not Cuda().is_out_of_memory(RuntimeError("no room"))


def test_the_fake_has_room_for_so_much() -> None:
    with fake_device(room=100) as device:
        x = device.put(torch.zeros(20))
        assert device.free_bytes() == 20
        with pytest.raises(torch.OutOfMemoryError):
            x + 1
        assert device.is_out_of_memory(torch.OutOfMemoryError("no"))
        view = x[2:]
        assert device.taken == 80, "a view takes nothing"
        del x, view
        assert device.taken == 0


def test_it_is_chosen_within_and_not_after() -> None:
    bf16 = Device("bf16")
    with using(bf16):
        assert chosen_device() is bf16
    assert chosen_device() is not bf16
