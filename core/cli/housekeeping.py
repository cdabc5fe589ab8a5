"""Looking for damage, and emptying the trash."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.driving import open_store
from core.store.sandboxes import Sandboxes


def check() -> None:
    """Look for silent damage: hashes of every row and file. Exit status 1 if there is any."""
    store = open_store()
    findings = store.check() + Sandboxes(store.home).check()
    for finding in findings:
        print(finding)
    print(f"{len(findings)} problems found." if findings else "Everything stored is intact.")
    raise typer.Exit(1 if findings else 0)


def empty_trash(
    older_than: Annotated[
        int, typer.Option(min=0, help="Keep what was put there in the last so many days.")
    ] = 0,
) -> None:
    """Delete what the trash of the home holds: files that no run or supernet named any more."""
    store = open_store()
    n_files, n_bytes = (
        sum(each)
        for each in zip(
            *(part.empty_trash(older_than) for part in (store, Sandboxes(store.home))), strict=True
        )
    )
    print(f"{n_files} files deleted, {n_bytes / 1e6:.1f} MB freed.")
