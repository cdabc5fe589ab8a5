"""Long work beside the pages: a fair queue, a supervisor thread per job, a worker process for the work.

A process can be killed, gives its memory back and cannot take the server down. Whatever dies, the store
knows what was done, and the run can be resumed.
"""

from __future__ import annotations

from core.jobs.manager import JobManager

__all__ = ["JobManager"]
