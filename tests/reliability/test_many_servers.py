"""Two servers and four workers on one Postgres, killed and stopped at random: nothing acknowledged is lost, every run is
done without a person's help, none twice, and what comes out is what comes out undisturbed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.many_servers import ManyServers, undisturbed
from tests.store.databases import Postgres, reason_to_skip

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc"),
    pytest.mark.skipif(
        bool(reason_to_skip() or os.environ.get("PARETOSCOPE_TEST_POSTGRES")),
        reason=reason_to_skip() or "this needs a Postgres of its own",
    ),
]
WORKFLOWS = "tests.reliability.acknowledged"
ALL = ("measurements", "metrics", "artifacts", "checkpoint")
TRAINING: dict[str, Any] = {
    "title": "small",
    "family": "elastic_cnn",
    "config": {"groups": [{"widths": [2, 4]}, {"widths": [4, 8]}], "kernel_transform": True},
    "data": {"name": "digits"},
    "training": {"strategy": "progressive_shrinking", "epochs": 12, "seed": 3},
}
SEARCH: dict[str, Any] = {
    "supernet": "digits-cnn",
    "algorithm": "nsga2",
    "config": {"population": 20},
    "budget": 160,
    "seed": 5,
    "use_table": False,
}
EVALUATION: dict[str, Any] = {"supernet": "digits-cnn", "objectives": ["accuracy", "macs"]}


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


def campaign(servers: ManyServers, *numbers: int, run_seconds: float) -> None:
    try:
        done = servers.disturb(*numbers, run_seconds)
    finally:
        servers.close()
    print(done)
    assert (done.workers_killed, done.servers_killed, done.paused) == numbers
    assert done.fenced >= done.paused
    assert done.acknowledged["measurements"] > 0
    assert done.acknowledged["checkpoints"] > 0


@pytest.mark.slow
def test_a_few_kills_and_a_stopped_server(postgres: Postgres, tmp_path: Path) -> None:
    kinds = [
        undisturbed("train_toy", {"steps": 40, "seconds_per_step": 0.02}, ALL),
        undisturbed("search_toy", {"steps": 40, "seconds_per_step": 0.02}, ALL),
    ]
    servers = ManyServers(postgres.url, tmp_path, kinds, WORKFLOWS, seed=1, lease_seconds=3.0)
    campaign(servers, 4, 1, 1, run_seconds=60)


@pytest.mark.long
def test_the_same_with_work_that_takes_no_time(postgres: Postgres, tmp_path: Path) -> None:
    """Kills come closer together than a real worker needs to load what it computes with."""
    kinds = [
        undisturbed("train_toy", {"steps": 150, "seconds_per_step": 0.02}, ALL),
        undisturbed("search_toy", {"steps": 150, "seconds_per_step": 0.02}, ALL),
    ]
    servers = ManyServers(postgres.url, tmp_path, kinds, WORKFLOWS, seed=11, lease_seconds=5.0)
    campaign(servers, 100, 20, 6, run_seconds=600)


@pytest.mark.long
def test_a_hundred_workers_and_twenty_servers(postgres: Postgres, tmp_path: Path) -> None:
    kinds = [
        undisturbed("train_supernet", TRAINING, ("metrics", "checkpoint")),
        undisturbed("search_front", SEARCH, ("measurements", "metrics", "artifacts")),
        undisturbed("evaluate_table", EVALUATION, ("artifacts",)),
    ]
    servers = ManyServers(postgres.url, tmp_path, kinds, WORKFLOWS, seed=7, lease_seconds=6.0)
    campaign(servers, 100, 20, 6, run_seconds=1200)
