"""Signs the lease of a run that a command executes itself, without a job manager.

On this machine the process vouches for its runs; on a shared database another machine sees only the
counter. The same thread notices when somebody cancels the run from a page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from core.errors import CoreError
from core.store import RunStore
from core.store.signing import Owner

_BEAT_SECONDS = 1.0


@contextmanager
def signed_lease(store: RunStore, owner: Owner) -> Iterator[threading.Event]:
    """Sign `owner`'s runs while the block lasts.

    Args:
        store: where the runs are.
        owner: who claimed them.

    Yields:
        An event that is set when a run of `owner` should be cancelled: check it after every step.
    """
    wanted, ended = threading.Event(), threading.Event()

    def sign() -> None:
        while not ended.wait(_BEAT_SECONDS):
            with suppress(CoreError):  # a busy or full disk for a moment: sign again in the next
                store.leases.beat(owner)
                if store.leases.cancel_requests(owner):
                    wanted.set()

    thread = threading.Thread(target=sign, name="lease", daemon=True)
    thread.start()
    try:
        yield wanted
    finally:
        ended.set()
        thread.join()
