"""Supernets for texts in sub-spaces by size; see `core.supernets.sub_spaces`."""

from __future__ import annotations

from pydantic import Field, model_validator

from core.config import Settings
from core.errors import CoreError
from core.supernets.base import Supernet
from core.supernets.families import FAMILIES
from core.supernets.orderable import Orderable
from core.supernets.sub_spaces import MOST, Division, SubSpaceConfig, of_base, orderable_of, stages_of
from core.tasks.base import InputConfig
from core.tasks.tokens import TokenConfig


class TextSubSpacesConfig(TokenConfig):
    """A supernet of another family for texts, in sub-spaces by size."""

    base: str = Field("elastic_encoder", description="Family whose stages the sub-spaces have copies of.")
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
    def _possible(self) -> TextSubSpacesConfig:  # type: ignore[override]
        try:
            self.of_base()
        except CoreError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def of_base(self) -> InputConfig:
        """The configuration of the base; raises what `core.supernets.sub_spaces.of_base` does."""
        shared = self.model_dump(mode="json", include=set(TokenConfig.model_fields))
        return of_base(self.base, self.config, shared, "tokens")


@FAMILIES.register("text_sub_spaces")
class TextSubSpaces(Supernet):
    """Sub-spaces by size of a supernet for texts, each with weights of its own; one space, one front."""

    label = "Sub-spaces by size, texts"
    source = "Xu et al., AutoDistil, NeurIPS 2022 (sub-spaces found by parameters; layers alike in each)"
    Config = TextSubSpacesConfig
    task_name = "tokens"
    made_from = "a supernet"
    config: TextSubSpacesConfig

    def __init__(self, config: TextSubSpacesConfig) -> None:
        family, settings = FAMILIES.get(config.base), config.of_base()
        bases: list[Supernet] = [family(settings) for _ in config.parts]
        division = Division(bases[0].space, config.parts)
        super().__init__(config, division.space, stages_of(bases, division))
        self.division = division
        # Not modules of this one: their stages are, and one tensor has one name.
        self._bases = tuple(bases)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        base = FAMILIES.get("elastic_encoder").examples()[0]
        return [_small(base)]

    def orderable(self) -> list[Orderable]:
        return orderable_of(self._bases)


def _small(base: InputConfig) -> TextSubSpacesConfig:
    said = base.model_dump(mode="json")
    shared = {name: said.pop(name) for name in TokenConfig.model_fields}
    options = (
        {"width": (0,), "depth": (0, 1), "heads": (0, 1), "ratio": (0,)},
        {"width": (1,), "depth": (1, 2), "heads": (0, 1), "ratio": (0, 1)},
    )
    parts = [SubSpaceConfig(options=each) for each in options]
    return TextSubSpacesConfig.model_validate(
        {**shared, "base": "elastic_encoder", "config": said, "parts": parts}
    )
