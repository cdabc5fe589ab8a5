"""One running job: a thread that starts the worker process, keeps its log, and settles how it ended.

The thread that starts the worker must live as long as the worker: Linux signals a child when the thread
that made it ends. Started with `subprocess`, never fork or multiprocessing: a forked child of a process
that uses torch deadlocks, and multiprocessing's spawn runs the page again.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.errors import CoreError, NotFound
from core.jobs.kinds import weight_class
from core.jobs.stopping import GONE_STATUS
from core.logs import in_json
from core.records import RunState
from core.store import RunStore
from core.store.leases import Again

_ROOT = Path(__file__).resolve().parents[2]
_GRACE_SECONDS = 1.2  # a worker asked to stop has this long; killing it loses nothing acknowledged
_LOG_SECONDS = 0.5
_RETRY_SECONDS = 0.5
_LINE = 2000
_WORKER = logging.getLogger("paretoscope.worker")
_RESUME = "What it had saved is kept: resume the run to go on."


class Supervisor:
    """Runs one start of one run to its end."""

    def __init__(
        self,
        store: RunStore,
        run_id: str,
        kind: str,
        attempt: int,
        on_end: Callable[[str], None],
        again: Again | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            store: where the run is.
            run_id: the run, claimed by this server.
            kind: its workflow.
            attempt: number of this start.
            on_end: called with the run's id from the supervising thread when all is settled.
            again: how the run is queued again if its worker dies; None to leave it interrupted.
        """
        self.run_id = run_id
        self.weight_class = weight_class(kind)
        self.sandbox_id = store.sandbox_id
        self.store = store
        self.attempt = attempt
        self._on_end = on_end
        self._again = again
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._log: list[str] = []
        self._last_line = ""
        self._stop_reason: RunState | None = None
        self._stop_deadline = float("inf")
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"supervisor-{run_id[:8]}", daemon=True)
        self._log_due = 0.0
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it was made for a run that was claimed."""
        return time.monotonic() - self._since

    def start(self) -> None:
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Process id of the worker once it has been started."""
        process = self._process
        return process.pid if process else None

    def stop(self, state: RunState) -> None:
        """Ask the worker to stop; `tick` kills it if it does not within the grace time.

        Args:
            state: CANCELLED if a person wants it, INTERRUPTED if the server closes.
        """
        with self._lock:
            if self._stop_reason is not None:
                return
            self._stop_reason = state
            self._stop_deadline = time.monotonic() + _GRACE_SECONDS
            process = self._process
        if process is not None:
            self._tell(process)

    def tick(self) -> None:
        """Called several times a second: kills an overdue worker and stores new log lines."""
        now = time.monotonic()
        if now > self._stop_deadline:
            self.kill()
        if now > self._log_due:
            self._log_due = now + _LOG_SECONDS
            self._flush_log()

    def kill(self) -> None:
        """Kill the worker and what it started."""
        process = self._process
        if process is not None and process.poll() is None:
            with suppress(OSError):
                if os.name == "posix":
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()

    def join(self, timeout: float) -> bool:
        """Wait for the end; after `timeout` seconds give up settling. Returns whether all is settled."""
        self._thread.join(timeout)
        self._abandoned.set()
        return not self._thread.is_alive()

    def _supervise(self) -> None:
        try:
            code = self._run_worker()
        except OSError as error:
            self._log.append(f"The worker could not be started: {error.strerror or error}")
            self._last_line = self._log[-1]
            code = 70
        self._flush_log()
        self._settle(code)
        self._on_end(self.run_id)

    def _run_worker(self) -> int:
        process = subprocess.Popen(
            [sys.executable, "-m", "core.jobs.worker", self.run_id],
            cwd=_ROOT,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with process:
            with self._lock:
                self._process = process
                stopping = self._stop_reason is not None
            if stopping:
                self._tell(process)
            assert process.stderr is not None
            for line in iter(lambda: process.stderr.readline(_LINE), ""):  # type: ignore[union-attr]
                text = line.rstrip()
                if text:
                    self._last_line = text
                    self._log.append(text)
                    if in_json():  # as text it stands in the run's log alone
                        _WORKER.info(text, extra={"run": self.run_id})
            return process.wait()

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            **self.store.environment(),
            "PARETOSCOPE_ATTEMPT": str(self.attempt),
        }

    def _tell(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        with suppress(OSError, ValueError):  # it may have ended just now
            if self._stop_reason is RunState.CANCELLED:
                # Past Python's buffer, which would raise at closing if the worker ended just now.
                os.write(process.stdin.fileno(), b"cancel\n")
            else:
                process.stdin.close()

    def _flush_log(self) -> None:
        lines, self._log = self._log, []
        if lines:
            try:
                self.store.append_log(self.run_id, *lines[-500:])
            except CoreError:  # for the next time
                self._log[:0] = lines[-500:]

    def _settle(self, code: int) -> None:
        """Store the final state unless the worker has; tried again while the disk is full."""
        state, message = self._outcome(code)
        again = self._again if self._stop_reason is None else None
        if again and state is RunState.INTERRUPTED:
            self._log.append(message)
            self._flush_log()
        while True:
            try:
                self.store.leases.finish(self.run_id, self.attempt, state, message, again)
                return
            except NotFound:  # deleted as soon as the worker had stored its end
                return
            except CoreError:
                if self._abandoned.wait(_RETRY_SECONDS):
                    return

    def _outcome(self, code: int) -> tuple[RunState, str]:
        """State and sentence for a worker that ended without saying how."""
        if self._stop_reason is RunState.CANCELLED:
            return RunState.CANCELLED, f"Cancelled. {_RESUME}"
        if self._stop_reason is RunState.INTERRUPTED:
            return (
                RunState.INTERRUPTED,
                "The server was stopped. What was saved is kept: the run goes on when a server starts.",
            )
        if code < 0:
            name = signal.Signals(-code).name
            hint = "often because memory ran out" if -code == signal.SIGKILL else "by the system"
            return RunState.INTERRUPTED, f"The worker was killed ({name}, {hint}). {_RESUME}"
        if code == GONE_STATUS:
            return RunState.INTERRUPTED, f"The database went away for longer than a worker waits. {_RESUME}"
        said = f" ({self._last_line[:300]})" if self._last_line else ""
        return RunState.FAILED, f"The worker stopped unexpectedly{said}. {_RESUME}"
