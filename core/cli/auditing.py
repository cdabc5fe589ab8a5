"""The command `audit`: who did what on a shared server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.driving import open_store
from core.cli.output import write
from core.views import who_did_what


def audit(
    csv: Annotated[Path | None, typer.Option(help="Write the whole log here as CSV.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Entries to print, the newest.")] = 50,
) -> None:
    """Who did what on a shared server, and the hash that stands for all of it: kept elsewhere, it shows whether the log was
    written anew. `check` compares every entry with the one before."""
    store = open_store()
    if csv is not None:
        write(csv, who_did_what.as_csv(store))
        print(csv)
    for row in reversed(who_did_what.entries(store, most)):
        said = f"  ({row['said']})" if row["said"] else ""
        print(
            f"{row['number']:>6}  {row['when']}  {row['who'] or 'nobody'}  {row['did']}  {row['to']}  {row['outcome']}{said}"
        )
    print(f"Last hash: {store.audit.last_hash() or 'none; nothing was written yet'}")
