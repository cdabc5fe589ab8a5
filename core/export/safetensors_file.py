"""The weights alone, as safetensors: the format to exchange weights in, because it holds no code."""

from __future__ import annotations

import copy
import json
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from core.errors import CoreError
from core.export.base import EXPORTERS, Exporter
from core.export.subnet import ExtractedSubnet


@EXPORTERS.register("safetensors")
class Safetensors(Exporter):
    """The weights alone (.safetensors), named as in the network that model.py builds."""

    label = "Weights (safetensors)"
    source = "safetensors, github.com/huggingface/safetensors"
    suffix = "safetensors"
    media_type = "application/octet-stream"

    def export(self, subnet: ExtractedSubnet) -> bytes:
        tensors = {name: tensor.detach().contiguous() for name, tensor in subnet.net.state_dict().items()}
        about = {
            "family": subnet.family,
            "architecture": dict(subnet.arch),
            "input_shape": subnet.input_shape,
            "classes": subnet.classes,
        }
        # One key only: the order of several is not fixed, and equal subnets shall give equal bytes.
        return save(tensors, metadata={"paretoscope_subnet": json.dumps(about)})

    def run(self, data: bytes, subnet: ExtractedSubnet, inputs: Any) -> Tensor:
        result: Tensor = load_into(copy.deepcopy(subnet.net), data, subnet)(inputs)
        return result


def load_into(net: nn.Sequential, data: bytes, subnet: ExtractedSubnet) -> nn.Sequential:
    """Put the weights of a safetensors file into a network; returns it in eval mode.

    Args:
        net: built like the subnet's.
        data: the file.
        subnet: where the weights came from; they must be the same, bit for bit.

    Raises:
        CoreError: the bytes are damaged or hold other weights.
    """
    try:
        weights = load(data)
        net.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        raise CoreError("The exported weights do not fit the network they were taken from.") from error
    for name, tensor in subnet.net.state_dict().items():
        if weights[name].dtype != tensor.dtype or not torch.equal(weights[name], tensor):
            raise CoreError(
                f"The exported weights differ from the subnet's at {name}, so nothing was handed out."
            )
    return net.eval().requires_grad_(False)
