"""Transformers from Hugging Face folders, one file per architecture: a new one is a new file here."""

from core.supernets.folders.base import ARCHITECTURES

__all__ = ["ARCHITECTURES"]
