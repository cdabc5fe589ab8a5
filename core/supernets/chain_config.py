"""What a chain is made of, as a person writes it: a stem, stages of blocks, the options of each block, a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from core.config import BaseConfig, Settings
from core.errors import CoreError, plain
from core.spaces.choice import require_ascending
from core.supernets.options.registry import OPTIONS
from core.tasks.image import ImageConfig

MOST_STAGES, MOST_BLOCKS, MOST_OPTIONS, MOST_WIDTH = 8, 16, 12, 1024
_MOST_BANKS = 200
"""Options of all blocks together: each has weights and layers of its own."""


class OptionConfig(BaseConfig):
    """One option of a block: what it is, and its settings, which may stand beside it."""

    block: str = Field(description="What kind of block: residual, resnet_rs, osa, identity, ...")
    name: str = Field("", max_length=40, description="What it is called; made of its settings if left out.")
    settings: Settings = Field(default_factory=dict, description="Settings of the block, such as kernel.")

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        """`{block: residual, kernel: 3}` and `residual` as a person writes them."""
        if isinstance(given, str):
            return {"block": given}
        if not isinstance(given, Mapping):
            return given
        own = {key: value for key, value in given.items() if key not in cls.model_fields}
        if not own:
            return given
        known = {key: value for key, value in given.items() if key in cls.model_fields}
        settings = known.get("settings") or {}
        return known | {"settings": {**settings, **own}} if isinstance(settings, Mapping) else given

    @model_validator(mode="after")
    def _known(self) -> OptionConfig:
        try:
            OPTIONS.get(self.block).Config.model_validate(self.settings)
        except CoreError as error:
            raise PydanticCustomError(
                "option", "{said}", {"said": str(error).rstrip("."), "field": "block"}
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else "settings"
            raise PydanticCustomError("option", "{said}", {"said": told(first), "field": field}) from error
        return self

    def validated(self) -> BaseConfig:
        """The settings with their defaults."""
        found: BaseConfig = OPTIONS.config(self.block, self.settings)
        return found


def told(problem: Any) -> str:
    """What pydantic complains of, as a person would say it, without a full stop."""
    limit = problem.get("ctx", {})
    sentences = {
        "extra_forbidden": "there is no such field",
        "missing": "this field is missing",
        "less_than_equal": "at most {le} is possible",
        "greater_than_equal": "at least {ge} is possible",
        "greater_than": "more than {gt} is asked for",
        "too_short": "at least {min_length} must be there",
        "too_long": "at most {max_length} are possible",
        "literal_error": "it is one of {expected}",
        "int_type": "a whole number is asked for",
        "int_parsing": "a whole number is asked for",
        "int_from_float": "a whole number is asked for",
        "float_type": "a number is asked for",
        "float_parsing": "a number is asked for",
        "string_type": "a text is asked for",
        "tuple_type": "a list is asked for",
        "model_type": "a mapping is asked for",
        "model_attributes_type": "a mapping is asked for",
        "dict_type": "a mapping is asked for",
    }
    sentence = sentences.get(problem["type"])
    return sentence.format(**limit) if sentence else plain(problem["msg"]).rstrip(".")


def labels(options: Sequence[OptionConfig], *, short: bool = False) -> list[str]:
    """What each option of a block is called: its name, or its kind with the settings in which its like differ.

    Args:
        options: of one block.
        short: as few letters as a drawing has room for ("conv k3").
    """
    found = []
    settings = [option.validated().model_dump() for option in options]
    for option, own in zip(options, settings, strict=True):
        like = [s for other, s in zip(options, settings, strict=True) if other.block == option.block]
        differing = [key for key in own if any(other[key] != own[key] for other in like)]
        parts = [option.block, *(f"{key}={plain_number(own[key])}" for key in differing)]
        if short:
            parts = [
                OPTIONS.get(option.block).drawn,
                *(f"{key[0]}{plain_number(own[key])}" for key in differing),
            ]
        found.append(option.name or " ".join(parts))
    return found


def the_number(options: Sequence[OptionConfig]) -> str:
    """The one setting in which options differ, where that is a number that ascends; "" otherwise."""
    settings = [option.validated().model_dump() for option in options]
    if len(options) < 2 or len({o.block for o in options}) > 1 or any(o.name for o in options):
        return ""
    differing = [key for key in settings[0] if len({repr(s[key]) for s in settings}) > 1]
    if len(differing) != 1:
        return ""
    values = [s[differing[0]] for s in settings]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return differing[0] if numbers and values == sorted(set(values)) else ""


def plain_number(value: Any) -> Any:
    """4.0 as 4; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _listed(given: Any) -> Any:
    """A single number as a list of one."""
    return [given] if isinstance(given, int) and not isinstance(given, bool) else given


