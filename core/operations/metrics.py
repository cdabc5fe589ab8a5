"""How much a server does, and what waits in its store; every number is counted when it is asked for."""

from __future__ import annotations

import time

from core import __version__
from core.jobs import JobManager
from core.jobs.kinds import WEIGHT_CLASSES, weight_class
from core.operations.exposition import Family
from core.records import RunState
from core.store import RunStore

_STARTED = time.time()


def families(store: RunStore, manager: JobManager | None) -> list[Family]:
    """What is known of a store and of this server.

    Args:
        store: whose runs and servers are counted; those of students' sandboxes are not among them.
        manager: this server's jobs; None while it has not needed any.

    Raises:
        DamagedArtifact, StorageFailed: the database cannot be read.
    """
    return [
        *_of_the_process(),
        *_of_runs(store),
        *_of_servers(store),
        *_of_jobs(manager),
        *_of_the_database(store),
    ]


def _of_the_process() -> list[Family]:
    build = Family("paretoscope_build_info", "gauge", "The version that runs; always 1.")
    build.add(1, {"version": __version__})
    started = Family("paretoscope_start_time_seconds", "gauge", "When this process started, since 1970.")
    started.add(_STARTED)
    return [build, started]


def _of_runs(store: RunStore) -> list[Family]:
    runs = Family("paretoscope_runs", "gauge", "Runs in the store by kind and state.")
    queue = Family("paretoscope_queue_length", "gauge", "Runs that wait, by sort of work.")
    running = Family("paretoscope_running", "gauge", "Runs that are at work on any server, by sort of work.")
    for sort in WEIGHT_CLASSES:  # also where there are none: what is absent raises no alarm
        queue.add(0, {"sort": sort})
        running.add(0, {"sort": sort})
    for (kind, state), n in sorted(store.counting.runs().items()):
        runs.add(n, {"kind": kind, "state": state})
        if state in (RunState.QUEUED, RunState.RUNNING):
            (queue if state == RunState.QUEUED else running).add(n, {"sort": weight_class(kind)})
    return [runs, queue, running]


def _of_servers(store: RunStore) -> list[Family]:
    servers = Family("paretoscope_servers", "gauge", "Servers that live, by what they do.")
    workers = Family("paretoscope_workers", "gauge", "Jobs that living servers can run at a time.")
    busy = Family("paretoscope_workers_busy", "gauge", "Jobs that living servers run now.")
    workers.add(0)
    busy.add(0)
    for server in store.servers.living():
        servers.add(1, {"does": server.does})
        workers.add(server.workers * len(WEIGHT_CLASSES))
        busy.add(len(server.runs) + server.in_sandboxes)
    return [servers, workers, busy]


def _of_jobs(manager: JobManager | None) -> list[Family]:
    ended = Family("paretoscope_jobs_ended_total", "counter", "Jobs that ended on this server, by how.")
    work = Family(
        "paretoscope_work_seconds_total",
        "counter",
        "Seconds that this server's jobs have been at work, by sort.",
    )
    for state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED, RunState.INTERRUPTED):
        ended.add(manager.tally.ended[state] if manager else 0, {"state": state})
    seconds = manager.work_seconds() if manager else {}
    for sort in WEIGHT_CLASSES:
        work.add(seconds.get(sort, 0.0), {"sort": sort})
    return [ended, work]


def _of_the_database(store: RunStore) -> list[Family]:
    taken = Family("paretoscope_database_seconds_total", "counter", "Seconds in this process's transactions.")
    number = Family("paretoscope_database_transactions_total", "counter", "This process's transactions.")
    for kind, (n, seconds) in store.counting.spent.now().items():
        taken.add(seconds, {"kind": kind})
        number.add(n, {"kind": kind})
    return [taken, number]
