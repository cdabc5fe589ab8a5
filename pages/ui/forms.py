"""A form from a plug-in's pydantic Config: its fields, bounds and descriptions become widgets.

Each field's value is held against the field (`pages.ui.checked`); what only several fields together get wrong the
Config itself says, as one sentence.
"""

from __future__ import annotations

import re
import types
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from core.registry import ALL_REGISTRIES, Registry
from pages.ui import checked

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


def config_form(
    config: type[BaseModel],
    key: str,
    *,
    skip: tuple[str, ...] = (),
    start: dict[str, Any] | None = None,
    columns: int = 2,
) -> dict[str, Any]:
    """One widget per field of a Config; returns what they hold, ready for `model_validate`.

    Args:
        config: the class.
        key: prefix of the widget keys.
        skip: fields that the page fills in itself; a field with `json_schema_extra={"form": False}`
            is skipped as well.
        start: values to begin with instead of the defaults (a preset).
        columns: widgets side by side.
    """
    values: dict[str, Any] = {}
    shown = [n for n, f in config.model_fields.items() if n not in skip and not _hidden(f)]
    places = st.columns(columns, gap="small") if shown else []
    for index, name in enumerate(shown):
        field = config.model_fields[name]
        default = (start or {}).get(name, _default(field))
        with places[index % columns]:
            known, value = _widget(name, field, default, f"{key}-{name}")
        if known:
            values[name] = value
            if wrong := checked.fits(config, name, value):
                checked.complain(f"{field.title or _words(name)}: {wrong}.")
    return values


def field_number(
    model: type[BaseModel],
    name: str,
    label: str,
    *,
    key: str,
    value: int | None = None,
    help: str | None = None,
    step: int = 1,
    width: int | None = None,
) -> int:
    """A whole number as one field of a Config or a Request bounds it.

    Args:
        model: where the field is.
        name: the field.
        label: what the widget is called.
        key: of the widget.
        value: to begin with; the field's default if left out.
        help: the field's description if left out.
        step: of the buttons.
        width: in pixels.
    """
    field = model.model_fields[name]
    start = _default(field) if value is None else value
    text = help or field.description
    return number(label, bounds(model, name), value=start, key=key, help=text, step=step, width=width)


def number(
    label: str,
    limits: tuple[int | None, int | None],
    *,
    value: int,
    key: str,
    help: str | None = None,
    step: int = 1,
    width: int | None = None,
) -> int:
    """A whole number within limits, which the page itself looks after; see `pages.ui.checked`."""
    typed = st.number_input(label, value=value, step=step, key=key, help=help, width=width or "stretch")
    return int(checked.within(label, int(typed), *limits))


def bounds(model: type[BaseModel], name: str) -> tuple[Any, Any]:
    """(smallest, largest) value of a field, None where there is no bound."""
    return checked.bounds(model.model_fields[name])


def complaint(error: ValidationError) -> str:
    """The first thing that is wrong, as one sentence."""
    first = error.errors()[0]
    place = ", ".join(_words(str(part)) for part in first["loc"])
    return f"{place or 'Settings'}: {first['msg']}."


def _hidden(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("form") is False


def _registry(field: FieldInfo) -> Registry[Any] | None:
    """Where the names that a field may hold are registered: `json_schema_extra={"registry": KIND}`."""
    extra = field.json_schema_extra
    kind = extra.get("registry") if isinstance(extra, dict) else None
    return ALL_REGISTRIES[str(kind)] if kind else None


def _default(field: FieldInfo) -> Any:
    if field.default_factory is not None:
        return field.default_factory()  # type: ignore[call-arg]
    return None if field.default is PydanticUndefined else field.default


def _words(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _widget(name: str, field: FieldInfo, default: Any, key: str) -> tuple[bool, Any]:
    """(whether there is a widget for this type, its value)."""
    kind, optional = _without_none(field.annotation)
    label, text = field.title or _words(name), field.description
    if kind is bool:
        return True, st.toggle(label, value=bool(default), key=key, help=text)
    if registry := _registry(field):
        names = registry.names()
        at = names.index(default) if default in names else 0
        shown = {name: registry.info(name).label for name in names}
        return True, st.selectbox(label, names, index=at, format_func=shown.__getitem__, key=key, help=text)
    if options := _options(kind):
        at = options.index(default) if default in options else 0
        return True, st.selectbox(label, options, index=at, format_func=_option_text, key=key, help=text)
    if kind in (int, float):
        return True, _number(label, field, kind, default, optional, key)
    if kind is str:
        return True, st.text_input(label, value=default or "", key=key, help=text)
    if _is_numbers(kind):
        shown = ", ".join(f"{v:g}" for v in default or ())
        typed = st.text_input(
            label,
            value=shown,
            key=key,
            help=f"{text or ''} Numbers with commas between.".strip(),
        )
        return True, _numbers(typed, get_args(kind)[0])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        st.caption(label)
        start = default.model_dump() if isinstance(default, BaseModel) else default
        return True, config_form(kind, key, start=start, columns=1)
    if (member := _member(kind)) is not None:
        return True, _several(label, member, list(default or ()), field, key)
    return False, None


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [a for a in get_args(annotation) if a is not type(None)]
        if len(kinds) == 1:
            return kinds[0], True
    return annotation, False


def _options(kind: Any) -> list[Any]:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)
    return []


def _option_text(option: Any) -> str:
    return str(option.value if isinstance(option, Enum) else option).replace("_", " ")


def _is_numbers(kind: Any) -> bool:
    return get_origin(kind) in (tuple, list) and bool(get_args(kind)) and get_args(kind)[0] in (int, float)


def _member(kind: Any) -> type[BaseModel] | None:
    if get_origin(kind) in (tuple, list) and get_args(kind):
        first = get_args(kind)[0]
        if isinstance(first, type) and issubclass(first, BaseModel):
            return first
    return None


def _numbers(text: str, kind: type) -> list[Any] | str:
    parts = [part for part in re.split(r"[,;\s]+", text.strip()) if part]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return text  # the Config says what is wrong with it
    return [int(p) if kind is int and p.lstrip("+-").isdigit() else float(p) for p in parts]


def _number(label: str, field: FieldInfo, kind: type, default: Any, optional: bool, key: str) -> Any:
    lower, upper = checked.bounds(field)
    cast = lambda v: None if v is None else kind(v)  # noqa: E731
    value = cast(default) if default is not None or optional else cast(lower if lower is not None else 0)
    typed = st.number_input(
        label,
        value=value,
        step=1 if kind is int else None,
        key=key,
        help=field.description,
        format=None if kind is int else "%g",
        placeholder="automatic" if optional else None,
    )
    return None if typed is None else checked.within(label, kind(typed), lower, upper)


def _several(
    label: str, member: type[BaseModel], default: list[Any], field: FieldInfo, key: str
) -> list[dict[str, Any]]:
    """A list of sub-forms whose length can be chosen."""
    sizes = {k: getattr(m, k) for m in field.metadata for k in ("min_length", "max_length") if hasattr(m, k)}
    least, most = sizes.get("min_length") or 1, sizes.get("max_length") or 6
    count = number(
        f"{label}, how many",
        (least, most),
        value=min(max(len(default), least), most),
        key=f"{key}-count",
        help=field.description,
    )
    rows = []
    for index in range(count):
        given = default[min(index, len(default) - 1)] if default else None
        start = given.model_dump() if isinstance(given, BaseModel) else given
        st.caption(f"{label} {index + 1}")
        rows.append(config_form(member, f"{key}-{index}", start=start, columns=1))
    return rows
