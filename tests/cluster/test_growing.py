"""A cluster that starts machines as work waits for them, and ends them when none does; Ray plays such machines on this one."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import CoreError, InvalidInput
from core.executors import EXECUTORS, Node, Session
from core.executors.ray_executor import nodes_at
from tests.cluster.ray_nodes import RayCluster, ray_cluster
from tests.cluster.test_ray_faults import naps, other_code

pytestmark = [pytest.mark.cluster, pytest.mark.long]
_MOST = 2


@contextmanager
def growing(before: Sequence[str] = ()) -> Iterator[RayCluster]:
    """A head without cores, and up to two nodes of one core that Ray's own fake machines are."""
    folder, port = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp")), 6500
    worker = {"resources": {"CPU": 1, "object_store_memory": 100 << 20}, "node_config": {}, "labels": {}}
    lists = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    config = {
        "cluster_name": "fake",
        "max_workers": _MOST,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 0.05,
        "provider": {
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": f"127.0.0.1:{port}",
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {**worker, "min_workers": 0, "max_workers": _MOST},
        },
        "head_node_type": "ray.head.default",
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
        **{f"{name}_commands": [] for name in lists},
    }
    told = folder / "autoscaling.json"
    told.write_text(json.dumps(config))
    environment = {
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    }
    try:
        with ray_cluster(folder, 0, port=port) as cluster:
            cluster.of_head = ([f"--autoscaling-config={told}"], environment)
            cluster.add_node(0, before)
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


HEAD_ID = "f" * 51 + "00000"


def until(session: Session, condition: Callable[[list[Node]], bool], seconds: float = 60) -> list[Node]:
    deadline = time.monotonic() + seconds
    while not condition(nodes := session.nodes()):
        assert time.monotonic() < deadline, nodes
        time.sleep(0.2)
    return nodes


def computing(nodes: list[Node]) -> int:
    return sum(node.alive and node.cores > 0 and not node.refused for node in nodes)


def test_it_grows_with_what_waits_and_shrinks_when_nothing_does(
    own_network: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with growing() as cluster:
        use(cluster, monkeypatch)
        with pytest.raises(CoreError, match="has no node that computes"):  # who looks has no work for any
            nodes_at(cluster.address)
        executor = EXECUTORS.create("ray", {"address": cluster.address})
        with executor.opened({}) as session:  # a first node is there because somebody has come to compute
            assert computing(session.nodes()) == 1
            places = {done.node for done in session.run(naps(tmp_path, 24, 1.0)) if done is not None}
            assert len(places) == _MOST
            until(session, lambda nodes: computing(nodes) == 0)


def test_machines_that_would_be_refused_are_not_asked_for_again(
    own_network: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with growing(other_code(tmp_path)) as cluster:
        use(cluster, monkeypatch)
        cluster.add_node(1)  # as it should be
        executor = EXECUTORS.create("ray", {"address": cluster.address})
        with executor.opened({}) as session:
            began = time.monotonic()
            places = {done.node for done in session.run(naps(tmp_path, 30, 1.0)) if done is not None}
            assert time.monotonic() - began > 25, "long enough for a second one to be started"
            nodes = session.nodes()
            refused = [node for node in nodes if node.refused]
            assert len(refused) == 1, "another was started all the same"
            assert len(places) == 1
            assert refused[0].name not in places
            assert "another release" in capsys.readouterr().err
    with growing(other_code(tmp_path)) as cluster:
        use(cluster, monkeypatch)
        executor = EXECUTORS.create("ray", {"address": cluster.address})
        with pytest.raises(InvalidInput, match="another release"), executor.opened({}):
            pass


def use(cluster: RayCluster, patch: pytest.MonkeyPatch) -> None:
    for name, value in cluster.environment.items():
        if name.startswith("RAY_"):
            patch.setenv(name, value)
