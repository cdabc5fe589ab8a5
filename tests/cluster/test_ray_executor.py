"""What every executor promises, on Ray; and that the cluster sees what waits for room."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.executors import EXECUTORS, Call, Session
from tests.cluster.ray_nodes import ROOT, RayCluster
from tests.helpers.executor_contract import SHARED, ExecutorContract, call

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def one_session(ray_nodes: RayCluster) -> Iterator[Session]:
    """One for all: opening takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ray_nodes.environment.items():
            if name.startswith("RAY_"):
                patch.setenv(name, value)
        with EXECUTORS.create("ray", {"address": ray_nodes.address}).opened(SHARED) as session:
            yield session


class TestRay(ExecutorContract):
    @pytest.fixture
    def session(self, one_session: Session) -> Session:
        return one_session


WATCHING = """
import json, sys, time
from ray._raylet import GcsClient
from ray.autoscaler.v2.sdk import get_cluster_resource_state
client = GcsClient(address=sys.argv[1])
while True:
    found = get_cluster_resource_state(client).pending_resource_requests
    asked = [dict(each.request.resources_bundle) for each in found for _ in range(each.count)]
    print(json.dumps(asked), flush=True)
    time.sleep(0.2)
"""


@contextmanager
def demand(cluster: RayCluster, log: Path) -> Iterator[Callable[[], Any]]:
    """What an autoscaler would be told now: the resources of each thing that waits; None before the first word."""
    command = [sys.executable, "-c", WATCHING, cluster.address]
    with log.open("wb") as out:
        watching = subprocess.Popen(command, cwd=ROOT, env=cluster.environment, stdout=out)

    def told() -> Any:
        lines = log.read_text().split("\n")[:-1]
        return json.loads(lines[-1]) if lines else None

    try:
        yield told
    finally:
        watching.kill()
        watching.wait()


def test_what_waits_is_seen_by_the_cluster_and_taken_back(
    ray_nodes: RayCluster, one_session: Session, tmp_path: Path
) -> None:
    left = [f"n{i}" for i in range(7)]

    def naps() -> Iterator[Call]:
        while left:
            name = left.pop(0)
            yield call(name, "nap", {"name": name, "seconds": 60, "folder": str(tmp_path)})

    def until(running: Iterator[Any], waits: int) -> None:
        deadline = time.monotonic() + 30
        while told() != [{"CPU": 1.0}] * waits:
            assert time.monotonic() < deadline, f"{told()}, and not {waits}"
            next(running)

    with demand(ray_nodes, tmp_path / "demand.jsonl") as told:
        running = one_session.run(naps(), waiting=lambda: len(left))
        until(running, 5)
        running.close()  # type: ignore[attr-defined]
        idle = one_session.run(iter(lambda: None, 1))
        until(idle, 0)
        idle.close()  # type: ignore[attr-defined]
        left += ["one", "two", "three", "four"]
        running = one_session.run(naps())  # which does not say how many
        until(running, 1)
        running.close()  # type: ignore[attr-defined]
