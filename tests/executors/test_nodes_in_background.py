"""Nodes are asked by a thread: who looks never waits."""

from __future__ import annotations

import threading
import time

from core.errors import CoreError
from core.executors.calls import Node
from core.executors.nodes_in_background import FRESH_SECONDS, NodesInBackground, Told

NODE = Node("a", 2, 1, "t", "c")


def until(asked: NodesInBackground, address: str) -> Told:
    deadline = time.monotonic() + 5
    while (told := asked.look(address)).asking:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return told


def test_who_looks_does_not_wait_and_one_question_is_asked_at_a_time() -> None:
    answer, questions, now = threading.Event(), [], [0.0]

    def ask(address: str) -> list[Node]:
        questions.append(address)
        assert answer.wait(5)
        return [NODE]

    asked = NodesInBackground(ask, lambda: now[0])
    begun = time.perf_counter()
    assert [asked.look("head") for _ in range(50)] == [Told(asking=True)] * 50
    assert time.perf_counter() - begun < 1.0
    answer.set()
    assert until(asked, "head") == Told((NODE,))
    assert questions == ["head"]
    now[0] += FRESH_SECONDS - 1
    asked.look("head")
    assert questions == ["head"], "the answer is fresh"
    now[0] += 2
    assert asked.look("head") == Told((NODE,), asking=True), "the old one is shown meanwhile"
    until(asked, "head")
    assert until(asked, "other") == Told((NODE,))
    assert questions == ["head", "head", "other"]


def test_a_cluster_that_is_not_there_is_a_sentence_and_a_fault_is_none_of_its_words() -> None:
    errors: list[Exception] = [CoreError("There is no cluster at head."), RuntimeError("inner words")]

    def ask(address: str) -> list[Node]:
        raise errors.pop(0)

    now = [0.0]
    asked = NodesInBackground(ask, lambda: now[0])
    assert until(asked, "head").said == "There is no cluster at head."
    now[0] += FRESH_SECONDS + 1
    assert "inner" not in until(asked, "head").said
