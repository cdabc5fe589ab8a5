"""The commands `backup` and `restore`: a home as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.driving import open_store


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it; an older one of that name is replaced.")],
) -> None:
    """Write everything of this home into one file: runs, measurements, supernets, classes. Nothing has to be stopped."""
    from core.store.backup import back_up

    made = back_up(open_store(), file)
    for sentence in made.missing:
        print(sentence)
    print(f"{file}: {made.bytes / 1e6:.1f} MB, {made.files} files.")
    if made.missing:
        print(f"{len(made.missing)} files could not be backed up; all else was.")
        raise typer.Exit(1)


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `backup` wrote.")],
) -> None:
    """Put a backup into an empty home (PARETOSCOPE_HOME), or beside an empty database. Runs can then be resumed there."""
    from core.store.backup import put_back

    store = open_store()
    held = put_back(store, file)
    for sentence in held.missing:
        print(sentence)
    print(f"{held.files} files restored into {store.home}. `check` compares all hashes.")
