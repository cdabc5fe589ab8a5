"""Options of a chain's blocks: one file each, with the weights an option has of its own."""

from core.supernets.options.registry import OPTIONS

__all__ = ["OPTIONS"]
