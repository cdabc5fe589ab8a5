"""Attacks on networks for images: one file each."""

from core.attacks.base import ATTACKS

__all__ = ["ATTACKS"]
