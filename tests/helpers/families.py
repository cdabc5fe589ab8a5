"""Families by the data they are for."""

from __future__ import annotations

from core.supernets.families import FAMILIES

IMAGE_FAMILIES = [name for name in FAMILIES.names() if FAMILIES.get(name).task.name == "image"]
OTHER_FAMILIES = [name for name in FAMILIES.names() if name not in IMAGE_FAMILIES]
