"""`keep RUN`: stop a training early, or take one that was stopped, and keep what it has as a supernet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from core.cli.driving import open_store, resume_run
from core.cli.output import write
from core.errors import CoreError
from core.jobs import keeping
from core.jobs.waiting import wait_for
from core.library.supernets import SUPERNET_FILE
from core.records import RunState

_PATIENCE = 600.0
"""Seconds to wait for a training that runs elsewhere: it ends within one, or after its first epoch."""


def keep(
    run: Annotated[str, typer.Argument(help="Id of a training; `runs` lists them.")],
    out: Annotated[Path | None, typer.Option(help="Write the supernet here (.safetensors).")] = None,
) -> None:
    """Keep what a training has after its last whole epoch as a supernet: one that runs ends now, one that was
    cancelled, interrupted or failed is not trained further."""
    store = open_store()
    found = store.get_run(run)
    if found.state is not RunState.DONE:
        keeping.keep(store, found, lambda run_id: resume_run(store, run_id))
        found = wait_for(store.get_run, run, _PATIENCE)
    if found.state is not RunState.DONE:
        raise CoreError(f"The training is {found.state.value}: {found.message or 'try again'}")
    ledger = store.ledger(run)
    if out is not None:
        write(out, ledger.artifact(SUPERNET_FILE))
    print(json.dumps({"run": run, "out": str(out) if out else None, "said": found.message}))
