"""The registry of what a block of a chain may be. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.registry import Registry

if TYPE_CHECKING:
    from core.supernets.options.base import Option

OPTIONS: Registry[Option] = Registry("option", "core.supernets.options", "OPTIONS")
