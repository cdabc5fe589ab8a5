"""What the other tests here stand on: a network that nobody else reaches, nodes that die and join, a Postgres."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.cluster.network import reachable_from_outside
from tests.cluster.ray_nodes import ROOT, RayCluster
from tests.cluster.reaper import processes_of

ASKING = """
import json, sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
print("alive", json.dumps([node["NodeManagerAddress"] for node in ray.nodes() if node["alive"]]))
"""


def known(cluster: RayCluster) -> list[str]:
    """Addresses of the nodes that Ray believes alive, as a process of its own is told."""
    command = [sys.executable, "-c", ASKING, cluster.address]
    found = subprocess.run(
        command, cwd=ROOT, env=cluster.environment, capture_output=True, check=True, timeout=60
    )
    # Ray itself may say something between the lines.
    (told,) = [line for line in found.stdout.decode().splitlines() if line.startswith("alive ")]
    return sorted(json.loads(told.removeprefix("alive ")))


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_nobody_else_reaches_what_listens_here() -> None:
    assert not reachable_from_outside()
    assert [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]] == [
        "lo"
    ]


@pytest.mark.long
def test_a_killed_node_is_gone_and_another_joins(cluster: RayCluster) -> None:
    before = known(cluster)
    assert before == sorted(node.address for node in cluster.alive())
    lost = cluster.alive()[-1]
    lost.kill()
    assert not lost.processes()
    until(lambda: lost.address not in known(cluster))
    added = cluster.add_node()
    assert known(cluster) == sorted({*before, added.address} - {lost.address})


def test_postgres_answers_on_the_loopback(postgres: str) -> None:
    engine = create_engine(postgres)
    with engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar() == 1
    engine.dispose()


KILLED = """
import sys, time, pathlib
from tests.cluster.ray_nodes import ray_cluster
with ray_cluster(pathlib.Path(sys.argv[1]), 0) as cluster:
    cluster._reaper.stdin.write(sys.argv[2] + "\\n")
    cluster._reaper.stdin.flush()
    print("there", flush=True)
    time.sleep(60)
"""


def test_a_killed_run_leaves_no_node_behind(tmp_path: Path) -> None:
    """What stands for a node here is a session with a process that nobody waits for."""
    node = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"], start_new_session=True)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(node.pid)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "there\n"
        assert len(processes_of({node.pid})) >= 2
        run.kill()
    node.wait(20)
    until(lambda: not processes_of({node.pid}))
