"""The command `work`: a server of jobs without pages, for a further machine or container beside the app."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Annotated

import typer

from core.cli.driving import open_store
from core.errors import DatabaseAway, InvalidInput
from core.store import RunStore

_WAIT_SECONDS = 60.0
"""A database that starts together with us may take so long to answer."""
_STOPS = (signal.SIGTERM, signal.SIGINT)


def work(
    workers: Annotated[
        int | None,
        typer.Option(help="Jobs of each sort at a time; without it what PARETOSCOPE_WORKERS says."),
    ] = None,
) -> None:
    """Take jobs from the queue of the store that the settings name, until SIGTERM or Ctrl-C; needs no browser.

    What runs then is handed back, and goes on elsewhere from where it was saved.
    """
    from core.jobs import JobManager
    from core.store.servers import JOBS

    if workers is not None and workers < 1:
        raise InvalidInput("--workers must be a positive whole number.")
    stop = threading.Event()
    for number in _STOPS:
        signal.signal(number, lambda *_: stop.set())
    store = _opened(stop)
    if store is None:
        return
    with store:
        manager = JobManager(store, does=JOBS, workers=workers, takes_up=True, tell=_say)
        _say(f"server {manager.owner.owner_id} takes jobs, {manager.workers} of each sort at a time")
        stop.wait()
        _say("stopping")
        manager.close()
        manager.sandboxes.close()
    _say("stopped")


def _opened(stop: threading.Event) -> RunStore | None:
    """The store, once its database answers; None where we are to stop before that."""
    deadline, said = time.monotonic() + _WAIT_SECONDS, ""
    while not stop.is_set():
        try:
            return open_store()
        except DatabaseAway as error:
            if time.monotonic() > deadline:
                raise
            if str(error) != said:
                said = str(error)
                print(said, file=sys.stderr, flush=True)
            stop.wait(0.5)
    return None


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
