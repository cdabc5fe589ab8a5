"""The commands `backup` and `restore`, a home as one file, and `move-files`: its files to another place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.cli.driving import open_store
from core.settings import files_url
from core.words import count_of


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


def move_files(
    to: Annotated[
        str,
        typer.Option(
            help="s3://bucket/folder, gs://..., az://..., file:///folder, or home.", metavar="PLACE"
        ),
    ],
    put_away: Annotated[
        bool,
        typer.Option(
            "--put-away",
            help="When all are there and whole, move them here to the trash; no run may wait or run.",
        ),
    ] = False,
) -> None:
    """Copy the files of all runs to another place and compare each there; cut off, it can be begun again. Then set
    PARETOSCOPE_FILES_URL to that place and start the servers anew. Nothing is removed here unless --put-away says so."""
    store = open_store()
    shown = -1

    def report(done: int, total: int) -> None:
        nonlocal shown
        if (percent := 100 * done // total) // 5 > shown // 5:
            shown = percent
            print(f"{done} of {total} files are there", file=sys.stderr)

    url = "" if to == "home" else files_url(to)
    moved = store.move_files(url, put_away=put_away, report=report)
    for sentence in moved.missing:
        print(sentence)
    print(
        f"{moved.place}: {count_of(moved.copied, 'file')} copied ({moved.bytes / 1e6:.1f} MB), {moved.there} were there; all compared."
        + (f" {moved.put_away} put into the trash here." if put_away and not moved.missing else "")
    )
    if moved.missing:
        print(
            f"{count_of(len(moved.missing), 'file')} whole nowhere; all else is there, and nothing was put away."
        )
        raise typer.Exit(1)
    if url != store.files_url:
        print(f"Now set PARETOSCOPE_FILES_URL={url} and start every server anew.")
