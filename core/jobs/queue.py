"""The order of waiting jobs: everybody in turn.

First come first served would let one session that submits fifty searches keep a class waiting.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.store.leases import Waiting


def fair_order(waiting: Sequence[Waiting], served: Sequence[str]) -> list[Waiting]:
    """The order in which waiting jobs will start: one job per session in each round.

    Args:
        waiting: queued jobs, first come first.
        served: sessions that have had a job, longest ago first. Who has had none comes before them.

    Returns:
        All of `waiting`, next first.
    """
    by_session: dict[str, list[Waiting]] = {}
    for job in waiting:
        by_session.setdefault(job.session, []).append(job)
    last_turn = {session: turn for turn, session in enumerate(served)}
    sessions = sorted(by_session, key=lambda session: last_turn.get(session, -1))
    rounds = max((len(jobs) for jobs in by_session.values()), default=0)
    return [
        by_session[session][turn]
        for turn in range(rounds)
        for session in sessions
        if turn < len(by_session[session])
    ]
