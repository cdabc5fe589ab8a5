"""Search spaces as a person writes them: a small YAML text, read without trusting it.

Only mappings, lists and plain values; anchors, aliases, tags and several documents are refused, as are large or deep
texts, before anything is made of them. What is wrong is said in one sentence, with the line and the field.

    title: A small chain
    stem: {channels: 8}
    stages:
      - widths: [8, 16]
        depths: [1, 2]
        options: [residual, {block: inverted_residual, expand: 3}, identity]
    head: {hidden: 0}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from core.config import JsonObject, Settings
from core.errors import InvalidInput
from core.supernets.chain_config import ChainConfig, OptionConfig, told

MOST_BYTES = 32_000
_MOST_DEPTH, _MOST_VALUES = 8, 4_000
_OWN = ("stem", "stages", "head")
"""What of a chain's configuration is written; the rest comes from the data."""
_MOST_TITLE = 80
_LARGE: Settings = {"input_shape": [1, 1024, 1024]}
_INT, _FLOAT = re.compile(r"[-+]?[0-9]{1,12}"), re.compile(r"[-+]?[0-9]{1,12}\.[0-9]{0,12}")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Written:
    """A text that was understood.

    Attributes:
        title: of the space; empty if it has none.
        config: settings of the family `chain`, without what the data decide.
        lines: place of a value in the text -> its line, from 1.
    """

    title: str
    config: Settings
    lines: Mapping[Place, int] = field(repr=False)


def read(text: str | bytes) -> Written:
    """Read a text; nothing is built.

    Raises:
        InvalidInput: it is too large, no such text, or its settings are none; one sentence with line and field.
    """
    values, lines = _values(_decoded(text))
    if not isinstance(values, dict):
        raise InvalidInput("The space is written as a mapping with stages in it, and this text is none.")
    if unknown := [name for name in values if name not in (*_OWN, "title")]:
        raise _wrong(lines, (unknown[0],), f"there is title, {', '.join(_OWN)}, and nothing else")
    if not isinstance(values.get("stages"), list):
        raise _wrong(lines, ("stages",), "a space needs a list of stages")
    title = values.pop("title", None) or ""
    if not isinstance(title, str) or len(title) > _MOST_TITLE:
        raise _wrong(lines, ("title",), f"a title is a text of at most {_MOST_TITLE} characters")
    written = Written(title, {name: values[name] for name in _OWN if name in values}, lines)
    settings = judged(written, {}).model_dump(mode="json", include=set(_OWN))
    return Written(title, settings, lines)


def judged(written: Written, inputs: JsonObject) -> ChainConfig:
    """The whole configuration, with what the data decide.

    Args:
        written: what `read` returned.
        inputs: shape of the images, classes and pixel constants.

    Raises:
        InvalidInput: the space does not fit the images; one sentence with line and field.
    """
    # What no data decide yet is judged for images large enough for any stride.
    try:
        return ChainConfig.model_validate({**written.config, **(inputs or _LARGE)})
    except ValidationError as error:
        first = error.errors()[0]
        context = first.get("ctx", {})
        place = tuple(context.get("at", first["loc"]))
        place += (context["field"],) if "field" in context else ()
        raise _wrong(written.lines, place, told(first)) from error


def _wrong(lines: Mapping[Place, int], place: Place, message: str) -> InvalidInput:
    """The sentence about a value, or about the nearest that is there around it."""
    where = place
    while where not in lines and where:
        where = where[:-1]
    named = " ".join(_named(place))
    end = "" if message.endswith("?") else "."
    return InvalidInput(f"Line {lines.get(where, 1)}, {named or 'the text'}: {message}{end}")


def _named(place: Place) -> Iterator[str]:
    """("stages", 1, "options", 0) as "stage 2 option 1"."""
    singular = {
        "stages": "stage",
        "options": "option",
        "blocks": "block",
        "widths": "width",
        "depths": "depth",
    }
    for at, part in enumerate(place):
        if isinstance(part, int):
            yield str(part + 1)
        else:
            numbered = at + 1 < len(place) and isinstance(place[at + 1], int)
            yield singular.get(part, part) if numbered else str(part)[:60]


