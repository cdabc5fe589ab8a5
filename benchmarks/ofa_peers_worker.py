"""Once-for-all's side of tests/peers: runs in its own environment, and knows nothing of this project.

    python ofa_peers_worker.py FOLDER NET SUBNETS

Makes one of its networks with random weights (no value left as it starts), saves it as its training script does, draws
subnets, and writes for each its settings, MACs and parameters by its own counters, and logits before and after its own
BatchNorm calibration. Images are read from FOLDER/images.npy: plain pixels of 224, calibration rows first.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

CALIBRATION = 6
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDES = (128, 144, 160)


class _Stub(types.ModuleType):
    """Whatever is asked of torchvision is an empty class."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def stub(*names: str) -> None:
    """Stand-ins for packages that it imports and that nothing here uses; parents first."""
    for name in names:
        sys.modules[name] = _Stub(name)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])


def network(name: str) -> nn.Module:
    stub("gdown", "tqdm", "torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    stub("torchvision.datasets")
    from ofa.imagenet_classification.elastic_nn.networks import (
        OFAMobileNetV3,
        OFAProxylessNASNets,
        OFAResNets,
    )

    mobile = {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]}
    made = {
        "ofa_mbv3_d234_e346_k357_w1.0": lambda: OFAMobileNetV3(dropout_rate=0, width_mult=1.0, **mobile),
        "ofa_mbv3_d234_e346_k357_w1.2": lambda: OFAMobileNetV3(dropout_rate=0, width_mult=1.2, **mobile),
        "ofa_proxyless_d234_e346_k357_w1.3": lambda: OFAProxylessNASNets(
            dropout_rate=0, width_mult=1.3, **mobile
        ),
        "ofa_resnet50": lambda: OFAResNets(
            dropout_rate=0,
            depth_list=[0, 1, 2],
            expand_ratio_list=[0.2, 0.25, 0.35],
            width_mult_list=[0.65, 0.8, 1.0],
        ),
    }
    torch.manual_seed(0)
    net: nn.Module = made[name]()
    return net


@torch.no_grad()
def disturb(net: nn.Module) -> None:
    """Nothing stays at the constant it starts with; activations stay moderate."""
    for name, parameter in net.named_parameters():
        if name.endswith("matrix"):
            parameter.add_(torch.randn_like(parameter) * 0.05)
        elif parameter.ndim == 1 and "bn" in name:
            parameter.copy_(torch.randn_like(parameter) * 0.1 + (0.6 if name.endswith("weight") else 0.1))
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn_like(buffer) * 0.1)
        elif name.endswith("running_var"):
            buffer.copy_(torch.rand_like(buffer) + 0.5)


def images(folder: Path) -> Tensor:
    pixels = torch.from_numpy(np.load(folder / "images.npy"))
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    return (pixels - mean) / std


@torch.no_grad()
def logits(subnet: nn.Module, x: Tensor) -> np.ndarray:
    found: np.ndarray = subnet.eval()(x).numpy()
    return found


def counted(subnet: nn.Module, side: int) -> int:
    """MACs by its own counter, which adds up in the default precision: single would round beyond 16 million."""
    from ofa.utils.pytorch_utils import count_net_flops

    torch.set_default_dtype(torch.float64)
    try:
        return int(count_net_flops(copy.deepcopy(subnet).double(), (1, 3, side, side)))
    finally:
        torch.set_default_dtype(torch.float32)


def main(folder: Path, name: str, subnets: int) -> None:
    torch.set_num_threads(1)
    net: Any = network(name)
    disturb(net)
    from ofa.imagenet_classification.elastic_nn.utils import set_running_statistics
    from ofa.utils.pytorch_utils import count_parameters

    torch.save({"state_dict": net.state_dict()}, folder / f"{name}.pth")
    random.seed(1)
    pixels, net = images(folder), net.eval()
    rows, before, after = [], [], []
    for _ in range(subnets):
        settings, side = net.sample_active_subnet(), random.choice(SIDES)
        subnet = net.get_active_subnet(preserve_weight=True)
        resized = F.interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False)
        calibration, rest = resized[:CALIBRATION], resized[CALIBRATION:]
        before.append(logits(subnet, rest))
        set_running_statistics(subnet, [(calibration, None)])
        after.append(logits(subnet, rest))
        macs = counted(subnet, side)
        rows.append({"settings": settings, "side": side, "macs": macs, "params": count_parameters(subnet)})
    (folder / "subnets.json").write_text(json.dumps(rows))
    np.savez(folder / "logits.npz", before=np.stack(before), after=np.stack(after))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
