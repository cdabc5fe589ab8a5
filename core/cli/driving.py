"""Driving a workflow's generator from a terminal: progress line, Ctrl-C, and a ledger.

A command keeps its run in the store, so that `resume RUN` continues what was cut off. Where the store
cannot be opened (a read-only home) the work runs in memory and says so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from core.cli import sharing
from core.config import JsonObject
from core.errors import Cancelled, CoreError, InvalidInput, NotFound, StorageFailed, plain
from core.jobs.kinds import load_workflow
from core.jobs.lease import signed_lease
from core.jobs.remaining import RemainingTime
from core.ledger import Ledger
from core.library.library import Library
from core.library.supernets import SupernetEntry
from core.records import COMMAND_LINE, Progress, Run, RunState
from core.settings import settings
from core.store import MemoryLedger, RunStore
from core.store.signing import Owner
from core.words import format_share

Processes = Annotated[
    int,
    typer.Option(
        help="Processes that share the work; the numbers are the same. A cluster is used where one is set."
    ),
]
"""Of commands whose work is parts that need nothing of each other."""


def open_store() -> RunStore:
    """The store that the environment names.

    Raises:
        StorageFailed: it cannot be opened.
    """
    configured = settings()
    return RunStore(configured.database_url, configured.home, configured.files_url)


def find_supernet(name: str) -> SupernetEntry:
    """The supernet of a shipped name, a file, or an id of this machine's store.

    Raises:
        NotFound: there is none.
        InvalidInput: the file is not a supernet.
    """
    try:
        return Library().supernet(name)
    except NotFound:
        # Opening the store costs a connection, and only supernets made here are in it.
        return Library(open_store()).supernet(name)


def run_workflow(
    kind: str,
    params: JsonObject,
    *,
    title: str,
    seed: int = 0,
    flags: Mapping[str, str] | None = None,
) -> Ledger:
    """Run a workflow to its end and return its ledger.

    Args:
        kind: the workflow.
        params: its request.
        title: what the run is called.
        seed: kept with the run.
        flags: fields of the request that the command calls otherwise, and their flags without the dashes.

    Raises:
        InvalidInput: the request has a field that does not fit; nothing was recorded.
        CoreError: whatever the workflow raises; the run is kept as failed and can be resumed.
    """
    _validated(kind, params, flags)
    try:
        store = open_store()
    except StorageFailed as error:
        print(f"{error} Running without a store: an interruption loses this run.", file=sys.stderr)
        ledger = MemoryLedger(params=params)
        for progress in _steps(kind, params, ledger, Library()):
            _show_last(progress)
        return ledger
    owner = Owner()
    run_id = store.create_run(kind, params, title=title, seed=seed, session=COMMAND_LINE, owner=owner)
    return _execute(store, run_id, owner)


def resume_run(store: RunStore, run_id: str) -> Ledger:
    """Go on with a stopped run in this process and return its ledger.

    Raises:
        NotFound, InvalidInput: there is no such run, or it is running or done.
        CoreError: whatever the workflow raises.
    """
    owner = Owner()
    try:
        store.leases.enqueue(run_id, owner)
    except NotFound:
        raise
    except InvalidInput:
        # A server that was stopped handed it back to the queue; where none lives, nobody else will take it.
        if store.servers.living() or not store.leases.take_from_queue(run_id, owner):
            raise
    return _execute(store, run_id, owner)


def _execute(store: RunStore, run_id: str, owner: Owner) -> Ledger:
    attempt = store.leases.claim(run_id, owner)
    if attempt is None:
        raise CoreError("Another server took this run in the same moment; nothing was changed.")
    run = store.get_run(run_id)
    ledger = store.ledger(run_id, attempt=attempt)
    hint = f"Continue it with: python -m core resume {run_id}"
    try:
        message = _follow(run, ledger, store, owner, attempt)
    except KeyboardInterrupt:
        store.leases.finish(
            run_id, attempt, RunState.INTERRUPTED, "Stopped at the terminal. What was saved is kept."
        )
        print(f"Stopped; what was saved is kept. {hint}", file=sys.stderr)
        raise SystemExit(130) from None
    except CoreError as error:
        state = RunState.CANCELLED if isinstance(error, Cancelled) else RunState.FAILED
        store.leases.finish(run_id, attempt, state, str(error))
        raise
    except BaseException:
        store.leases.finish(run_id, attempt, RunState.FAILED, "Unexpected error.")
        raise
    store.leases.finish(run_id, attempt, RunState.DONE, message)
    return ledger


def _follow(run: Run, ledger: Ledger, store: RunStore, owner: Owner, attempt: int) -> str:
    remaining, due, message = RemainingTime(), 0.0, ""
    with signed_lease(store, owner) as cancelled, progress_line() as show:
        for progress in _steps(run.kind, run.params, ledger, Library(store)):
            if cancelled.is_set():
                raise Cancelled("Cancelled from a page. What was saved is kept.")
            message = progress.message
            eta = remaining.update(progress.fraction)
            if time.monotonic() >= due or progress.fraction >= 1:
                due = time.monotonic() + 0.2
                show(progress, eta)
                store.update_progress(ledger.run_id, progress.fraction, message, eta, attempt=attempt)
    return message


def _steps(kind: str, params: JsonObject, ledger: Ledger, library: Library) -> Iterator[Progress]:
    from core.runtime import heavy_imports

    request = _validated(kind, params)
    heavy_imports()
    with sharing.first_of_all(kind, params):
        yield from load_workflow(kind).run(request, ledger, library)


def _validated(kind: str, params: JsonObject, flags: Mapping[str, str] | None = None) -> Any:
    """The request; bounds of a flag are those of the workflow's field, typed there and nowhere else."""
    try:
        return load_workflow(kind).Request.model_validate(params)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(next((part for part in reversed(first["loc"]) if isinstance(part, str)), "request"))
        flag = (flags or {}).get(field, field.replace("_", "-"))
        raise InvalidInput(f"--{flag}: {plain(first['msg'])}.") from error


def _show_last(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(
            f"\r\x1b[K{format_share(progress.fraction, 1):>7}  {progress.message}",
            end="",
            file=sys.stderr,
            flush=True,
        )


@contextmanager
def progress_line() -> Iterator[Callable[[Progress, float | None], None]]:
    """One line on stderr that is rewritten; silence where stderr is no terminal."""
    shown = False

    def show(progress: Progress, eta: float | None) -> None:
        nonlocal shown
        if sys.stderr.isatty():
            shown = True
            left = f" ({eta:.0f} s left)" if eta is not None and progress.fraction < 1 else ""
            _show_last(Progress(progress.fraction, progress.message + left))

    try:
        yield show
    finally:
        if shown:
            print(file=sys.stderr)
