"""The network by itself, as this app keeps networks: weights, and the names and arguments of its blocks."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from core.errors import CoreError, InvalidInput
from core.export.base import EXPORTERS, Exporter
from core.export.subnet import ExtractedSubnet
from core.networks.file import dump_net, load_net


@EXPORTERS.register("network")
class NetworkFile(Exporter):
    """Weights and a description of the blocks (.safetensors), which this app builds the network from again; no code."""

    label = "Network (blocks and weights)"
    source = "safetensors, github.com/huggingface/safetensors"
    suffix = "safetensors"
    media_type = "application/octet-stream"

    def export(self, subnet: ExtractedSubnet) -> bytes:
        return dump_net(subnet.net, subnet.input_shape, {})

    def run(self, data: bytes, subnet: ExtractedSubnet, inputs: Any) -> Tensor:
        try:
            net, _ = load_net(data)
        except InvalidInput as error:
            raise CoreError("The exported network cannot be built again.") from error
        result: Tensor = net(inputs)
        return result
