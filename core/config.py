"""What a plug-in is made from, and how: one base of settings, one way to build.

A method is a class with a `Config` (its settings: fields with defaults, bounds and a description each), a
`label` and a `source`. It is built from a validated `Config` and, where its contract says so, from further
arguments by name. `Registry.create` does both, so nothing else has to know how.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue

JsonObject = Mapping[str, JsonValue]
"""What is read of a run's request, a card or a file: JSON, and nothing else."""
Settings = dict[str, JsonValue]
"""Settings of a plug-in that is chosen by name, as JSON; its `Config` says which there are, and checks them."""


class BaseConfig(BaseModel):
    """Settings: an unknown field is refused, and nobody changes one afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Plugin:
    """What every method shares.

    Attributes:
        name: set by the registry, permanent.
        label: what a person reads.
        source: the paper, or where it comes from.
        Config: its settings.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    source: ClassVar[str] = ""
    Config: ClassVar[type[BaseConfig]] = BaseConfig

    def __init__(self, config: BaseConfig | None = None) -> None:
        """With its defaults if no settings are given."""
        self.config: Any = self.Config() if config is None else config
