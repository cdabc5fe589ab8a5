"""Data of a visitor's own, by the name of their data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pages.ui.supernets import own_images, own_sounds, own_texts

Fixed = Mapping[str, Any]

OWN: Mapping[str, Callable[[Fixed], dict[str, Any] | None]] = {
    own_images.NAME: lambda fixed: own_images.own_images(),
    own_sounds.NAME: lambda fixed: own_sounds.own_sounds(),
    own_texts.CLASSED: lambda fixed: own_texts.own_texts(own_texts.CLASSED, fixed),
    own_texts.LANGUAGE: lambda fixed: own_texts.own_texts(own_texts.LANGUAGE, fixed),
}
"""Each draws its part of a form and returns the data choice, None until there are data that can be used; it takes the
settings that a supernet decides."""
