"""A whole space on two nodes while a worker is killed, then a node, and one joins: the files of one process, byte for byte."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from core.library.library import Library
from core.library.supernets import BITS_FILE, TABLE_FILE
from core.store import MemoryLedger
from core.workflows import evaluate_table
from tests.cluster.ray_nodes import RayCluster, RayNode
from tests.store.databases import open_store

REQUEST = evaluate_table.Request(supernet="digits-cnn")
FILES = (TABLE_FILE, BITS_FILE)


@pytest.fixture(scope="module")
def by_one_process(own_network: None) -> dict[str, bytes]:
    """What one process makes, which knows of no cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PARETOSCOPE_RAY_ADDRESS", raising=False)
        ledger = MemoryLedger()
        for _ in evaluate_table.run(REQUEST, ledger, Library()):
            pass
    return {name: ledger.artifact(name) for name in FILES}


def test_the_table_is_that_of_one_process_whoever_dies(
    by_one_process: dict[str, bytes],
    cluster: RayCluster,
    postgres: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    store = open_store("postgres", tmp_path)
    ledger = store.ledger(store.create_run("evaluate_table", REQUEST.model_dump(), title="whole"))
    lost = next(node for node in cluster.alive() if node is not cluster.head)
    to_come = ["a worker dies", "a node dies", "a node joins"]
    joined: RayNode | None = None
    computed_there: set[int] = set()
    fractions = []
    for progress in evaluate_table.run(REQUEST, ledger, Library(store)):
        fractions.append(progress.fraction)
        done = len(fractions) > 3 and progress.fraction
        if to_come[:1] == ["a worker dies"] and done > 0.1 and (busy := lost.workers()):
            os.kill(busy[0], signal.SIGKILL)
            to_come.pop(0)
        elif to_come[:1] == ["a node dies"] and done > 0.25 and lost.workers():
            lost.kill()
            to_come.pop(0)
        elif to_come[:1] == ["a node joins"] and done > 0.4:
            joined = cluster.add_node()
            to_come.pop(0)
        if joined is not None:
            computed_there.update(joined.workers())
    assert not to_come, "it was over before"
    assert computed_there, "the one that joined had nothing to do"
    assert (np.diff(fractions) >= 0).all()
    again = [line for line in capfd.readouterr().err.splitlines() if "is started again" in line]
    assert len(again) >= 2, "nobody lost anything"
    for name in FILES:
        assert ledger.artifact(name) == by_one_process[name], f"{name} is another"
    store.close()
