"""Supernets for images in sub-spaces by size; see `core.supernets.sub_spaces`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from core.supernets.families import FAMILIES
from core.supernets.sub_spaces import SubSpaces, SubSpacesConfig
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig


class ImageSubSpacesConfig(ImageConfig, SubSpacesConfig):
    """A supernet of another family for images, in sub-spaces by size."""

    task: ClassVar[str] = "image"
    Shared: ClassVar[type[InputConfig]] = ImageConfig
    base: str = Field("elastic_vit", description="Family whose stages the sub-spaces have copies of.")


@FAMILIES.register("image_sub_spaces")
class ImageSubSpaces(SubSpaces):
    """Sub-spaces by size of a supernet for images, each with weights of its own; one space, one front."""

    label = "Sub-spaces by size, images"
    source = "Xu et al., AutoDistil, NeurIPS 2022 (sub-spaces found by parameters; layers alike in each)"
    Config = ImageSubSpacesConfig
    task_name = "image"

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [cls.example((1, 8, 8))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> InputConfig:
        """A small configuration for images (c, h, w) of this shape: an elastic vision transformer in two sub-spaces."""
        common = {"ratio": (0, 1), "heads": (0, 1)}
        options = (
            {**common, "width1": (0,), "width2": (0,), "depth1": (0,), "depth2": (0, 1), "heads2": (0,)},
            {**common, "width1": (1,), "width2": (1,), "depth1": (0, 1), "depth2": (1, 2), "heads2": (0, 1)},
        )
        return cls.small("elastic_vit", FAMILIES.get("elastic_vit").example(input_shape), options)
