"""Notices that servers died, and ends what is left of this one where others took it for dead.

A counter that stands still means a dead owner. How long it stood is counted only while we look: who was stopped itself,
or could not reach the database, has seen nothing in that time and accuses nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from core.store import RunStore
from core.store.leases import Again, Lease
from core.store.servers import Signed
from core.store.signing import Owner

DIED = "The server that ran this has gone. What was saved is kept: the run goes on when a server starts."


class Standing:
    """For how many seconds things were seen not to change."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is seen yet; `clock` is this process's own."""
        self._clock = clock
        self._looked = clock()
        self._seen: dict[Hashable, tuple[Any, float]] = {}

    def look(self, now_seen: Mapping[Hashable, Any], most: float) -> dict[Hashable, float]:
        """Compare with the last look; what is not seen any more is forgotten.

        Args:
            now_seen: name -> how it is.
            most: seconds that count for the time since the last look, however long ago it was.

        Returns:
            Name -> seconds without a change.
        """
        now = self._clock()
        passed, self._looked = min(now - self._looked, most), now
        seen: dict[Hashable, tuple[Any, float]] = {}
        for name, how in now_seen.items():
            before, stood = self._seen.get(name, (None, 0.0))
            seen[name] = (how, stood + passed if before == how else 0.0)
        self._seen = seen
        return {name: stood for name, (_, stood) in seen.items()}


class Watch:
    """Marks servers and runs of the main store whose owner is gone."""

    def __init__(self, store: RunStore, owner: Owner) -> None:
        """Nothing is read yet; `owner` is this server."""
        self._store, self._owner = store, owner
        self._standing = Standing()

    def look(self, lease_seconds: float, look_seconds: float, again: Again | None = None) -> list[str]:
        """Interrupt the runs of dead owners, by their process here or by their standing counter elsewhere.

        Args:
            lease_seconds: an owner elsewhere whose counter stands for so long is dead.
            look_seconds: about how often this is called.
            again: how their runs are queued again at once; None to leave them interrupted.

        Returns:
            The runs whose owners were found dead.

        Raises:
            StorageFailed, DamagedArtifact: the database cannot be used.
        """
        found: dict[Hashable, Lease | Signed] = {
            ("run", lease.run_id): lease for lease in self._store.leases.of_others(self._owner)
        }
        found |= {("server", each.owner.owner_id): each for each in self._store.servers.others(self._owner)}
        cut_short = []
        stood = self._standing.look(found, 2.0 * look_seconds)
        for name, each in found.items():
            alive = each.owner.alive_here()
            if alive is False or (alive is None and stood[name] > lease_seconds):
                if not isinstance(each, Lease):
                    self._store.servers.end(each.owner, each.beat)
                elif self._store.leases.interrupt(each, DIED, again):
                    cut_short.append(each.run_id)
        return cut_short
