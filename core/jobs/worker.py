"""The process that does a job: `python -m core.jobs.worker RUN_ID`.

Started by a supervisor, with the number of this start in PARETOSCOPE_ATTEMPT. It imports the workflow,
drives its generator, reports progress to the store, and stops at the next yield when the line "cancel"
arrives on its standard input, or when that pipe closes because the server has gone. Imports only what it
needs, since a person waits for its first sign of life; the workflow brings torch if it wants it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from core.errors import Cancelled, CoreError, plain
from core.jobs.kinds import load_workflow
from core.jobs.remaining import RemainingTime
from core.library.library import Library
from core.records import Progress, RunState
from core.settings import settings
from core.store import RunStore

_PROGRESS_SECONDS = 0.2
_GONE_SECONDS = 1.5
_NICE = 10
_PR_SET_PDEATHSIG = 1
_RESUME = "What was saved is kept: resume the run to go on."
_REASONS = {
    RunState.CANCELLED: f"Cancelled. {_RESUME}",
    RunState.INTERRUPTED: f"The server has gone. {_RESUME}",
}


class StopSignal:
    """Whether, and why, this worker should stop."""

    def __init__(self) -> None:
        self.state: RunState | None = None
        self.finished = threading.Event()
        self.on_overdue: Callable[[], None] = lambda: None

    def listen(self) -> None:
        """Watch the pipe from the server in a thread, and ask the kernel for a signal when it dies."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop(RunState.INTERRUPTED))
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        threading.Thread(target=self._watch, name="stop-signal", daemon=True).start()

    def _stop(self, state: RunState) -> None:
        self.state = self.state or state

    def _watch(self) -> None:
        # os.read, since a daemon thread inside sys.stdin would make the interpreter's exit fail.
        received = b""
        while chunk := os.read(0, 256):
            received += chunk
            if b"cancel\n" in received:
                self._stop(RunState.CANCELLED)
        self._stop(RunState.INTERRUPTED)
        if not self.finished.wait(_GONE_SECONDS):
            self.on_overdue()
            os._exit(75)


class Reporter:
    """Shows progress in the store, a few times a second at most."""

    def __init__(self, store: RunStore, run_id: str, attempt: int) -> None:
        self._store, self._run_id, self._attempt = store, run_id, attempt
        self._remaining = RemainingTime()
        self._due = 0.0
        self.message = ""

    def __call__(self, progress: Progress) -> None:
        eta = self._remaining.update(progress.fraction)
        self.message = progress.message
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _PROGRESS_SECONDS
            # A full disk ends the job where something would be lost, not for the sake of a progress bar.
            with suppress(CoreError):
                self._store.update_progress(
                    self._run_id, progress.fraction, progress.message, eta, attempt=self._attempt
                )


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
        while stop.state is None:
            progress = next(steps, None)
            if progress is None:
                return RunState.DONE, report.message or "Done"
            report(progress)
        steps.close()
        return stop.state, _REASONS[stop.state]
    except Cancelled as error:
        return RunState.CANCELLED, str(error)
    except CoreError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return RunState.FAILED, str(error)
    except Exception as error:
        traceback.print_exc()
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            return (
                RunState.FAILED,
                f"There was not enough memory. Choose a smaller batch or network. {_RESUME}",
            )
        what = f"an unexpected error ({type(error).__name__})"
        return RunState.FAILED, f"The job stopped with {what}; its log has the details. {_RESUME}"


def _validated(request: Any, params: Any, seed: int) -> Any:
    from pydantic import ValidationError

    from core.errors import InvalidInput

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


def main(run_id: str) -> int:
    """Do the job; the exit status is 0 once the final state is stored."""
    stop = StopSignal()
    stop.listen()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    attempt = int(os.environ["PARETOSCOPE_ATTEMPT"])
    where = settings()
    try:
        store = RunStore(where.database_url, where.home)
        state = RunState.INTERRUPTED

        def give_up() -> None:
            with suppress(Exception):
                store.leases.finish(run_id, attempt, state, _REASONS[state])

        stop.on_overdue = give_up
        ended, message = execute(store, run_id, attempt, stop)
        store.leases.finish(run_id, attempt, ended, message)
        stop.finished.set()
        store.close()
        return 0
    except CoreError as error:
        print(error, file=sys.stderr)
        return 70


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
