"""A small file of each kind that can be loaded as a supernet, by the loader's name: (name, bytes)."""

from __future__ import annotations

from collections.abc import Callable

from core.supernets.files import dump_supernet
from tests.helpers.nets import small_cnn
from tests.helpers.ofa_checkpoints import resnet_file


def paretoscope() -> tuple[str, bytes]:
    return "tiny.safetensors", dump_supernet(small_cnn(), {"title": "Tiny", "data": {"name": "digits"}})


FILES: dict[str, Callable[[], tuple[str, bytes]]] = {
    "paretoscope": paretoscope,
    "once_for_all": resnet_file,
}
