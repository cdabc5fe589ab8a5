"""Supernets for texts in sub-spaces by size; see `core.supernets.sub_spaces`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from core.supernets.families import FAMILIES
from core.supernets.sub_spaces import SubSpaces, SubSpacesConfig
from core.tasks.base import InputConfig
from core.tasks.tokens import TokenConfig


class TextSubSpacesConfig(TokenConfig, SubSpacesConfig):
    """A supernet of another family for texts, in sub-spaces by size."""

    task: ClassVar[str] = "tokens"
    Shared: ClassVar[type[InputConfig]] = TokenConfig
    base: str = Field("elastic_encoder", description="Family whose stages the sub-spaces have copies of.")


@FAMILIES.register("text_sub_spaces")
class TextSubSpaces(SubSpaces):
    """Sub-spaces by size of a supernet for texts, each with weights of its own; one space, one front."""

    label = "Sub-spaces by size, texts"
    source = "Xu et al., AutoDistil, NeurIPS 2022 (sub-spaces found by parameters; layers alike in each)"
    Config = TextSubSpacesConfig
    task_name = "tokens"

    @classmethod
    def examples(cls) -> list[InputConfig]:
        options = (
            {"width": (0,), "depth": (0, 1), "heads": (0, 1), "ratio": (0,)},
            {"width": (1,), "depth": (1, 2), "heads": (0, 1), "ratio": (0, 1)},
        )
        return [cls.small("elastic_encoder", FAMILIES.get("elastic_encoder").examples()[0], options)]
