"""`export-study`: a search as an Optuna storage that Optuna and optuna-dashboard open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.driving import find_supernet, open_store
from core.cli.output import write
from core.errors import InvalidInput
from core.library.searches import KIND


def export_study(
    run: Annotated[str, typer.Argument(help="Id of a search; `runs` lists them.")],
    out: Annotated[Path, typer.Option(help="File to write: .db for SQLite, .log for a journal.")],
) -> None:
    """Write what a search measured as an Optuna storage; see it with `optuna-dashboard sqlite:///FILE`."""
    from core.library.studies import form_of, search_study

    form = form_of(out)
    with open_store() as store:
        found = store.get_run(run)
        if found.kind != KIND:
            raise InvalidInput(f"Run {run} is no search: there is nothing to write for Optuna.")
        ledger = store.ledger(run)
        write(out, search_study(find_supernet(str(found.params["supernet"])), found, ledger, form))
    print(out)
