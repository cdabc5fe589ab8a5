"""Whether a server works: its database answers, and its jobs are looked after. Quick, and no secrets in it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from core import __version__
from core.errors import CoreError
from core.jobs import JobManager
from core.logs import LOG, without_secrets
from core.store import RunStore

PATIENCE = 2.0
"""Seconds that a database may take to answer."""
KEPT_SECONDS = 1.0
"""What was found is said again for so long, so that many who ask cost no more than one."""


@dataclass(frozen=True)
class Health:
    """What was found.

    Attributes:
        store, jobs: "ok", or a sentence that says what does not work.
    """

    store: str
    jobs: str

    @property
    def works(self) -> bool:
        """Whether all does."""
        return self.store == self.jobs == "ok"

    @property
    def status(self) -> int:
        """As HTTP says it."""
        return 200 if self.works else 503

    def line(self) -> bytes:
        """One line of JSON."""
        said = {"status": "ok" if self.works else "failing", "store": self.store, "jobs": self.jobs}
        return json.dumps(said | {"version": __version__}).encode() + b"\n"


class Doctor:
    """Looks whether a server works, at most once a second.

    Args:
        store: opens the store, or gives the open one.
        manager: the server's jobs; None while it has not needed any.
    """

    def __init__(self, store: Callable[[], RunStore], manager: Callable[[], JobManager | None]) -> None:
        self._store, self._manager = store, manager
        self._lock = threading.Lock()
        self._found: tuple[float, Health] | None = None
        self._asking: threading.Thread | None = None
        self._said = "the database has not been asked yet"

    def look(self) -> Health:
        """What is found now; comes within `PATIENCE` seconds, whatever the database does."""
        with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > KEPT_SECONDS:
                self._found = (time.monotonic(), Health(self._database(), self._jobs()))
            return self._found[1]

    def _database(self) -> str:
        # In a thread, because a database that is away may take a minute to say so. Whoever asks next does not start
        # another one behind it.
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask, name="health", daemon=True)
            self._asking.start()
        self._asking.join(PATIENCE)
        if self._asking.is_alive():
            return f"The database has not answered for {PATIENCE:.0f} seconds."
        return self._said

    def _ask(self) -> None:
        try:
            self._store().counting.answers()
            self._said = "ok"
        except CoreError as error:
            self._said = without_secrets(" ".join(str(error).split()))
        except Exception:
            LOG.exception("the database could not be asked")
            self._said = "The database could not be asked; the log says why."

    def _jobs(self) -> str:
        manager = self._manager()
        if manager is None or manager.looks_after_jobs:
            return "ok"
        return "Nothing looks after jobs: start the server again."