class StageConfig(BaseConfig):
    """Blocks of one resolution and width."""

    widths: tuple[int, ...] = Field(description="Channels of the stage: a number, or several to choose from.")
    depths: tuple[int, ...] = Field((1,), description="Blocks: a number, or several to choose from.")
    stride: int = Field(1, ge=1, le=4, description="By which the first block divides the resolution.")
    options: tuple[OptionConfig, ...] = Field((), description="What each block may be.")
    blocks: tuple[tuple[OptionConfig, ...], ...] = Field(
        (), description="Instead of options: a list of options for each block."
    )

    _numbers = field_validator("widths", "depths", mode="before")(staticmethod(_listed))

    @model_validator(mode="after")
    def _possible(self) -> StageConfig:
        require_ascending({"widths": self.widths, "depths": self.depths})
        if self.widths[-1] > MOST_WIDTH or self.depths[-1] > MOST_BLOCKS:
            raise ValueError(f"a stage has at most {MOST_WIDTH:,} channels and {MOST_BLOCKS} blocks")
        if max(len(self.widths), len(self.depths)) > MOST_BLOCKS:
            raise ValueError(f"there are at most {MOST_BLOCKS} widths and depths to choose from")
        if bool(self.options) == bool(self.blocks):
            raise ValueError("a stage says either options (for all its blocks) or blocks (a list for each)")
        if self.blocks and len(self.blocks) != self.depths[-1]:
            raise ValueError(f"blocks lists {len(self.blocks)} blocks, and depths allows {self.depths[-1]}")
        for options in self.banks:
            if not 1 <= len(options) <= MOST_OPTIONS:
                raise ValueError(f"a block has 1 to {MOST_OPTIONS} options")
            if len(set(labels(options))) != len(options):
                raise ValueError("two options of a block are the same; give them other settings or names")
        return self

    @property
    def banks(self) -> tuple[tuple[OptionConfig, ...], ...]:
        """Options of each block."""
        return self.blocks or (self.options,) * self.depths[-1]


class ChainStemConfig(BaseConfig):
    """The first layers."""

    kind: Literal["plain", "deep"] = Field(
        "plain", description="plain: one convolution; deep: three, as ResNet-RS has them."
    )
    channels: int = Field(8, ge=1, le=256, description="Channels of the stem.")
    kernel: int = Field(3, ge=1, le=7, description="Side of a plain stem's convolution; odd.")
    stride: int = Field(1, ge=1, le=4, description="By which the stem divides the resolution.")

    @model_validator(mode="after")
    def _odd(self) -> ChainStemConfig:
        if self.kernel % 2 == 0 or (self.kind == "deep" and self.kernel != 3):
            raise ValueError("a kernel is odd, and that of a deep stem is 3")
        return self

    @property
    def widths(self) -> list[int]:
        """Channels of each convolution of the stem."""
        half = max(1, self.channels // 2)
        return [half, half, self.channels] if self.kind == "deep" else [self.channels]


class ChainHeadConfig(BaseConfig):
    """The last layers."""

    hidden: int = Field(
        0, ge=0, le=4096, description="Channels of a 1x1 convolution before the mean; 0 for none."
    )


_EXAMPLE = ({"widths": [8], "options": ["residual", "identity"]},)


class ChainConfig(ImageConfig):
    """A chain of stages."""

    stem: ChainStemConfig = Field(ChainStemConfig(), description="The first layers.")
    stages: tuple[StageConfig, ...] = Field(
        tuple(StageConfig.model_validate(stage) for stage in _EXAMPLE),
        min_length=1,
        max_length=MOST_STAGES,
        description="Groups of blocks, in order.",
    )
    head: ChainHeadConfig = Field(ChainHeadConfig(), description="The last layers.")

    @model_validator(mode="after")
    def _fits(self) -> ChainConfig:
        total = sum(len(options) for stage in self.stages for options in stage.banks)
        if total > _MOST_BANKS:
            raise PydanticCustomError(
                "banks",
                "the blocks have {total} options together, and at most {most} are possible",
                {"at": ["stages"], "total": total, "most": _MOST_BANKS},
            )
        sides = list(self.input_shape[1:])
        strides: list[tuple[list[str | int], int]] = [(["stem", "stride"], self.stem.stride)]
        strides += [(["stages", n, "stride"], stage.stride) for n, stage in enumerate(self.stages)]
        for where, stride in strides:
            if stride > max(sides):
                raise PydanticCustomError(
                    "resolution",
                    "the map is {height} x {width} here, and cannot be divided by {stride}",
                    {"at": where, "height": sides[0], "width": sides[1], "stride": stride},
                )
            sides = [-(-side // stride) for side in sides]
        return self
