"""What becomes of calls when processes, nodes and heads die, join late, or are not what the driver is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import CoreError, InvalidInput
from core.executors import EXECUTORS, Call, Executor, Session
from core.executors.ray_executor import nodes_at
from tests.cluster.ray_nodes import ROOT, RayCluster
from tests.helpers.elsewhere import children
from tests.helpers.executor_contract import call, rests, until

pytestmark = pytest.mark.cluster


@pytest.fixture
def executor(cluster: RayCluster) -> Executor:
    return EXECUTORS.create("ray", {"address": cluster.address})


def naps(folder: Path, n: int, seconds: float = 0.3) -> Iterator[Call]:
    return (
        call(f"n{i}", "nap", {"name": f"n{i}", "seconds": seconds, "folder": str(folder)}) for i in range(n)
    )


@pytest.mark.long
def test_a_node_dies_and_its_call_goes_on_elsewhere_from_its_checkpoint(
    cluster: RayCluster, executor: Executor, tmp_path: Path
) -> None:
    lost = next(node for node in cluster.alive() if node is not cluster.head)
    asked = {"to": 40, "folder": str(tmp_path), "pause": 0.1}
    kept: dict[str, int] = {}
    with executor.opened({"a": b"x" * 2_000_000}) as session:
        running = session.run(
            (call(name, "counts", {**asked, "name": name}) for name in ("one", "two")),
            keep=lambda key, checkpoint, fraction: kept.update({key: int(checkpoint)}),
        )
        while min(kept.get("one", 0), kept.get("two", 0)) < 5:
            next(running)
        lost.kill()
        found = {done.key: done.value.split() for done in running if done is not None}
        assert sorted(found) == ["one", "two"]
        begins = sorted(found.values(), key=len)
        assert begins[0] == [b"0"], "the other was not disturbed"
        assert [int(b) >= 5 for b in begins[1]] == [False, True], "it went on from a checkpoint"
        until(lambda: [node.alive for node in session.nodes()].count(False) == 1, 20)
        # The place of the dead one is taken by a node that joins late.
        assert session.slots == 1
        joined = cluster.add_node()
        until(lambda: session.nodes() and session.slots == 2, 30)
        places = {done.node for done in session.run(naps(tmp_path, 6)) if done is not None}
        assert len(places) == 2
        assert joined in cluster.alive()


def test_cancelling_is_quick_and_leaves_nothing(executor: Executor, tmp_path: Path) -> None:
    with executor.opened({}) as session:
        running = session.run(naps(tmp_path, 50, seconds=60))
        while not (tmp_path / "n1.alive").exists():
            next(running)
        started = time.monotonic()
    running.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 2
    until(lambda: all(rests(tmp_path / f"n{i}.alive", 0.5) for i in range(2)), 2)
    assert not (tmp_path / "n2.began").exists(), "what was not given out is not started"


def test_calls_end_with_a_driver_that_is_killed(cluster: RayCluster, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom core.executors import EXECUTORS\n"
        "from tests.cluster.test_ray_faults import naps\n"
        "with EXECUTORS.create('ray', {'address': sys.argv[1]}).opened({}) as session:\n"
        "    list(session.run(naps(Path(sys.argv[2]), 2, 60)))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code, cluster.address, str(tmp_path)], cwd=ROOT)
    alive = tmp_path / "n1.alive"
    until(alive.exists, 60)
    driver.kill()
    driver.wait()

    until(lambda: rests(alive), 10)


def kill_connection() -> bool:
    """SIGKILL to the process that speaks with the cluster for this one, as Ray ends it at faults of its own; whether there was one."""
    found = children("core.executors.ray_link")
    for pid in found:
        os.kill(pid, 9)
    return bool(found)


def test_a_connection_that_ends_is_made_again(
    executor: Executor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"to": 30, "folder": str(tmp_path), "pause": 0.1}
    kept: dict[str, int] = {}
    with executor.opened({"a": b"x"}) as session:
        running = session.run(
            (call(name, "counts", {**asked, "name": name}) for name in ("one", "two")),
            keep=lambda key, checkpoint, fraction: kept.update({key: int(checkpoint)}),
        )
        while min(kept.get("one", 0), kept.get("two", 0)) < 5:
            next(running)
        assert kill_connection()
        found = {done.key: done.value.split() for done in running if done is not None}
        assert [[int(b) >= 5 for b in found[name]] for name in ("one", "two")] == [[False, True]] * 2
        assert "connecting again" in capsys.readouterr().err
        # What ends it between two runs is noticed by the second.
        assert kill_connection()
        assert len([done for done in session.run(naps(tmp_path, 4, 0.05)) if done is not None]) == 4


@pytest.mark.long
def test_a_connection_that_always_ends_is_given_up(executor: Executor, tmp_path: Path) -> None:
    def go_on(session: Session) -> None:
        for _ in session.run(naps(tmp_path, 400, 0.2)):
            kill_connection()

    sentence = r"^The connection to the Ray cluster has ended\. What was measured is kept: resume"
    with executor.opened({}) as session, pytest.raises(CoreError, match=sentence):
        go_on(session)


def other_code(folder: Path) -> list[str]:
    """A command in front of a node's, for which one of our files reads otherwise."""
    changed = folder / "words.py"
    shutil.copy(ROOT / "core" / "words.py", changed)
    with changed.open("a") as file:
        file.write("\n# changed\n")
    mount = f'mount --bind {changed} {ROOT / "core" / "words.py"} && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets no process have mounts of its own")
    return command


