"""Faults of a class: leaks between students, and quotas that do not hold."""

from __future__ import annotations

from tests.mutation.fault import Fault

_RESOURCES, _WITHIN, _DISPATCHING = "pages/ui/resources.py", "core/jobs/within.py", "core/jobs/dispatching.py"
_SANDBOXES = "core/store/sandboxes.py"
_ISOLATED, _OF_JOBS = ("tests/pages/test_isolation.py",), ("tests/jobs/test_sandbox_jobs.py",)
_OF_STORES = ("tests/store/test_sandboxes.py",)

FAULTS = [
    Fault(
        "a student's page works on the home's store",
        _RESOURCES,
        "        return sandboxes().open(which)",
        "        return home_store()",
        _ISOLATED,
    ),
    Fault(
        "a table kept by a run's id is shown to whoever brings the id",
        _RESOURCES,
        "_search_table(place(), run_id",
        '_search_table("", run_id',
        _ISOLATED,
    ),
    Fault(
        "equal weights of two students are one entry of the caches",
        "core/library/supernets.py",
        "{self.place and '-'}{self.place}\"",
        '"',
        _ISOLATED,
    ),
    Fault(
        "a file made after the page is of the home's run",
        "pages/ui/front/hero.py",
        "kept = resources.quiet_store()",
        "kept = resources.home_store()",
        _ISOLATED,
    ),
    Fault(
        "a student cancels by id in any store",
        _WITHIN,
        "state = self.store.leases.request_cancel(run_id)",
        "state = RunState.RUNNING",
        _OF_JOBS,
    ),
    Fault(
        "a student has as many waiting jobs as anybody",
        _WITHIN,
        ">= MOST_WAITING",
        ">= 60",
        _OF_JOBS,
    ),
    Fault(
        "a student has two running jobs",
        _DISPATCHING,
        "if job.sandbox_id is not None and self.is_busy(job.sandbox_id):",
        "if False:",
        _OF_JOBS,
    ),
    Fault(
        "a class has as many heavy workers as one person",
        _DISPATCHING,
        '_IN_CLASS = (("training", "measuring"), ("light",))',
        "_IN_CLASS = _APART",
        _OF_JOBS,
    ),
    Fault(
        "paused jobs start",
        _DISPATCHING,
        "if job.sandbox_id not in self._paused and",
        "if",
        _OF_JOBS,
    ),
    Fault(
        "a sandbox holds twice its megabytes",
        _SANDBOXES,
        "if used + n_bytes >= self.most:",
        "if used + n_bytes >= 2 * self.most:",
        _OF_STORES,
    ),
    Fault(
        "an upload that only a student names is thrown away",
        "core/store/uploads.py",
        "used = used_uploads(connection) | used_elsewhere()",
        "used = used_uploads(connection)",
        _OF_STORES,
    ),
]
