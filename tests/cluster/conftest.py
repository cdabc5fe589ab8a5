"""Two Ray nodes and a Postgres on the loopback of a network of their own. `make test-cluster` makes that network."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cluster.network import reachable_from_outside
from tests.cluster.ray_nodes import RayCluster, ray_cluster
from tests.store.databases import reason_to_skip, start_postgres

_NODES = 2
_POSTGRES_PORT = 5433


@pytest.fixture(scope="session", autouse=True)
def own_network() -> None:
    """Nothing here listens where anybody else could reach it."""
    if reachable_from_outside():
        pytest.skip("these tests run in a network of their own, where a machine allows it: make test-cluster")


@pytest.fixture(scope="session")
def ray_nodes(own_network: None) -> Iterator[RayCluster]:
    """A head and a node beside it, of one core each, for all tests; they may kill what they want but the head."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: make setup-cluster")
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    try:
        with ray_cluster(folder, _NODES) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(ray_nodes: RayCluster, monkeypatch: pytest.MonkeyPatch) -> RayCluster:
    """The cluster with both nodes alive, and this process set to use it."""
    while len(ray_nodes.alive()) < _NODES:
        ray_nodes.add_node()
    for name, value in ray_nodes.environment.items():
        if name.startswith("RAY_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("PARETOSCOPE_RAY_ADDRESS", ray_nodes.address)
    return ray_nodes


@pytest.fixture
def cluster_to_end(cluster: RayCluster) -> RayCluster:
    """The same, and its head may be killed: who asks for it comes last."""
    return cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: "cluster_to_end" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def postgres(own_network: None) -> str:
    """The SQLAlchemy URL of a Postgres on the loopback, for all tests; `open_store("postgres", home)` makes it empty."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    if "PARETOSCOPE_TEST_POSTGRES" not in os.environ:
        os.environ["PARETOSCOPE_TEST_POSTGRES"] = start_postgres(_POSTGRES_PORT)
    return os.environ["PARETOSCOPE_TEST_POSTGRES"]
