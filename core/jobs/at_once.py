"""Light work in this process, to its end: for a click that is answered at once, in which a worker would only start."""

from __future__ import annotations

from core.config import JsonObject
from core.errors import InvalidInput
from core.jobs.execution import execute
from core.jobs.stopping import StopSignal
from core.people import own_work
from core.records import RunState
from core.store import RunStore
from core.store.signing import Owner


def run_at_once(
    store: RunStore, kind: str, params: JsonObject, *, title: str, session: str
) -> tuple[str, str]:
    """Run a workflow; (id of its run, what it said last). What is refused leaves no run.

    Args:
        store: where the run is kept.
        kind: the workflow.
        params: its request.
        title: what the run is called.
        session: who asks.

    Raises:
        InvalidInput: the workflow refused its request; the sentence is its own.
        StorageFailed: the disk refused a write.
    """
    owner = Owner()
    run_id = store.create_run(kind, params, title=title, session=session, owner=owner)
    with own_work():  # what was allowed is now the machine's to do
        return _run(store, run_id, owner)


def _run(store: RunStore, run_id: str, owner: Owner) -> tuple[str, str]:
    attempt = store.leases.claim(run_id, owner)
    if attempt is None:
        raise InvalidInput("Another server took this work in the same moment; try again.")
    state, message = execute(store, run_id, attempt, StopSignal())
    store.leases.finish(run_id, attempt, state, message)
    if state is not RunState.DONE:
        store.delete_run(run_id)
        raise InvalidInput(message)
    return run_id, message
