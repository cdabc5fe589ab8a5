"""The download bundle: weights, code, ONNX, a script to run it and its card, in one zip.

The zip is stored, not deflated, with one fixed date: weights do not compress, and equal subnets give
equal bytes on every machine.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from core.errors import CoreError
from core.export.base import EXPORTERS, Exporter
from core.export.card import card_text, manifest
from core.export.checks import compare
from core.export.onnx_file import Onnx
from core.export.predict_script import generate_script, predict_script
from core.export.python_source import PythonSource
from core.export.safetensors_file import Safetensors, load_into
from core.export.source_code import block_classes, rebuild
from core.export.subnet import ExtractedSubnet
from core.networks.answers import outputs
from core.tasks.registry import TASKS

MEMBERS = ("model.safetensors", "model.py", "model.onnx", "predict.py", "card.md", "architecture.json")
"""Of every bundle; a network for texts brings its tokenizer, a language model a script that writes, see `beside`."""
OTHERS = ("tokenizer.json", "generate.py")
_EPOCH = (1980, 1, 1, 0, 0, 0)


@EXPORTERS.register("bundle")
class Bundle(Exporter):
    """Everything in one zip: weights, model.py, ONNX, predict.py, card and architecture."""

    label = "Bundle (zip)"
    source = "model cards: Mitchell et al., Model Cards for Model Reporting, 2019"
    suffix = "zip"
    media_type = "application/zip"

    def export(self, subnet: ExtractedSubnet) -> bytes:
        files = {
            "model.safetensors": Safetensors().export(subnet),
            "model.py": PythonSource().export(subnet),
            "model.onnx": Onnx().export(subnet),
            "predict.py": predict_script(subnet.task),
            "card.md": card_text(subnet).encode(),
            **beside(subnet),
        }
        return zip_bytes(files | {"architecture.json": manifest(subnet, files).encode()})

    def run(self, data: bytes, subnet: ExtractedSubnet, inputs: Any) -> Tensor:
        files = read_members(data)
        others = {name: content for name, content in files.items() if name != "architecture.json"}
        if files["architecture.json"].decode() != manifest(subnet, others):
            raise CoreError("The bundle's files do not match its description.")
        if files["predict.py"] != predict_script(subnet.task):
            raise CoreError("The bundle's predict.py is not the one that measured this subnet.")
        if {name: content for name, content in files.items() if name in OTHERS} != beside(subnet):
            raise CoreError("The bundle's tokenizer or generate.py is not the subnet's.")
        onnx = Onnx()
        compare(onnx.run(files["model.onnx"], subnet, inputs), subnet.outputs(inputs), onnx.tolerance)
        # The download's own code with the download's own weights.
        fresh = rebuild(files["model.py"].decode(), block_classes(subnet.net))
        net = load_into(fresh, files["model.safetensors"], subnet)
        answered: Tensor = outputs(net, inputs)
        return answered


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files, in their order; equal files give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def beside(subnet: ExtractedSubnet) -> dict[str, bytes]:
    """What a bundle holds of texts: the tokenizer, and what lets a language model write; nothing for other networks."""
    if not subnet.tokenizer:
        return {}
    writes = {"generate.py": generate_script()} if TASKS.create(subnet.task).per_position else {}
    return {"tokenizer.json": subnet.tokenizer, **writes}


def read_members(data: bytes) -> dict[str, bytes]:
    """The files of a bundle, by name.

    Raises:
        CoreError: it is damaged, or holds other files than a bundle does.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if names != [*MEMBERS[:-1], *(name for name in OTHERS if name in names), MEMBERS[-1]]:
                raise CoreError("The bundle does not hold the files it should.")
            return {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, EOFError) as error:
        raise CoreError("The bundle is damaged.") from error