def _decoded(text: str | bytes) -> str:
    if len(text if isinstance(text, bytes) else text.encode(errors="replace")) > MOST_BYTES:
        raise InvalidInput(f"A space is written in at most {MOST_BYTES:,} bytes.")
    try:
        return text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not a text in UTF-8.") from error


@dataclass
class _Open:
    """A mapping or list that is being read."""

    value: Any
    place: Place
    key: str | None = None


def _values(text: str) -> tuple[Any, dict[Place, int]]:
    """Values of the text and the line of each; read event by event, so depth and size are bounded before memory is."""
    lines: dict[Place, int] = {}
    stack: list[_Open] = []
    root: list[Any] = []
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent) and root:
                raise InvalidInput(f"Line {line}: a file holds one space, and a second document begins here.")
            _require_plain(event, line)
            if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                stack.pop()
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent | yaml.ScalarEvent):
                _take(event, line, stack, root, lines)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # Its parser names what it found like <block end>.
        said = re.sub(r"[<>]", "", getattr(error, "problem", None) or "it cannot be read")
        raise InvalidInput(f"Line {mark.line + 1 if mark else 1}: this is not YAML: {said}.") from error
    return (root[0] if root else None), lines


def _require_plain(event: Any, line: int) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        raise InvalidInput(f"Line {line}: anchors and aliases (& and *) are not read; write the value out.")
    if getattr(event, "tag", None) is not None:
        raise InvalidInput(f"Line {line}: tags (!) are not read; write plain values.")


def _take(event: Any, line: int, stack: list[_Open], root: list[Any], lines: dict[Place, int]) -> None:
    """Put a value where it belongs."""
    around = stack[-1] if stack else None
    scalar = isinstance(event, yaml.ScalarEvent)
    if around is not None and isinstance(around.value, dict) and around.key is None:
        if not scalar or event.value in around.value:
            raise InvalidInput(f"Line {line}: a name is a plain word, and stands once in its mapping.")
        around.key = event.value[:200]
        return
    place: Place = ()
    if around is not None:
        own = around.key if isinstance(around.value, dict) else len(around.value)
        assert own is not None
        place = (*around.place, own)
    if len(stack) >= _MOST_DEPTH or len(lines) >= _MOST_VALUES:
        raise InvalidInput(
            f"Line {line}: a space has at most {_MOST_VALUES:,} values, {_MOST_DEPTH} levels deep."
        )
    lines[place] = line
    value: Any = _scalar(event) if scalar else {} if isinstance(event, yaml.MappingStartEvent) else []
    if around is None:
        root.append(value)
    elif isinstance(around.value, dict):
        around.value[around.key] = value
        around.key = None
    else:
        around.value.append(value)
    if not scalar:
        stack.append(_Open(value, place))


def _scalar(event: Any) -> Any:
    """A number, true, false, nothing, or the text as it stands."""
    text: str = event.value
    if event.style is not None:
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


# --- written ------------------------------------------------------------------------------------------


def write(config: JsonObject, title: str = "") -> str:
    """The YAML text of a chain's configuration, as a person would write it; `read` gives the same back."""
    made = ChainConfig.model_validate({**{k: config[k] for k in _OWN if k in config}, **_LARGE})
    stages = []
    for stage in made.stages:
        written: dict[str, Any] = {"widths": _short(stage.widths), "depths": _short(stage.depths)}
        if stage.stride > 1:
            written["stride"] = stage.stride
        if stage.options:
            written["options"] = [_option(each) for each in stage.options]
        else:
            written["blocks"] = [[_option(each) for each in options] for options in stage.blocks]
        stages.append(written)
    text: dict[str, Any] = {"title": title} if title else {}
    text |= {
        "stem": made.stem.model_dump(exclude_defaults=True, include=None) or {"channels": made.stem.channels}
    }
    text["stages"] = stages
    if made.head.hidden:
        text["head"] = {"hidden": made.head.hidden}
    dumped: str = yaml.safe_dump(
        text, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True
    )
    return dumped


def _short(numbers: Sequence[int]) -> int | list[int]:
    return numbers[0] if len(numbers) == 1 else list(numbers)


def _option(option: OptionConfig) -> Any:
    if not option.settings and not option.name:
        return option.block
    return {"block": option.block} | ({"name": option.name} if option.name else {}) | dict(option.settings)
