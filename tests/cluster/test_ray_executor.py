"""What every executor promises, on Ray."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.executors import EXECUTORS, Session
from tests.cluster.ray_nodes import RayCluster
from tests.helpers.executor_contract import SHARED, ExecutorContract

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
