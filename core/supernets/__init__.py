"""Supernets: families of networks whose weights hold every architecture of a space."""

from core.supernets.families import FAMILIES

__all__ = ["FAMILIES"]
