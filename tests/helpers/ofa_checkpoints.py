"""Checkpoints as once-for-all writes them, with random weights, made from our supernets by their names for tensors."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import torch

from core.config import JsonObject
from core.supernets.base import Supernet
from core.supernets.files import build
from core.supernets.loaders.ofa_layout import Layout
from core.supernets.loaders.ofa_resnet import ResNetLayout
from tests.helpers.nets import disturb

RESNET: JsonObject = {
    "input_shape": (3, 224, 224),
    "classes": 7,
    "pixel_mean": (0.485, 0.456, 0.406),
    "pixel_std": (0.229, 0.224, 0.225),
    "resolutions": (128, 160, 192, 224),
    "stem_channels": 64,
    "stem_stride": 2,
    "stem_pool": 2,
    "channels": (256, 512, 1024, 2048),
    "extra_depths": (0, 1),
    "expand_ratios": (0.2, 0.25),
    "width_multipliers": (0.02, 0.04),
}
RESNET_NAME = "ofa_resnet50_d=0+1_e=0.2+0.25_w=0.02+0.04.pth"


@cache
def resnet() -> Supernet:
    """A narrow ResNet-50 with random weights."""
    torch.manual_seed(0)
    return disturb(build("ofa_resnet50", RESNET))


def dynamic_name(plain: str) -> str:
    """The name that their elastic layers give a tensor."""
    if plain.startswith("classifier."):
        return plain.replace("linear.", "linear.linear.")
    if ".bn." in plain:
        return plain.replace(".bn.", ".bn.bn.")
    inner = "conv.conv.conv." if plain.startswith("input_stem.1.") else "conv.conv."
    return plain.replace("conv.weight", f"{inner}weight")


def state_of(layout: Layout, net: Supernet) -> dict[str, torch.Tensor]:
    """The supernet's weights under their names, with running statistics that mean nothing."""
    own = net.state_dict()
    state = {dynamic_name(theirs): own[ours].clone() for ours, theirs in layout.names(net).items()}
    for name in [n for n in state if n.endswith(".bn.bn.weight")]:
        size = len(state[name])
        state[name.replace("weight", "running_mean")] = torch.full((size,), 5.0)
        state[name.replace("weight", "running_var")] = torch.full((size,), 9.0)
        state[name.replace("weight", "num_batches_tracked")] = torch.tensor(7)
    return state


def saved(content: Any, *, legacy: bool = False) -> bytes:
    """What `torch.save` writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def resnet_file() -> tuple[str, bytes]:
    return RESNET_NAME, saved({"state_dict": state_of(ResNetLayout(), resnet())})
