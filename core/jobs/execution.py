"""Doing a job in its worker process: drive the workflow's generator and say how it ended."""

from __future__ import annotations

import sys
import time
import traceback
from contextlib import suppress
from typing import Any

from core.errors import Cancelled, CoreError, DatabaseAway, InvalidInput, plain
from core.jobs.kinds import load_workflow
from core.jobs.memory import is_shortage, limit_memory
from core.jobs.remaining import RemainingTime
from core.jobs.stopping import GONE_STATUS, StopSignal
from core.library.library import Library
from core.records import Progress, RunState
from core.settings import settings
from core.store import RunStore
from core.store.database import Database, patiently
from core.store.ledger import TAKEN_OVER
from core.store.sandboxes import store_here

_PROGRESS_SECONDS = 0.2
_PATIENCE_SECONDS = 120.0
"""How long a worker waits for a database that went away, before its run is interrupted (and taken up again)."""
_RESUME = "What was saved is kept: resume the run to go on."
_REASONS = {
    RunState.CANCELLED: f"Cancelled. {_RESUME}",
    RunState.INTERRUPTED: "The server has gone. What was saved is kept: the run goes on when a server starts.",
}


class Reporter:
    """Shows progress in the store, a few times a second at most; raises `Cancelled` once the run is another's."""

    def __init__(self, store: RunStore, run_id: str, attempt: int) -> None:
        self._store, self._run_id, self._attempt = store, run_id, attempt
        self._remaining = RemainingTime()
        self._due = 0.0
        self.message = ""

    def __call__(self, progress: Progress) -> None:
        eta = self._remaining.update(progress.fraction)
        self.message = progress.message
        now = time.monotonic()
        if now < self._due:
            return
        self._due, still_ours = now + _PROGRESS_SECONDS, True
        # A full disk ends the job where something would be lost, not for the sake of a progress bar.
        with suppress(CoreError):
            still_ours = self._store.update_progress(
                self._run_id, progress.fraction, progress.message, eta, attempt=self._attempt
            )
        if not still_ours:
            raise Cancelled(TAKEN_OVER)


def execute(store: RunStore, run_id: str, attempt: int, stop: StopSignal) -> tuple[RunState, str]:
    """Do the work of a run.

    Returns:
        The state it ended in and a sentence for a person. Nothing is raised: what nobody expected is
        printed whole on standard error, which the supervisor keeps as the run's log.
    """
    report = Reporter(store, run_id, attempt)
    try:
        run = store.get_run(run_id)
        workflow = load_workflow(run.kind)
        request = _validated(workflow.Request, run.params, run.seed)
        steps = workflow.run(request, store.ledger(run_id, attempt=attempt), Library(store))
        while not stop.reason:
            progress = next(steps, None)
            if progress is None:
                return RunState.DONE, report.message or "Done"
            report(progress)
        steps.close()
        state = RunState(stop.reason)
        return state, _REASONS[state]
    except Cancelled as error:
        return RunState.CANCELLED, str(error)
    except DatabaseAway as error:
        return RunState.INTERRUPTED, str(error)
    except CoreError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return RunState.FAILED, str(error)
    except Exception as error:
        traceback.print_exc()
        if is_shortage(error):
            allowed = f"{settings().worker_memory / 2**30:.1f} GB (PARETOSCOPE_WORKER_MEMORY)"
            what = f"There was not enough memory: a job may use {allowed}"
            return RunState.FAILED, f"{what}. Choose a smaller batch or network. {_RESUME}"
        what = f"an unexpected error ({type(error).__name__})"
        return RunState.FAILED, f"The job stopped with {what}; its log has the details. {_RESUME}"


def _validated(request: Any, params: Any, seed: int) -> Any:
    from pydantic import ValidationError

    if "seed" in request.model_fields and "seed" not in params:
        params = {**params, "seed": seed}
    try:
        return request.model_validate(params)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'request'}: {plain(problem['msg'])}"
            for problem in error.errors()[:5]
        )
        raise InvalidInput(f"The request cannot be used: {wrong}.") from error


def execute_run(run_id: str, attempt: int, stop: StopSignal) -> int:
    """Do the run and store how it ended; the exit status is 0 once that is stored."""
    Database.patience = _PATIENCE_SECONDS
    try:
        where = settings()
        limit_memory(where.worker_memory)
        store = patiently(store_here)
        state = RunState.INTERRUPTED

        def give_up() -> None:
            with suppress(Exception):
                store.leases.finish(run_id, attempt, state, _REASONS[state])

        stop.on_overdue = give_up
        ended, message = execute(store, run_id, attempt, stop)
        patiently(lambda: store.leases.finish(run_id, attempt, ended, message))
        stop.finished.set()
        store.close()
        return 0
    except DatabaseAway as error:
        print(error, file=sys.stderr)
        return GONE_STATUS
    except CoreError as error:
        print(error, file=sys.stderr)
        return 70
