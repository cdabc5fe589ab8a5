"""Checkpoints as once-for-all writes them, with random weights, made from our supernets by their names for tensors."""

from __future__ import annotations

import io
import re
from functools import cache
from typing import Any

import torch

from core.config import JsonObject
from core.supernets.base import Supernet
from core.supernets.families import FAMILIES
from core.supernets.files import build
from core.supernets.loaders.ofa_layout import RESOLUTIONS, Layout
from core.supernets.loaders.ofa_resnet import ResNetLayout
from tests.helpers.nets import disturb

RESNET: JsonObject = {
    "input_shape": (3, 224, 224),
    "classes": 7,
    "pixel_mean": (0.485, 0.456, 0.406),
    "pixel_std": (0.229, 0.224, 0.225),
    "resolutions": RESOLUTIONS,
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


@cache
def mobile(family: str, classes: int = 7) -> Supernet:
    """A narrow one of the two mobile families with random weights."""
    torch.manual_seed(0)
    published = FAMILIES.get(family).Config.published(
        classes=classes, width_mult=0.1, depths=(1, 2), expands=(2, 3), kernels=(3, 5, 7)
    )
    net = disturb(build(family, published.model_dump(mode="json")))
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "transforms" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return net


def dynamic_name(plain: str) -> str:
    """The name that their elastic layers give a tensor."""
    if plain.startswith("classifier."):
        return plain.replace("linear.", "linear.linear.")
    plain = re.sub(r"(blocks\.\d+)\.conv\.", r"\1.mobile_inverted_conv.", plain)
    if ".bn." in plain:
        return plain.replace(".bn.", ".bn.bn.")
    inner = "conv.conv.conv." if plain.startswith("input_stem.1.") else "conv.conv."
    return plain.replace("conv.weight", f"{inner}weight")


def state_of(layout: Layout, net: Supernet) -> dict[str, torch.Tensor]:
    """The supernet's weights under their names, with running statistics that mean nothing."""
    own = net.state_dict()
    state = {}
    for ours, theirs in layout.names(net).items():
        tensor = own[ours].clone()
        a_convolution = re.search(r"(fc\.\w+|feature_mix_layer\.conv)\.weight$", theirs) and tensor.ndim == 2
        state[dynamic_name(theirs)] = tensor[:, :, None, None] if a_convolution else tensor
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


MOBILE_NAME = "ofa_d12_e23_k357_w0.1.pth"


def mobile_file(layout: Layout, family: str, classes: int = 7) -> tuple[str, bytes]:
    return MOBILE_NAME, saved({"state_dict": state_of(layout, mobile(family, classes))}, legacy=True)


def resnet_file() -> tuple[str, bytes]:
    return RESNET_NAME, saved({"state_dict": state_of(ResNetLayout(), resnet())})
