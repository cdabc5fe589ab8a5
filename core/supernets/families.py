"""The registry of supernet families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.registry import Registry

if TYPE_CHECKING:
    from core.supernets.base import Supernet

FAMILIES: Registry[Supernet] = Registry("family", "core.supernets", "FAMILIES")
