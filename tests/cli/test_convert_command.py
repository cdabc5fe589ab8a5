"""The command convert, and train --from: a class of one's own, files, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from core.supernets.files import load_supernet
from tests.cli.conftest import Call
from tests.helpers.given_networks import EXPORTED, residual_onnx

pytestmark = pytest.mark.slow

SOURCE = '''
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """Everything a small network of a person may have."""

    def __init__(self, width=8, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.deep = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, groups=width), nn.BatchNorm2d(width), nn.ReLU6())
        self.down = nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2, 1), nn.SiLU(), nn.Dropout2d(0.1))
        self.gate = nn.Sequential(nn.Conv2d(2 * width, 4, 1), nn.ReLU(), nn.Conv2d(4, 2 * width, 1), nn.Hardsigmoid())
        self.head = nn.Sequential(nn.Linear(2 * width * 4, 12), nn.GELU(), nn.Linear(12, classes))

    def forward(self, x):
        x = F.leaky_relu(self.norm(self.stem((x - 0.5) / 0.25)), 0.2)
        x = x + self.deep(x) * 0.5
        x = self.down(x)
        x = x * self.gate(F.adaptive_avg_pool2d(x, 1))
        x = F.adaptive_avg_pool2d(x, 2)
        return self.head(x.view(x.size(0), -1))


def broken(x):
    return x


class Wavy(nn.Module):
    def forward(self, x):
        return torch.sin(x).mean((2, 3))
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_own_net.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_own_net", raising=False)
    return tmp_path


def test_a_class_of_ones_own_becomes_a_supernet_that_is_tuned(own: Path, call: Call) -> None:
    import importlib
    import sys

    sys.path.insert(0, str(own))
    torch.manual_seed(0)
    net = importlib.import_module("my_own_net").Net(width=6)
    sys.path.pop(0)
    torch.save(net.state_dict(), own / "net.pt")
    status, out, err = call(
        "convert",
        "my_own_net:Net",
        *("--weights", "net.pt", "--arguments", '{"width": 6}'),
        *("--data", "digits", "--out", "a.safetensors"),
    )
    assert (status, err) == (0, ""), err
    assert "It normalizes pixels itself" in out
    assert "answers as the given network does" in out
    assert "BatchNorm was put back" in out
    assert "head.2: Its channels stay: these are the classes." in out
    made, card = load_supernet(own / "a.safetensors")
    assert made.config.pixel_mean == pytest.approx((0.5,))
    assert card["data"]["name"] == "digits"
    images = torch.rand(4, 1, 8, 8)
    statistics = made.calibrate(made.largest, images)
    assert made.extract(made.largest, statistics)(images).shape == (4, 10)
    status, out, err = call("train", "--from", "a.safetensors", "--epochs", "1", "--out", "b.safetensors")
    assert status == 0, err
    assert json.loads(out.splitlines()[-1])["final"]["epoch"] == 1
    assert load_supernet(own / "b.safetensors")[1]["tuned_from"]["title"] == "a"


def test_files_are_taken_too(own: Path, call: Call) -> None:
    (own / "n.onnx").write_bytes(residual_onnx())
    for file in ("n.onnx", str(EXPORTED)):
        status, out, err = call(
            "convert", file, "--out", "c.safetensors", "--ratios", "0.5,1", "--mean", "0.1", "--std", "0.3"
        )
        assert status == 0, err
        made, card = load_supernet(own / "c.safetensors")
        assert made.config.pixel_std == (0.3,)
        assert "data" not in card
        assert "subnets of" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["my_own_net", "--image", "1,8,8"], "module:Class"),
        (["my_own_net:Missing", "--image", "1,8,8"], "no Missing"),
        (["no_such_net:Net", "--image", "1,8,8"], "no Net"),
        (["my_own_net:Net"], "--image"),
        (["my_own_net:Net", "--image", "1,8"], "3 numbers"),
        (["my_own_net:Net", "--image", "1,8,8", "--arguments", '{"depth": 3}'], "--arguments"),
        (["my_own_net:Net", "--image", "1,8,8", "--arguments", "[1"], "JSON object"),
        (["my_own_net:Net", "--image", "1,8,8", "--weights", "none.pt"], "no file"),
        (["my_own_net:Net", "--image", "1,8,8", "--weights", "evil.pt"], "without running code"),
        (["my_own_net:torch", "--image", "1,8,8"], "cannot be made|no torch.nn.Module|torch"),
        (["missing.onnx"], "no file"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(own: Path, call: Call, arguments: list[str], said: str) -> None:
    import pickle
    import re

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(own / "executed"),))  # type: ignore[return-value]

    (own / "evil.pt").write_bytes(pickle.dumps(Evil()))
    status, _, err = call("convert", *arguments, "--out", "x.safetensors")
    assert status in (1, 2)
    assert re.search(said, err), err
    assert err.count("\n") == 1
    assert not (own / "executed").exists()
    assert not (own / "x.safetensors").exists()


def test_train_wants_a_preset_or_a_supernet(call: Call) -> None:
    for arguments in ([], ["digits-cnn", "--from", "digits-cnn"]):
        status, _, err = call("train", *arguments)
        assert status == 2
        assert "--from" in err
