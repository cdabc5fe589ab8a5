"""Families by the data they are for."""

from __future__ import annotations

from core.supernets.families import FAMILIES

_FOR_IMAGES = [name for name in FAMILIES.names() if FAMILIES.get(name).task.name == "image"]
# Made of another family's blocks: what is asked of its networks is asked of that family's.
_SAME_BLOCKS = {
    "ofa_proxyless": "ofa_mobilenet_v3",
    "few_shot": "elastic_cnn",
    "image_sub_spaces": "elastic_vit",
}

IMAGE_FAMILIES = [name for name in _FOR_IMAGES if name not in _SAME_BLOCKS]
OTHER_FAMILIES = [name for name in FAMILIES.names() if name not in _FOR_IMAGES]
