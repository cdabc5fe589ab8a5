"""Long work beside the pages: a fair queue, a supervisor thread per job, a worker process for the work.

A process can be killed, gives its memory back and cannot take the server down. Whatever dies, the store
knows what was done, and the run can be resumed.

Importing this package imports nothing, so that a worker listens for the end of its server before it loads
anything that takes time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.jobs.manager import JobManager

__all__ = ["JobManager"]


def __getattr__(name: str) -> Any:
    if name != "JobManager":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from core.jobs.manager import JobManager

    return JobManager
