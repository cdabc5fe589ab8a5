"""A supernet's card, typed once: what it was trained on, how, and from which seed.

A card comes with a file, and a file may come from anybody. So every field is judged here and nowhere
else: what has another type than it should counts as not stated, and `note` says so in one sentence.
Nothing a card says is an instruction; see `core.datasets.foreign` for the data it may name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from core.config import JsonObject, Settings

_MOST_SEED = 2**63 - 1
_MOST_SHOWN = 20_000
"""Characters of a card that a page sends to a browser."""
_Name = Annotated[str, StringConstraints(max_length=200)]
_Line = Annotated[str, StringConstraints(max_length=2000)]
_Seed = Annotated[int, Field(ge=0, le=_MOST_SEED)]


class CardData(BaseModel):
    """The data set a supernet was trained on."""

    model_config = ConfigDict(frozen=True, strict=True)

    name: _Name = Field(min_length=1, description="Registry name of the data set.")
    config: dict[str, JsonValue] = Field(default_factory=dict, description="The data set's own settings.")
    seed: _Seed = Field(0, description="Decides the division into splits.")
    fingerprint: _Name = Field("", description="SHA-256 of the splits; empty if not stated.")


class CardStart(BaseModel):
    """The supernet whose weights a training went on from."""

    model_config = ConfigDict(frozen=True, strict=True)

    title: _Name = ""
    sha256: _Name = ""
    epochs: _Seed = Field(0, description="It had been trained for, with those it went on from itself.")


class CardStop(BaseModel):
    """Where a training was stopped that was to go on."""

    model_config = ConfigDict(frozen=True, strict=True)

    epoch: _Seed
    of: _Seed


class Card(BaseModel):
    """What a supernet file says about itself, every field with the type it should have."""

    model_config = ConfigDict(frozen=True, strict=True)

    title: _Name = ""
    data: CardData | None = None
    training: dict[str, JsonValue] = Field(
        default_factory=dict, description="Fields of `TrainingConfig`, as written by whoever trained it."
    )
    seed: _Seed | None = None
    command: _Line = Field("", description="The command line that trained it.")
    tuned_from: CardStart | None = Field(None, description="What it went on from.")
    stopped: CardStop | None = Field(None, description="Where it was stopped early.")
    final: dict[str, JsonValue] = Field(default_factory=dict, description="Numbers of its last epoch.")
    unreadable: tuple[str, ...] = Field((), description="Fields that had another type and were left out.")

    @property
    def epochs(self) -> int:
        """Epochs it was trained for, with those of what it went on from; 0 if not stated."""
        own = self.final.get("epoch")
        before = self.tuned_from.epochs if self.tuned_from is not None else 0
        return before + (own if isinstance(own, int) and 0 < own <= _MOST_SEED else 0)

    @property
    def note(self) -> str:
        """One sentence about fields that could not be read; "" if there are none."""
        if not self.unreadable:
            return ""
        named = ", ".join(self.unreadable)
        return f"The card of this supernet has values of the wrong kind ({named}), which count as not stated."


def read_card(raw: JsonObject) -> Card:
    """The card in a file's header; never fails, whatever the card holds.

    Args:
        raw: the JSON object. Its `data` may be an object or, in files by others, a plain name.
    """
    fields: dict[str, Any] = {
        name: raw[name] for name in Card.model_fields if name != "unreadable" and raw.get(name) is not None
    }
    unreadable: list[str] = []
    data = fields.pop("data", None)
    if isinstance(data, str):
        data = {"name": data} if data else None
    if data is not None:
        known, wrong = _lenient(CardData, data) if isinstance(data, Mapping) else (None, [""])
        fields["data"] = known
        unreadable += [f"data.{name}".removesuffix(".") for name in wrong]
    card, wrong = _lenient(Card, fields)
    return (card or Card()).model_copy(update={"unreadable": tuple(sorted(unreadable + wrong))})


def shown_card(raw: JsonObject) -> Settings:
    """The card for a screen: as it was written, or only its known fields if it is very long."""
    return dict(raw) if len(json.dumps(raw)) <= _MOST_SHOWN else read_card(raw).model_dump(mode="json")


_Model = TypeVar("_Model", bound=BaseModel)


def _lenient(model: type[_Model], raw: JsonObject) -> tuple[_Model | None, list[str]]:
    """The model without the fields that do not fit, and their names; None if a required one is among them."""
    given = {name: value for name in model.model_fields if (value := raw.get(name)) is not None}
    try:
        return model.model_validate(given), []
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    wrong = sorted({str(problem["loc"][0]) for problem in problems})
    try:
        return model.model_validate({name: v for name, v in given.items() if name not in wrong}), wrong
    except ValidationError:
        return None, wrong
