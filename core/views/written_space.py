"""What a space that a person writes would become: tables and numbers of it, before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.config import JsonObject, Settings
from core.confined import Limits, run_confined
from core.datasets import load_dataset
from core.errors import InvalidInput
from core.library.presets import PRESETS
from core.supernets.chain_config import plain_number
from core.supernets.options.registry import OPTIONS
from core.supernets.planned import Planned, planned
from core.supernets.written import MOST_BYTES, write
from core.tasks.base import task_of
from core.words import format_bytes, format_count

WORKER = "core.supernets.written_worker"
_LIMITS = Limits(memory_bytes=4 * 2**30, cpu_seconds=20)
"""Torch's own address space; the text is small."""
STARTS = tuple(name for name, preset in PRESETS.items() if preset["family"] == "chain")
"""Presets that are written spaces."""


def start_text(preset: str) -> str:
    """The YAML text of a preset, with its summary as the title."""
    chosen = PRESETS[preset]
    head = "".join(f"# {line}\n" for line in (chosen["summary"], *_HELP))
    return head + write(chosen["config"], preset)


_HELP = (
    "widths, depths: a number, or several to choose from.",
    "stride: by which the first block divides the map.",
    "options: what each block may be; or blocks: a list for each.",
)


def uploaded_text(data: bytes, inputs: JsonObject) -> str:
    """The text of a file, once a confined process has read and judged it.

    Raises:
        InvalidInput: it is no space that could be built; one sentence.
        Busy: the machine has no time for it now.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"A space is written in at most {MOST_BYTES:,} bytes.")
    return str(run_confined(WORKER, data, inputs, limits=_LIMITS)["text"])


def inputs_of(data: Mapping[str, Any]) -> Settings:
    """What a data set decides of a chain.

    Args:
        data: name, seed and settings of the data set.

    Raises:
        InvalidInput: it holds no images.
        DataUnavailable: it is not on this machine yet.
    """
    dataset = load_dataset(str(data["name"]), seed=int(data.get("seed", 0)), **dict(data.get("config", {})))
    if dataset.task != "image":
        raise InvalidInput(f"{dataset.title} holds no images, and a written space takes images.")
    return task_of(dataset).settings_from(dataset)


def plan(text: str, inputs: JsonObject) -> Planned:
    """What the text would become; raises as `core.supernets.planned.planned`."""
    return planned(text, inputs)


def facts(found: Planned) -> list[tuple[str, str]]:
    """(what, how much) of the space as a whole."""
    smallest, largest = (sum(stage.macs for stage in end) for end in (found.smallest, found.largest))
    few, many = (sum(stage.params for stage in end) for end in (found.smallest, found.largest))
    held = max(stage.counted["held_bytes"] for stage in found.largest)
    return [
        ("Subnets", format_count(found.space.size)),
        ("MACs", f"{format_count(smallest)} to {format_count(largest)}"),
        ("Parameters of a subnet", f"{format_count(few)} to {format_count(many)}"),
        ("Parameters of the supernet", format_count(found.params)),
        ("Its weights", format_bytes(found.weight_bytes)),
        ("While training", f"{format_bytes(found.training_bytes)} and activations"),
        ("Activations of the largest, one image", format_bytes(held)),
    ]


def block_rows(found: Planned) -> list[dict[str, str]]:
    """A row per block: the map it makes, what there is to choose."""
    return [
        {
            "block": f"{block.label}, can be left out" if block.skipped else block.label,
            "map": f"{block.size[0]} x {block.size[1]}",
            "channels": ", ".join(map(str, block.widths)),
            "options": " · ".join(block.options),
        }
        for block in found.blocks
    ]


def option_rows() -> list[dict[str, str]]:
    """A row per kind of block that can be written: what it is, and its settings with their defaults."""
    rows = []
    for info in OPTIONS.describe():
        fields = OPTIONS.get(info.name).Config.model_fields
        settings = ", ".join(f"{name}: {plain_number(field.default)}" for name, field in fields.items())
        rows.append({"block": info.name, "settings": settings or "none", "what it is": info.summary})
    return rows
