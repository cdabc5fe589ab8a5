"""The audit log as a table, and who made which run: what an administrator reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from core.library.csv_tables import csv_bytes
from core.people import Action, require
from core.store.audit import Entry
from core.text import display_name

if TYPE_CHECKING:
    from core.store import RunStore

BEFORE = "before people were told apart"
COLUMNS = ("number", "when", "who", "id", "did", "to", "outcome", "said")


def entries(store: RunStore, most: int = 200) -> list[dict[str, str]]:
    """The last entries as rows of a table, newest first; plain text.

    Raises:
        NotAllowed: who asks does not administer.
    """
    require(Action.SEE_AUDIT)
    return [_row(each) for each in store.audit.newest(most)]


def as_csv(store: RunStore) -> bytes:
    """The whole log, oldest first, for a spreadsheet.

    Raises:
        NotAllowed: who asks does not administer.
    """
    import pandas as pd

    require(Action.SEE_AUDIT)
    return csv_bytes(pd.DataFrame([_row(each) for each in store.audit.all()], columns=COLUMNS))


def made_by(store: RunStore, run_id: str) -> str:
    """Who started a run, as a sentence; plain text."""
    owner = store.owners.of(run_id)
    return f"Started {BEFORE}." if owner is None else f"Started by {owner}."


def _row(each: Entry) -> dict[str, str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(each.at))
    shown = (display_name(each.name), display_name(each.person, 220), each.action, each.about)
    values = (str(each.number), f"{when} UTC", *shown, each.outcome, display_name(each.said, 400))
    return dict(zip(COLUMNS, values, strict=True))
