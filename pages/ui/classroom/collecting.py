"""What students' jobs and the contest still owe the class: fetched from the sandboxes, kept in the class's own rows."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from core.classes import contest
from core.classes.experiment import result_of
from core.errors import CoreError

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.sandboxes import Sandboxes

_LONG_SECONDS = 20.0


def fetch(store: RunStore, sandboxes: Sandboxes, code: str, student_id: str | None = None) -> None:
    """Keep results that have come; judge entries that the end of a server left open.

    Args:
        store: of the classes.
        sandboxes: of their students.
        code: of the class.
        student_id: whose alone, if given.
    """
    for deal in store.class_work.deals(code):
        mine = student_id in (None, deal.student_id)
        if mine and deal.run_id and deal.finished is None:
            with suppress(CoreError):
                sandbox = sandboxes.find(deal.student_id)
                found = result_of(sandbox, deal) if sandbox else None
                if found is not None:
                    store.class_work.finished(code, deal.number, found)
    for entry in store.class_work.entries(code):
        mine = student_id in (None, entry.student_id)
        if mine and entry.correct is None and time.time() - entry.created > _LONG_SECONDS:
            with suppress(CoreError):
                contest.judged(store, sandboxes.find(entry.student_id), code, entry)
