"""A plain torch ResNet, its training loop, and NVIDIA ModelOpt on it, in that package's own environment; knows nothing of this project.

    python benchmarks/convert_worker.py DATA.npz BASE.pt EPOCHS OUT.json

DATA holds x_train, y_train, x_test, y_test (float32 pixels in [0, 1], int64 classes); BASE the state dictionary of the trained
`ResNet`. OUT gets, for each method and budget, accuracy as it comes and after each number of EPOCHS (comma-separated), MACs
and seconds.
"""

from __future__ import annotations

import copy
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

WIDTHS, BUDGETS = (10, 20, 40), (0.5, 0.25)
SHAPE = (1, 28, 28)
SAMPLES = 100
"""Subnets that AutoNAS tries for a budget."""


class Block(nn.Module):
    """Two convolutions and a shortcut, as in everybody's first ResNet."""

    def __init__(self, ins: int, outs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(ins, outs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outs)
        self.conv2 = nn.Conv2d(outs, outs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outs)
        self.short = nn.Sequential()
        if stride > 1 or ins != outs:
            self.short = nn.Sequential(nn.Conv2d(ins, outs, 1, stride, bias=False), nn.BatchNorm2d(outs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.short(x))


class ResNet(nn.Module):
    """Three groups of two blocks; the first group and the stem work on 14x14 maps."""

    def __init__(self, widths: Sequence[int] = WIDTHS, blocks: int = 2, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, widths[0], 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        layers, ins = [], widths[0]
        for group, outs in enumerate(widths):
            for block in range(blocks):
                layers.append(Block(ins, outs, 2 if group and not block else 1))
                ins = outs
        self.layers = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(ins, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(F.relu(self.bn(self.conv(x))))
        return self.head(torch.flatten(self.pool(x), 1))


class Data:
    """Training and test images in memory."""

    def __init__(self, path: str | Path) -> None:
        with np.load(path) as arrays:
            self.x, self.y, self.x_test, self.y_test = (
                torch.from_numpy(arrays[name]) for name in ("x_train", "y_train", "x_test", "y_test")
            )


def train(net: nn.Module, data: Data, epochs: int, *, rate: float, seed: int, batch: int = 128) -> None:
    """SGD with Nesterov momentum and one cosine; images are mirrored and shifted by a pixel."""
    generator = torch.Generator().manual_seed(seed)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
    steps = epochs * (len(data.x) // batch)
    warm = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            (step + 1) / warm
            if step < warm
            else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
        ),
    )
    for _ in range(epochs):
        net.train()
        order = torch.randperm(len(data.x), generator=generator)
        for start in range(0, len(order) - batch + 1, batch):
            picked = order[start : start + batch]
            x = data.x[picked]
            if torch.rand((), generator=generator) < 0.5:
                x = x.flip(3)
            dy, dx = torch.randint(0, 3, (2,), generator=generator).tolist()
            x = F.pad(x, (1, 1, 1, 1))[:, :, dy : dy + 28, dx : dx + 28]
            optimizer.zero_grad()
            F.cross_entropy(net(x), data.y[picked]).backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracy(net: nn.Module, data: Data) -> float:
    """Share of test images that are right."""
    net.eval()
    right = sum(
        int((net(x).argmax(1) == y).sum())
        for x, y in zip(data.x_test.split(500), data.y_test.split(500), strict=True)
    )
    return right / len(data.y_test)


def macs(net: nn.Module) -> int:
    """Multiply-accumulates of one image."""
    net.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, *SHAPE))
    return int(counter.get_total_flops()) // 2


def tuned(net: nn.Module, data: Data, epochs: Sequence[int]) -> dict[str, Any]:
    """Accuracy as it comes, and after training a copy for each number of epochs."""
    found: dict[str, Any] = {"macs": macs(net), "0": accuracy(net, data)}
    for n in epochs:
        copied, began = copy.deepcopy(net), time.process_time()
        train(copied, data, n, rate=0.05, seed=1)
        found[str(n)] = accuracy(copied, data)
        found[f"seconds {n}"] = time.process_time() - began
    return found


def batches(data: Data) -> list[tuple[Tensor, Tensor]]:
    """Training images for calibration."""
    return list(zip(data.x[:1024].split(128), data.y[:1024].split(128), strict=True))


def fastnas(base: nn.Module, data: Data, budget: float) -> nn.Module:
    """ModelOpt's FastNAS for one budget; its divisor of 32 would leave this network no choice."""
    import modelopt.torch.prune as mtp

    spaces = {
        "nn.Conv2d": {"*": {"channel_divisor": 4}},
        "nn.BatchNorm2d": {"*": {"feature_divisor": 4}},
        "nn.Linear": {"*": {"feature_divisor": 4}},
    }
    with tempfile.TemporaryDirectory() as folder:
        pruned, _ = mtp.prune(
            model=copy.deepcopy(base),
            mode=[("fastnas", spaces)],
            constraints={"flops": f"{budget * 100:.0f}%"},
            dummy_input=torch.zeros(1, *SHAPE),
            config={
                "data_loader": batches(data),
                "score_func": lambda net: train_accuracy(net, data),
                "checkpoint": f"{folder}/search.pth",
                "verbose": False,
            },
        )
    return pruned


def train_accuracy(net: nn.Module, data: Data) -> float:
    """On images that are neither trained on last nor tested: a part of the training images, as its users do."""
    net.eval()
    with torch.no_grad():
        return float((net(data.x[-1000:]).argmax(1) == data.y[-1000:]).float().mean())


def autonas_supernet(base: nn.Module, data: Data, epochs: int) -> nn.Module:
    """ModelOpt's AutoNAS: converted, then trained as a supernet (it draws a subnet for every step itself)."""
    import modelopt.torch.nas as mtn

    spaces = {
        "nn.Conv2d": {"*": {"channels_ratio": (0.25, 0.5, 0.75, 1.0), "channel_divisor": 2}},
        "nn.BatchNorm2d": {"*": {"features_ratio": (0.25, 0.5, 0.75, 1.0), "feature_divisor": 2}},
        "nn.Sequential": {"*": {"min_depth": 0}},
    }
    net = mtn.convert(copy.deepcopy(base), mode=[("autonas", spaces)])
    train(net, data, epochs, rate=0.05, seed=0)
    return net


def autonas(net: nn.Module, data: Data, budget: float) -> nn.Module:
    """The best of `SAMPLES` subnets within a budget."""
    import modelopt.torch.nas as mtn

    net = copy.deepcopy(net)
    found, _ = mtn.search(
        net,
        constraints={"flops": f"{budget * 100:.0f}%"},
        dummy_input=torch.zeros(1, *SHAPE),
        config={
            "num_iters": SAMPLES,
            "score_func": lambda each: train_accuracy(each, data),
            "data_loader": batches(data),
            "verbose": False,
        },
    )
    return found  # this release exports what it found


def measured(make: Callable[[], nn.Module], data: Data, epochs: Sequence[int]) -> dict[str, Any]:
    """One method and budget; a failure of the package is what is reported."""
    began = time.process_time()
    try:
        net = make()
        seconds = time.process_time() - began
        return {"search seconds": seconds, **tuned(net, data, epochs)}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {str(error)[-300:]}"}


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data, epochs = Data(sys.argv[1]), [int(n) for n in sys.argv[3].split(",")]
    base = ResNet()
    base.load_state_dict(torch.load(sys.argv[2], weights_only=True))
    found: dict[str, Any] = {}
    for budget in BUDGETS:
        found[f"FastNAS {budget}"] = measured(lambda b=budget: fastnas(base, data, b), data, epochs)
    began = time.process_time()
    try:
        supernet = autonas_supernet(base, data, min(epochs))
        found["AutoNAS training seconds"] = time.process_time() - began
        for budget in BUDGETS:
            found[f"AutoNAS {budget}"] = measured(lambda b=budget: autonas(supernet, data, b), data, epochs)
    except Exception as error:
        found["AutoNAS"] = {"failed": f"{type(error).__name__}: {str(error)[-300:]}"}
    Path(sys.argv[4]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
