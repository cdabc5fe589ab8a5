"""The JSON header of a supernet file: what it is, without its weights and without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

from core.config import JsonObject, Settings
from core.errors import InvalidInput
from core.networks.untrusted_files import METADATA, read_header
from core.spaces import SearchSpace
from core.spaces.cell_string import cell_space

FORMAT = 1
KEY = "paretoscope"
_DEEPEST = 32
"""Levels of objects and lists in a header; ours have six. Whoever writes it out again recurses."""


class Header(TypedDict):
    """What the JSON header of a supernet file says; checked to be of these kinds, and no further.

    Attributes:
        format: version.
        family, config: what builds the network.
        space: its search space, as `SearchSpace.to_json` writes it.
        card: where it comes from, see `core.supernets.cards`.
    """

    format: int
    family: str
    config: Settings
    space: list[JsonObject]
    card: Settings


def described_space(header: Header) -> SearchSpace:
    """The search space of a header, without torch.

    Raises:
        InvalidInput: the header does not describe one.
    """
    space = SearchSpace.from_json(header["space"])
    # Headers of earlier releases know the cells but not which of them are the ends.
    cells = cell_space()
    return cells if space == cells else space


def peek_supernet(file: Path | bytes) -> Header:
    """Family, configuration, search space (JSON) and card of a supernet file, without reading its weights.

    Raises:
        InvalidInput: the file is not a supernet of this project.
    """
    metadata = read_header(file).get("__metadata__", {})
    try:
        header = json.loads(metadata[KEY])
        known = (
            header["format"] == FORMAT
            and isinstance(header["config"], dict)
            and isinstance(header["card"], dict)
        )
        known = known and isinstance(header["family"], str) and isinstance(header["space"], list)
        known = known and _depth(header) <= _DEEPEST
        # JSON may smuggle half a character in, which cannot be written out again.
        json.dumps(header if known else {}, ensure_ascii=False).encode()
    except (KeyError, TypeError, ValueError, RecursionError):
        known = False
    if not known:
        raise InvalidInput(
            "This safetensors file is not a Paretoscope supernet (its header has no readable description)."
        )
    checked: Header = header
    return checked


def with_data(file: bytes, data: JsonObject) -> bytes:
    """A supernet file whose card names other data; the weights are the same bytes.

    Args:
        file: a supernet file.
        data: what the card will say of its data, see `core.supernets.cards.CardData`.

    Raises:
        InvalidInput: the file is not a supernet of this project.
    """
    described, header = peek_supernet(file), read_header(file)
    described["card"] = {**described["card"], "data": dict(data)}
    header[METADATA] = {**header[METADATA], KEY: json.dumps(described)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors stay aligned
    end = 8 + int.from_bytes(file[:8], "little")
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(file)[end:]))


def _depth(value: Any) -> int:
    """How many objects and lists are inside each other, counted without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inside = [item.values() if isinstance(item, dict) else item for item in level]
        level = [one for items in inside for one in items if isinstance(one, dict | list)]
    return depth
