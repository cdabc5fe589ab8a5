"""Stopping a training early and keeping what it has, whether it runs, waits, or has stopped already."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import InvalidInput
from core.jobs.forecast import TRAINING
from core.library.kept_early import ask_to_stop
from core.records import Run, RunState
from core.store import RunStore


def why_not(store: RunStore, run: Run) -> str:
    """What is against keeping what a run has, in a sentence; "" if nothing is."""
    if run.kind != TRAINING:
        return "Only the training of a supernet can be stopped early and kept."
    if run.state is RunState.DONE:
        return "This training has ended; its supernet is in the gallery."
    if not store.ledger(run.run_id).metrics():
        return "No epoch of this training is finished yet: there is nothing to keep."
    return ""


def keep(store: RunStore, run: Run, resume: Callable[[str], object]) -> None:
    """Make an ordinary supernet of what a training has after its last whole epoch.

    One that runs ends within a second or so; one that has stopped is taken up to write its supernet.

    Args:
        store: where the run is.
        run: of a training.
        resume: takes a stopped run up again, by its id.

    Raises:
        InvalidInput: there is nothing to keep, or the run cannot be taken up.
        NotFound: there is no such run.
    """
    against = why_not(store, run)
    if against:
        raise InvalidInput(against)
    ask_to_stop(store.ledger(run.run_id))
    if store.get_run(run.run_id).state.is_resumable:
        resume(run.run_id)
