"""Faults of several servers on one store: a run that is lost, done twice, or left to a person."""

from __future__ import annotations

from tests.mutation.fault import Fault

_LEASES, _LEDGER, _DATABASE = "core/store/leases.py", "core/store/ledger.py", "core/store/database.py"
_DISPATCHING, _WATCHING = "core/jobs/dispatching.py", "core/jobs/watching.py"
_OF_STORES, _OF_WATCHING = ("tests/store/test_servers.py",), ("tests/jobs/test_watching.py",)
_OF_SERVERS, _AWAY = ("tests/jobs/test_servers.py",), ("tests/store/test_database_away.py",)

FAULTS = [
    Fault(
        "a claim does not look whether the run is still there to take",
        _LEASES,
        'if row["state"] != RunState.QUEUED or not free:',
        "if False:",
        _OF_STORES,
    ),
    Fault(
        "what a command queued for itself is anybody's",
        _LEASES,
        'free = row["owner"] in (NOBODY.owner_id, owner.owner_id)',
        "free = True",
        _OF_STORES,
    ),
    Fault(
        "who is dead is told by a clock",
        _WATCHING,
        "alive is None and stood[name] > lease_seconds",
        "alive is None and (time.time() % 86_400 > lease_seconds)",
        _OF_SERVERS,
    ),
    Fault(
        "an hour without the database counts as an hour in which others did not sign",
        _WATCHING,
        "min(now - self._looked, most)",
        "now - self._looked",
        _OF_WATCHING,
    ),
    Fault(
        "the fence is ignored: an old start goes on writing",
        _LEDGER,
        "if self._attempt is not None and tuple(found) != (self._attempt, RunState.RUNNING):",
        "if self._attempt is not None and found is None:",
        _OF_STORES,
    ),
    Fault(
        "a dead server's queue is left alone",
        _LEASES,
        "row.owner.in_((owner_id, NOBODY.owner_id))",
        "row.owner.in_((owner_id,))",
        _OF_SERVERS,
    ),
    Fault(
        "what a dead server ran waits for a person",
        _DISPATCHING,
        "self._watch.look(LEASE_SECONDS, _BEAT_SECONDS, AGAIN if self._takes_up else None)",
        "self._watch.look(LEASE_SECONDS, _BEAT_SECONDS)[:0]",
        _OF_WATCHING,
    ),
    Fault(
        "a run that ends servers is taken up for ever",
        _LEASES,
        "known >= again.most",
        "known < 0",
        _OF_STORES,
    ),
    Fault(
        "a run that goes on has lost its place",
        _LEASES,
        "    _queue(connection, row, owner, message=message)",
        "    _queue(connection, row, owner, message=message, queue_number=10**6)",
        _OF_STORES,
    ),
    Fault(
        "a wish to cancel dies with the server that had not heard it",
        _LEASES,
        '    if row["cancel_requested"]:\n        values: dict',
        "    if False:\n        values: dict",
        _OF_STORES,
    ),
    Fault(
        "a worker whose run is another's goes on",
        _DISPATCHING,
        "if held.get(run_id) != supervisor.attempt:",
        "if False:",
        _OF_WATCHING,
    ),
    Fault(
        "a claim whose answer was lost is nobody's for ever",
        _DISPATCHING,
        "if run_id not in running:  # claimed",
        "if False:  # claimed",
        _OF_WATCHING,
    ),
    Fault(
        "turns on other servers are not seen",
        _DISPATCHING,
        "for number, session in self.store.leases.turns(self._turn):",
        "for number, session in self.store.leases.turns(self._turn)[:0]:",
        _OF_WATCHING,
    ),
    Fault(
        "a stopped server keeps its runs",
        _DISPATCHING,
        "if self.store.leases.hand_back(run_id, attempt, self.owner, _CLOSED):",
        "if False:",
        ("tests/cli/test_work_command.py",),
    ),
    Fault(
        "a server that ended is shown for ever",
        "core/store/servers.py",
        "if _owner(each).alive_here() is not False",
        "if True",
        _OF_STORES,
    ),
    Fault(
        "measurements are added again where only the answer was lost",
        _LEDGER,
        "if tried and first == tried[0] + len(rows):",
        "if False:",
        _AWAY,
    ),
    Fault(
        "a worker gives up at once",
        _DATABASE,
        "deadline = time.monotonic() + Database.patience",
        "deadline = time.monotonic()",
        _AWAY,
    ),
    Fault(
        "a process that stands still keeps the lock",
        _DATABASE,
        "for name, v in _POSTGRES.items() if name not in url.query",
        'for name, v in _POSTGRES.items() if name != "options"',
        _AWAY,
    ),
]
