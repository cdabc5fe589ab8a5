"""`load-supernet`: a file that another program wrote, as a supernet's file of our own; `export-supernet`: a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.devices import SupernetName
from core.cli.driving import find_supernet, open_store
from core.cli.output import read_file, write
from core.config import Settings
from core.errors import InvalidInput
from core.tasks.registry import TASKS
from core.words import count_of, format_count

if TYPE_CHECKING:
    from core.supernets.loaders.understood import End, Understood


def load_supernet(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            help="A once-for-all checkpoint, a Hugging Face folder, or any other file that can be loaded."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the supernet here (.safetensors); left out, it is only told.")
    ] = None,
    add: Annotated[
        bool,
        typer.Option("--add", help="Add it to the library, with the table that came with it; prints its id."),
    ] = False,
    title: Annotated[str, typer.Option(help="With --add: what it is called.")] = "",
    images: Annotated[
        Path | None,
        typer.Option(help="A .zip with one folder per class to measure it on, where the file names no data."),
    ] = None,
) -> None:
    """What a file of another program holds, and the supernet in it as a file of our own or in the library.

    Further flags are what of a Hugging Face folder becomes elastic (--heads "[0.5, 1]" --ffn "[0.5, 1]" ...).
    """
    from core.library.loading import converted, keep
    from core.supernets.headers import with_data

    found = _understood(path, context.args)
    for line in told(found):
        print(line)
    data = None if images is None else _data_of(images, found)
    if out is not None:
        file = converted(found)
        write(out, file if data is None else with_data(file, data))
        print(out)
    if add:
        with open_store() as store:
            kept = keep(store, found, title or found.title or path.stem, data)
        print(kept.supernet_id)


def _understood(path: Path, arguments: list[str]) -> Understood:
    """What a file or folder is, made with the settings that further flags give."""
    from core.cli import flags
    from core.library import folders
    from core.library.loading import MOST_FILE_BYTES, understand
    from core.supernets.folders.options import FolderOptions

    given = path if path.is_dir() else read_file(path, MOST_FILE_BYTES)
    if folders.is_folder(given):
        return folders.load(path.name, given, flags.parse(arguments, FolderOptions, "Hugging Face folder"))
    if arguments:
        raise InvalidInput(
            f"{arguments[0]!r} is no setting of this file: only a folder of a transformer has settings."
        )
    return understand(path.name, given)


def _data_of(images: Path, found: Understood) -> Settings:
    """What the supernet's card will say of a person's images; how they were matched is told.

    Raises:
        InvalidInput: they do not fit, or the supernet names its data already.
    """
    from core.datasets.class_images import fitting_images
    from core.datasets.images import read_file as read_images

    if not found.needs_data or found.task != "image":
        raise InvalidInput("--images is for a supernet of images that names no data; this one needs none.")
    own = fitting_images(read_images(images), input_shape=found.input_shape, classes=found.classes)
    for sentence in own.sentences:
        print(sentence)
    return own.data


def export_supernet(
    supernet: SupernetName,
    out: Annotated[Path, typer.Option(help="Write the zip here.")],
) -> None:
    """A whole supernet as one file: weights, card, its complete table where it has one; `load-supernet --add` reads it."""
    from core.library.package_supernet import export_supernet as exported

    write(out, exported(find_supernet(supernet)))
    print(out)


def told(found: Understood) -> Iterator[str]:
    """What was understood, line by line."""
    yield f"{found.label}: {found.title or found.family_label}"
    shape = "x".join(map(str, found.input_shape))
    yield (
        f"{found.family_label} with {count_of(found.size, 'subnet')} of {found.choices} choices, for "
        f"{TASKS.info(found.task).facts.get('samples', 'samples')} of {shape} in {format_count(found.classes)} classes."
    )
    for name, end in (("Smallest", found.smallest), ("Largest", found.largest)):
        if end is not None:
            yield f"{name} subnet: {_costs(end)}."
    yield from found.facts
    yield from (f"Fixed: {each.part}: {each.why}" for each in found.fixed)
    if found.needs_data and found.task == "image":
        yield "The file names no data: bring images of your own with --images to measure its subnets."
    elif found.needs_data:
        samples = TASKS.info(found.task).facts.get("samples", "data")
        yield f"The file names no data: bring {samples} of your own to train it, or to measure its subnets."


def _costs(end: End) -> str:
    return f"{format_count(end.total('macs'))} MACs, {format_count(end.total('params'))} parameters"
