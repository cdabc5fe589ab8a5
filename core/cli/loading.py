"""`load-supernet`: a file that another program wrote, as a supernet's file of our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.output import read_file, write
from core.words import format_count

if TYPE_CHECKING:
    from core.supernets.loaders.understood import End, Understood


def load_supernet(
    path: Annotated[
        Path, typer.Argument(help="A once-for-all checkpoint, or any other file that can be loaded.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the supernet here (.safetensors); left out, it is only told.")
    ] = None,
) -> None:
    """What a file of another program holds, and the supernet in it as a file of our own."""
    from core.library.loading import MOST_FILE_BYTES, converted, understand

    found = understand(path.name, read_file(path, MOST_FILE_BYTES))
    for line in told(found):
        print(line)
    if out is not None:
        write(out, converted(found))
        print(out)


def told(found: Understood) -> Iterator[str]:
    """What was understood, line by line."""
    yield f"{found.label}: {found.title or found.family_label}"
    shape = "x".join(map(str, found.input_shape))
    yield (
        f"{found.family_label} with {format_count(found.size)} subnets of {found.choices} choices, for samples of {shape} in "
        f"{format_count(found.classes)} classes."
    )
    for name, end in (("Smallest", found.smallest), ("Largest", found.largest)):
        if end is not None:
            yield f"{name} subnet: {_costs(end)}."
    yield from found.facts
    yield from (f"Fixed: {each.part}: {each.why}" for each in found.fixed)
    if found.needs_data:
        yield "The file names no data: bring images of your own to measure its subnets."


def _costs(end: End) -> str:
    return f"{format_count(end.total('macs'))} MACs, {format_count(end.total('params'))} parameters"
