"""A folder as `save_pretrained` of transformers writes it: config.json, safetensors, tokenizer, all in one zip.

No code of that library runs here. The folder is proven by reading it back with our own reader of such folders
(core/supernets/folders), which `make test-peers` holds against the library itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from core.errors import CoreError, InvalidInput
from core.export.base import EXPORTERS, Exporter
from core.export.bundle import zip_bytes
from core.export.folder_readme import readme
from core.export.subnet import ExtractedSubnet
from core.networks.answers import outputs
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import of_zip
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.writing.networks import written
from core.supernets.folders.writing.tokenizers import tokenizer_files

_WHOLE = FolderOptions(heads=(1.0,), ffn=(0.5, 1.0), width=(1.0,))
"""What becomes elastic does not matter: the largest subnet is the network as it lies in the folder."""


@EXPORTERS.register("transformers_folder")
class TransformersFolder(Exporter):
    """A folder that transformers loads (config.json, safetensors, tokenizer), as a zip; of BERT, ViT, DeiT, Llama, GPT-2."""

    label = "transformers folder (zip)"
    source = "save_pretrained of huggingface/transformers (Apache 2.0)"
    suffix = "zip"
    media_type = "application/zip"
    families = "elastic_bert plain_vit elastic_decoder"
    tolerance = 1e-4

    def export(self, subnet: ExtractedSubnet) -> bytes:
        made = written(subnet.net, subnet.classes, subnet.input_shape)
        # One key of metadata, which the library asks for, and an order of its own: equal subnets give equal bytes.
        tensors = {name: each.detach().contiguous() for name, each in sorted(made.tensors.items())}
        tokenizing = tokenizer_files(subnet.tokenizer) if subnet.tokenizer else None
        config = {
            **made.config,
            **(tokenizing.config if tokenizing else {}),
            "architectures": [made.class_name],
            "dtype": "float32",
        }
        files = {
            "config.json": _json(config),
            "model.safetensors": save(tensors, metadata={"format": "pt"}),
            "README.md": readme(subnet, made).encode(),
        }
        files |= {name: _json(content) for name, content in made.others.items()}
        files |= tokenizing.files if tokenizing else {}
        return zip_bytes(files)

    def run(self, data: bytes, subnet: ExtractedSubnet, inputs: Any) -> Tensor:
        try:
            net = read_back(data, subnet)
        except InvalidInput as error:
            raise CoreError(f"The folder cannot be read back: {error}") from error
        answered: Tensor = outputs(net, inputs)
        return answered


def read_back(data: bytes, subnet: ExtractedSubnet) -> nn.Sequential:
    """The network in a folder, extracted whole; it takes what the subnet takes.

    Raises:
        InvalidInput: the folder is damaged.
    """
    folder = of_zip("folder.zip", data)
    options = _WHOLE
    if len(subnet.input_shape) == 1:  # texts, whose length is set
        options = _WHOLE.model_copy(update={"context": subnet.input_shape[0]})
    net, _ = architecture_of(folder).supernet(folder, options)
    with torch.no_grad():
        return net.extract(net.largest)


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
