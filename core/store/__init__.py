"""Where runs, measurements and files are kept so that no kill and no full disk loses them.

Files first, then rows, then acknowledgement: `files` and `blobs` hold content by hash, `database` the
transactions, `run_store` and `ledger` what the rest of the program calls.
"""

from __future__ import annotations

from core.store.ledger import MemoryLedger, RunLedger
from core.store.rows import DamagedRow, StoredSupernet
from core.store.run_store import RunStore

__all__ = ["DamagedRow", "MemoryLedger", "RunLedger", "RunStore", "StoredSupernet"]
