"""The database of a server restarts while a job runs: the worker waits and goes on, and so does the manager."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import DatabaseAway
from core.jobs import JobManager
from core.records import RunState
from core.store import RunStore
from tests.store.databases import Postgres, reason_to_skip

Until = Callable[..., object]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(reason_to_skip() or os.environ.get("PARETOSCOPE_TEST_POSTGRES")),
        reason=reason_to_skip() or "this needs a Postgres that it may stop",
    ),
]


def test_a_job_outlives_a_restart_of_its_database(tmp_path: Path, until: Until) -> None:
    postgres = Postgres()
    try:
        with RunStore(postgres.url, tmp_path) as store:
            manager = JobManager(store, takes_up=True)
            run_id = manager.submit("train_toy", {"steps": 60, "seconds_per_step": 0.03}, title="t")
            until(lambda: len(store.ledger(run_id).metrics()) > 5)
            postgres.stop()
            worker = manager.worker_pid(run_id)
            with pytest.raises(DatabaseAway, match="does not answer"):
                manager.submit("train_toy", {}, title="while it is away")
            time.sleep(2.0)
            assert manager.worker_pid(run_id) == worker, "the worker waits"
            postgres.start()
            later = manager.submit("search_toy", {"steps": 3}, title="afterwards")
            for each in (run_id, later):
                assert manager.wait(each, 60).state is RunState.DONE
            assert len(store.ledger(run_id).measurements()) == 240
            assert [row["step"] for row in store.ledger(run_id).metrics()] == list(range(1, 61))
            assert [each.attempt for each in started(store)] == [1, 1]
            assert (store.check(), manager.taken_up) == ([], ())
            manager.close()
            manager.sandboxes.close()
    finally:
        postgres.close()


def started(store: RunStore) -> list[Any]:
    from sqlalchemy import select

    from core.store.schema import RunRow

    with store._database.read() as connection:
        return list(connection.execute(select(RunRow.attempt)))
