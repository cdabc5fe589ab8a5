"""The registry of supernet families."""

from core.registry import Registry

FAMILIES = Registry("family", "core.supernets", "FAMILIES")
