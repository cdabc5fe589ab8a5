"""A small file of each kind that can be loaded as a supernet, by the loader's name: (name, bytes)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache

import numpy as np

from core.chance.bits import CorrectBits, dump_bits
from core.evaluation.costs import CostTable
from core.library.correct import measured
from core.library.package_supernet import export_supernet
from core.library.supernets import from_bytes
from core.library.tables import dump_table
from core.supernets.elastic_cnn import GroupConfig
from core.supernets.files import dump_supernet
from tests.helpers.given_networks import EXPORTED, residual_onnx
from tests.helpers.nets import small_cnn
from tests.helpers.ofa_checkpoints import resnet_file
from tests.helpers.tiny_folders import vit, zipped


def paretoscope() -> tuple[str, bytes]:
    return "tiny.safetensors", dump_supernet(small_cnn(), {"title": "Tiny", "data": {"name": "digits"}})


def onnx_network() -> tuple[str, bytes]:
    return "tiny.onnx", residual_onnx()


def exported_network() -> tuple[str, bytes]:
    return "tiny.pt2", EXPORTED.read_bytes()


@cache
def measured_bundle(title: str = "Tiny, measured", seed: int = 0) -> tuple[str, bytes]:
    """An exported supernet with a complete table of planted accuracies, and which of 20 samples were right."""
    net = small_cnn(
        groups=(
            GroupConfig(widths=(2, 4), depths=(1,)),
            GroupConfig(widths=(4, 8), depths=(1, 2), kernels=(1, 3)),
        )
    )
    data = dump_supernet(net, {"title": title, "data": {"name": "digits"}})
    rows = net.space.array()
    right = np.random.default_rng(seed).random((len(rows), 20)) < 0.8
    costs = CostTable.of(net)
    values = {"accuracy": right.mean(axis=1), "macs": costs.total("macs", rows).astype(float)}
    table = dump_table(net.space, rows, values)
    packed = np.packbits(right, axis=1)
    bits = dump_bits([CorrectBits(packed, 20, "validation", hashlib.sha256(table).hexdigest())])
    entry = measured(from_bytes(data, title=title), table, bits)
    return "tiny.zip", export_supernet(entry)


def hugging_face() -> tuple[str, bytes]:
    return "tiny-vit.zip", zipped(vit())


FILES: dict[str, Callable[[], tuple[str, bytes]]] = {
    "paretoscope": paretoscope,
    "onnx_network": onnx_network,
    "exported_network": exported_network,
    "bundle": measured_bundle,
    "once_for_all": resnet_file,
    "hugging_face": hugging_face,
}
