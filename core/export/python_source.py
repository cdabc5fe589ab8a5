"""`model.py`: plain torch code that builds exactly this subnet, to read, change and train."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from torch import Tensor

from core.errors import CoreError
from core.export.base import EXPORTERS, Exporter
from core.export.source_code import block_classes, rebuild, write_source
from core.export.subnet import ExtractedSubnet
from core.networks.blocks.base import kind_of


@EXPORTERS.register("python_source")
class PythonSource(Exporter):
    """Readable plain torch code (model.py) that builds this subnet; load() adds the weights beside it."""

    label = "Python code"
    source = "plain torch; no code of this project is needed to run it"
    suffix = "py"
    media_type = "text/x-python"

    def export(self, subnet: ExtractedSubnet) -> bytes:
        return write_source(subnet.net, about(subnet)).encode()

    def run(self, data: bytes, subnet: ExtractedSubnet, inputs: Any) -> Tensor:
        net = rebuild(data.decode(), block_classes(subnet.net))
        try:
            net.load_state_dict(subnet.net.state_dict())
        except RuntimeError as error:
            raise CoreError("The generated model.py does not fit the weights of this subnet.") from error
        result: Tensor = net.eval()(inputs)
        return result


def about(subnet: ExtractedSubnet) -> str:
    """The docstring of model.py: what it is, which architecture, whose data."""
    takes = kind_of(subnet.net[0]).takes(subnet.input_shape)
    text = (
        f"Input: {takes}. Output: logits (n, {len(subnet.classes)}).",
        f"Architecture: {json.dumps(dict(subnet.arch))}",
        f"Trained on {subnet.data['title']} ({subnet.data['source']}). The terms of these data "
        f"({subnet.data['licence']}) may also bind what is trained on them.",
        "Needs torch and safetensors only.",
    )
    lines = [f"One subnet of {subnet.supernet}, as plain torch code.", ""]
    for paragraph in text:
        lines += textwrap.wrap(paragraph, 100)
    return "\n".join(lines) + "\n"
