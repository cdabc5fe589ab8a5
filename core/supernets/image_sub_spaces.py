"""Supernets for images in sub-spaces by size; see `core.supernets.sub_spaces`."""

from __future__ import annotations

from pydantic import Field, model_validator

from core.config import Settings
from core.errors import CoreError
from core.supernets.base import Supernet
from core.supernets.families import FAMILIES
from core.supernets.orderable import Orderable
from core.supernets.sub_spaces import MOST, Division, SubSpaceConfig, of_base, orderable_of, stages_of
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig


class ImageSubSpacesConfig(ImageConfig):
    """A supernet of another family for images, in sub-spaces by size."""

    base: str = Field("elastic_vit", description="Family whose stages the sub-spaces have copies of.")
    config: Settings = Field(
        default_factory=dict, description="Its settings; what the data decide is the same for all."
    )
    parts: tuple[SubSpaceConfig, ...] = Field(
        (SubSpaceConfig(),),
        min_length=1,
        max_length=MOST,
        description="Sub-spaces, from the smallest to the largest.",
    )

    @model_validator(mode="after")
    def _possible(self) -> ImageSubSpacesConfig:  # type: ignore[override]
        try:
            self.of_base()
        except CoreError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def of_base(self) -> InputConfig:
        """The configuration of the base; raises what `core.supernets.sub_spaces.of_base` does."""
        shared = self.model_dump(mode="json", include=set(ImageConfig.model_fields))
        return of_base(self.base, self.config, shared, "image")


@FAMILIES.register("image_sub_spaces")
class ImageSubSpaces(Supernet):
    """Sub-spaces by size of a supernet for images, each with weights of its own; one space, one front."""

    label = "Sub-spaces by size, images"
    source = "Xu et al., AutoDistil, NeurIPS 2022 (sub-spaces found by parameters; layers alike in each)"
    Config = ImageSubSpacesConfig
    task_name = "image"
    made_from = "a supernet"
    config: ImageSubSpacesConfig

    def __init__(self, config: ImageSubSpacesConfig) -> None:
        family, settings = FAMILIES.get(config.base), config.of_base()
        bases: list[Supernet] = [family(settings) for _ in config.parts]
        division = Division(bases[0].space, config.parts)
        super().__init__(config, division.space, stages_of(bases, division))
        self.division = division
        # Not modules of this one: their stages are, and one tensor has one name.
        self._bases = tuple(bases)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [cls.example((1, 8, 8))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> ImageSubSpacesConfig:
        """A small configuration for images (c, h, w) of this shape: an elastic vision transformer in two sub-spaces."""
        return _small(FAMILIES.get("elastic_vit").example(input_shape))

    def orderable(self) -> list[Orderable]:
        return orderable_of(self._bases)


def _small(base: InputConfig) -> ImageSubSpacesConfig:
    said = base.model_dump(mode="json")
    shared = {name: said.pop(name) for name in ImageConfig.model_fields}
    common = {"ratio": (0, 1), "heads": (0, 1)}
    options = (
        {**common, "width1": (0,), "width2": (0,), "depth1": (0,), "depth2": (0, 1), "heads2": (0,)},
        {**common, "width1": (1,), "width2": (1,), "depth1": (0, 1), "depth2": (1, 2), "heads2": (0, 1)},
    )
    parts = [SubSpaceConfig(options=each) for each in options]
    return ImageSubSpacesConfig.model_validate(
        {**shared, "base": "elastic_vit", "config": said, "parts": parts}
    )
