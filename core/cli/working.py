"""The command `work`: a server of jobs without pages, for a further machine or container beside the app."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from core import logs
from core.cli.driving import open_store
from core.errors import DatabaseAway, InvalidInput
from core.store import RunStore

if TYPE_CHECKING:
    from core.jobs import JobManager

_WAIT_SECONDS = 60.0
"""A database that starts together with us may take so long to answer."""
_STOPS = (signal.SIGTERM, signal.SIGINT)


def work(
    workers: Annotated[
        int | None,
        typer.Option(help="Jobs of each sort at a time; without it what PARETOSCOPE_WORKERS says."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Answer /health there, and numbers for Prometheus; 0: any free port."
        ),
    ] = None,
) -> None:
    """Take jobs from the queue of the store that the settings name, until SIGTERM or Ctrl-C; needs no browser.

    What runs then is handed back, and goes on elsewhere from where it was saved.
    """
    from core.jobs import JobManager
    from core.store.servers import JOBS

    if workers is not None and workers < 1:
        raise InvalidInput("--workers must be a positive whole number.")
    logs.begin()
    stop = threading.Event()
    for number in _STOPS:
        signal.signal(number, lambda *_: stop.set())
    store = _opened(stop)
    if store is None:
        return
    with store:
        manager = JobManager(store, does=JOBS, workers=workers, takes_up=True, tell=logs.say)
        logs.begin(server=manager.owner.owner_id)
        logs.say(f"server {manager.owner.owner_id} takes jobs, {manager.workers} of each sort at a time")
        with _answering(store, manager, metrics_port):
            stop.wait()
        logs.say("stopping")
        manager.close()
        manager.sandboxes.close()
    logs.say("stopped")


@contextmanager
def _answering(store: RunStore, manager: JobManager, port: int | None) -> Iterator[None]:
    """Answer /health and /metrics where a port was given."""
    if port is None:
        yield
        return
    from core.operations.answering import Answers, answering

    with answering(Answers(lambda: store, lambda: manager), port) as taken:
        logs.say(f"health and numbers for Prometheus on port {taken}")
        yield


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
                logs.fail(said)
            stop.wait(0.5)
    return None
