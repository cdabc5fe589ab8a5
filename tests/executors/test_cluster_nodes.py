"""Which nodes of a cluster compute, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from core.executors import cluster_nodes
from core.executors.cluster_nodes import ClusterNodes, Listed


def listed(
    identity: str, cores: float = 2, *, alive: bool = True, name: str = "", host: str = "box"
) -> Listed:
    found: dict[str, Any] = {
        "NodeID": identity * 8,
        "Alive": alive,
        "NodeManagerAddress": f"10.0.0.{ord(identity)}",
        "NodeManagerHostname": host,
        "NodeName": name or f"10.0.0.{ord(identity)}",
        "Resources": {"CPU": cores, "memory": 1e9, "node:x": 1.0} if alive else {},
    }
    return found  # type: ignore[return-value]


@pytest.fixture
def nodes() -> ClusterNodes:
    return ClusterNodes("code", "2.13")


GOOD = {"code": "code", "torch": "2.13", "host": "box"}


def shown(nodes: ClusterNodes) -> dict[str, Any]:
    return {node["name"]: node for node in nodes.to_json()}  # type: ignore[index, misc, call-overload]


def test_a_node_computes_once_it_has_said_what_with(nodes: ClusterNodes) -> None:
    assert nodes.update([listed("a", host="one"), listed("b", host="two")]) == ["a" * 8, "b" * 8]
    assert nodes.roomiest() is None
    nodes.answered("a" * 8, GOOD, "")
    assert nodes.roomiest() == "a" * 8
    assert nodes.update([listed("a", host="one"), listed("b", host="two")]) == [], "asked once"
    assert shown(nodes)["one"] | {"running": 0} == {
        "name": "one",
        "cores": 2,
        "memory": 10**9,
        "torch": "2.13",
        "code": "code",
        "alive": True,
        "running": 0,
        "done": 0,
        "seconds": 0.0,
        "refused": "",
    }


@pytest.mark.parametrize(
    ("said", "error", "sentence"),
    [
        ({**GOOD, "code": "x"}, "", "box has another release of Paretoscope, or changed files: update it."),
        (
            {**GOOD, "torch": "2.12"},
            "",
            "box has torch 2.12, and this machine 2.13: install torch 2.13 there.",
        ),
        (
            {**GOOD, "torch": ""},
            "",
            r"box has torch (none), and this machine 2.13: install torch 2.13 there.",
        ),
        (
            None,
            "ModuleNotFoundError: No module named 'core'",
            "box does not find Paretoscope: start Ray there in the project's folder, with PYTHONPATH=.",
        ),
    ],
)
def test_one_that_differs_computes_nothing(nodes: ClusterNodes, said: Any, error: str, sentence: str) -> None:
    nodes.update([listed("a")])
    nodes.answered("a" * 8, said, error)
    assert nodes.roomiest() is None
    assert shown(nodes)["box"]["refused"] == sentence
    assert nodes.update([listed("a")]) == []


def test_one_that_could_not_answer_is_asked_again(nodes: ClusterNodes) -> None:
    nodes.update([listed("a")])
    nodes.answered("a" * 8, None, "the node has died")
    assert nodes.update([listed("a")]) == ["a" * 8]


def test_one_that_turns_out_to_differ_computes_no_longer(nodes: ClusterNodes) -> None:
    nodes.update([listed("a")])
    nodes.answered("a" * 8, GOOD, "")
    nodes.refuse("a" * 8)
    assert nodes.roomiest() is None


def test_calls_go_where_there_is_room(nodes: ClusterNodes) -> None:
    for identity, cores, name in (("a", 1, "small"), ("b", 3, "large"), ("c", 0, "head")):
        nodes.update([listed(identity, cores, name=name)])
        nodes.answered(identity * 8, GOOD, "")
    places = []
    for _ in range(4):
        node = nodes.roomiest()
        assert node is not None
        nodes.count(node, 1)
        places.append(nodes.name(node))
    assert sorted(places) == ["large", "large", "large", "small"]
    nodes.count("a" * 8, -1)
    assert nodes.roomiest() == "a" * 8


def test_who_lost_a_call_comes_last_for_a_while(nodes: ClusterNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(cluster_nodes.time, "monotonic", lambda: now[0])
    nodes.update([listed("a", 8), listed("b", 1)])
    for identity in "ab":
        nodes.answered(identity * 8, GOOD, "")
    nodes.suspect("a" * 8, gone=False)
    assert nodes.roomiest() == "b" * 8
    nodes.count("b" * 8, 1)
    assert nodes.roomiest() == "a" * 8, "better than a queue"
    nodes.count("b" * 8, -1)
    now[0] += 21
    assert nodes.roomiest() == "a" * 8


def test_a_call_knows_sooner_that_its_node_is_dead(
    nodes: ClusterNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(cluster_nodes.time, "monotonic", lambda: now[0])
    nodes.update([listed("a")])
    nodes.answered("a" * 8, GOOD, "")
    nodes.suspect("a" * 8, gone=True)
    nodes.update([listed("a")])
    assert nodes.roomiest() is None
    assert shown(nodes)["box"]["alive"] is False
    now[0] += 41
    nodes.update([listed("a")])
    assert nodes.roomiest() == "a" * 8, "it was unreachable for a moment"


def test_the_dead_compute_nothing_and_stay_in_the_list(nodes: ClusterNodes) -> None:
    nodes.update([listed("a"), listed("z", alive=False)])
    nodes.answered("a" * 8, GOOD, "")
    assert set(shown(nodes)) == {"box"}, "who had gone before is nobody"
    nodes.update([listed("a", alive=False)])
    assert nodes.roomiest() is None
    assert (shown(nodes)["box"]["alive"], shown(nodes)["box"]["cores"]) == (False, 2)


def test_names_are_unique(nodes: ClusterNodes) -> None:
    nodes.update([listed("a"), listed("b"), listed("c", name="mine")])
    nodes.update([listed("a"), listed("b"), listed("c", name="mine"), listed("d", name="mine")])
    assert set(shown(nodes)) == {"box (aaaaaa)", "box (bbbbbb)", "mine", "mine (dddddd)"}


def test_whoever_joins_is_waited_for_until_it_has_answered_or_is_silent(
    nodes: ClusterNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(cluster_nodes.time, "monotonic", lambda: now[0])
    assert not nodes.compute()
    nodes.update([listed("h", 0, name="head")])
    assert not nodes.compute()
    assert not nodes.being_asked(), "it has no cores to say anything of"
    nodes.update([listed("h", 0, name="head"), listed("a", name="new")])
    assert nodes.compute()
    assert nodes.being_asked()
    nodes.answered("a" * 8, GOOD, "")
    assert not nodes.being_asked()
    nodes.update([listed("b", name="silent")])
    assert nodes.being_asked()
    now[0] += 61
    assert not nodes.being_asked()
    assert sorted(nodes.alive()) == ["a" * 8, "b" * 8, "h" * 8]
    assert not nodes.any_refused()
    nodes.answered("b" * 8, {**GOOD, "code": "x"}, "")
    nodes.update([listed("b", name="silent", alive=False)])
    assert nodes.any_refused(), "it is remembered"
    assert sorted(nodes.alive()) == ["a" * 8, "h" * 8]
