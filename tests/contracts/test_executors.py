"""What every executor promises, checked on those that need no cluster; `tests/cluster` checks Ray."""

from __future__ import annotations

import pytest

from core.executors import EXECUTORS, Executor
from tests.helpers.executor_contract import ExecutorContract

CLUSTER = {"ray"}


def test_every_executor_is_checked() -> None:
    assert set(EXECUTORS.names()) - CLUSTER == {"here", "processes"}
    for info in EXECUTORS.describe():
        assert info.summary
        assert info.source


class TestHere(ExecutorContract):
    loses = False
    slots = 1

    @pytest.fixture
    def executor(self) -> Executor:
        return EXECUTORS.create("here")


class TestProcesses(ExecutorContract):
    slots = 2

    @pytest.fixture
    def executor(self) -> Executor:
        return EXECUTORS.create("processes", {"processes": 2})
