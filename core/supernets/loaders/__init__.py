"""Supernets from files that other programs wrote, one loader per kind of file: a new one is a new file here."""

from core.supernets.loaders.base import LOADERS

__all__ = ["LOADERS"]