@pytest.mark.long
def test_a_node_with_other_code_is_refused_by_name(
    cluster: RayCluster, executor: Executor, tmp_path: Path
) -> None:
    before = other_code(tmp_path)
    with executor.opened({}) as session:
        other = cluster.add_node(4, before)
        try:
            until(lambda: any(node.refused for node in session.nodes()), 30)
            assert session.slots == 2, "one that joins late is not used"
            places = {done.node for done in session.run(naps(tmp_path, 8, 0.1)) if done is not None}
            (refused,) = [node for node in session.nodes() if node.refused]
            assert refused.name not in places
            sentence = f"{refused.name} has another release of Paretoscope, or changed files: update it."
            assert refused.refused == sentence
            with pytest.raises(InvalidInput, match="has another release of Paretoscope"), executor.opened({}):
                pass
            assert sum(bool(node.refused) for node in nodes_at(cluster.address)) == 1
        finally:
            other.kill()


def test_a_head_that_dies_ends_the_run_with_a_sentence(
    cluster_to_end: RayCluster, executor: Executor, tmp_path: Path
) -> None:
    """What becomes of the run then: `test_head_dies.py`."""
    came: list[str] = []
    killed: list[float] = []

    def go_on(session: Session) -> None:
        for done in session.run(naps(tmp_path, 400, 0.2)):
            if done is not None:
                came.append(done.key)
            if len(came) == 4 and not killed:
                killed.append(time.monotonic())
                kill_head(cluster_to_end)

    with (
        executor.opened({}) as session,
        pytest.raises(
            CoreError, match=r"^The (head of|connection to) the Ray cluster has .*resume the run to go on\.$"
        ),
    ):
        go_on(session)
    assert time.monotonic() - killed[0] < 20
    assert len(came) == len(set(came)) >= 4


def kill_head(cluster: RayCluster) -> None:
    """SIGKILL to the head's own process; the machine it is on computes on."""
    (gcs,) = [pid for pid, said in cluster.head.processes() if "gcs_server" in said.split()[0]]
    os.kill(gcs, 9)


def test_what_is_told_is_json() -> None:
    """Nothing is pickled by us: what a call is told, and what it answers, are bytes that Ray carries as they are."""
    sources = [path.read_text() for path in (ROOT / "core" / "executors").glob("*.py")]
    assert not [source for source in sources if "import pickle" in source or "cloudpickle" in source]
    assert json.loads(call("k", "echo", {"a": 1}).payload) == {"a": 1}
