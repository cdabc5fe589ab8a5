"""Command-line flags made from a plug-in's Config, so that a new method needs no new flag code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from core.config import Settings
from core.errors import InvalidInput, plain


def parse(arguments: Sequence[str], model: type[BaseModel], what: str) -> Settings:
    """`--learning-rate 0.1 --flip` as {"learning_rate": 0.1, "flip": True}, validated by the model.

    Args:
        arguments: what the command line did not know itself.
        model: the Config that the flags belong to.
        what: for messages, "strategy sandwich".

    Raises:
        InvalidInput: an unknown flag (the message lists the known ones), no value or one out of bounds.
    """
    given: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        name, has_value, inline = flag.removeprefix("--").partition("=")
        field = name.replace("-", "_")
        if not flag.startswith("--") or field not in model.model_fields:
            known = ", ".join(f"--{n.replace('_', '-')}" for n in model.model_fields) or "none"
            raise InvalidInput(f"{flag!r} is no setting of the {what}; its settings are: {known}.")
        if not has_value and (not rest or rest[0].startswith("--")):
            annotation = model.model_fields[field].annotation
            # Yes is a number to many a field: "--epochs" alone must not train for one.
            if annotation is not bool and bool not in get_args(annotation):
                raise InvalidInput(f"{flag}: a value is missing after it.")
            given[field] = True
        else:
            given[field] = _value(inline if has_value else rest.pop(0))
    try:
        model.model_validate(given)
    except ValidationError as error:
        # A required field may come from elsewhere; only what was given is judged here.
        for problem in error.errors():
            if problem["loc"] and problem["loc"][0] in given:
                raise InvalidInput(
                    f"--{str(problem['loc'][0]).replace('_', '-')}: {plain(problem['msg'])}."
                ) from error
    return given


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def describe(model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """(flag, default, description) of every field."""
    rows = []
    for name, field in model.model_fields.items():
        default = (
            "required"
            if field.is_required()
            else json.dumps(field.get_default(call_default_factory=True), default=str)
        )
        rows.append((f"--{name.replace('_', '-')}", default, field.description or ""))
    return rows
