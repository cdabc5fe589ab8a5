"""What lies beyond this machine, in words and rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.executors.calls import Node
from core.executors.nodes_in_background import Told
from core.records import Run, RunState
from core.store.servers import JOBS, PAGES, Server, Work
from core.views import cluster as view
from core.views.cluster import Place
from core.words import format_share


def server(name: str, **more: Any) -> Server:
    given = {"host": "h", "pid": 7, "version": "1", "does": JOBS, "workers": 1, "since": 100.0}
    return Server(owner_id=more.pop("owner_id", name), name=name, **{**given, **more})


def run(run_id: str, state: RunState, **more: Any) -> Run:
    return Run(run_id=run_id, kind="train", title=f"run {run_id}", params={}, seed=0, state=state, **more)


ONE, TWO = server("one", does=PAGES), server("two", workers=2, runs=("b",), since=40.0)
RUNS = [run("a", RunState.QUEUED), run("b", RunState.RUNNING, fraction=0.25)]


@pytest.mark.parametrize(
    ("place", "servers", "shown"),
    [
        (Place(), [], False),
        (Place(), [ONE], False),
        (Place(), [ONE, TWO], True),
        (Place(device="cuda (float32)"), [ONE], True),
        (Place(ray_address="a:1"), [ONE], True),
        (Place(files="s3://b"), [ONE], True),
    ],
)
def test_it_is_shown_where_there_is_something_beyond_this_machine(
    place: Place, servers: list[Server], shown: bool
) -> None:
    assert view.is_worth_showing(place, servers) is shown


def test_the_headline_counts_servers_runs_and_says_where_things_are() -> None:
    said = view.headline(Place(), [ONE, TWO], RUNS)
    assert said == "**2 servers**; 1 run at work, 1 waiting. Computing on the processor, files in the home."
    far = Place("CUDA (bf16)", "head:6379", "s3://Bucket/x")
    said = view.headline(far, [ONE, replace(TWO, draining=True)], [])
    assert said.startswith(
        "**2 servers**, 1 of them taking new work; 0 runs at work, 0 waiting. Computing on CUDA (bf16)"
    )
    assert "files in `s3://Bucket/x`" in said
    assert "`head:6379`" in said


def test_what_is_wrong_says_what_to_press() -> None:
    drained = [replace(each, draining=True) for each in (ONE, TWO)]
    assert view.what_is_wrong([ONE, drained[1]], RUNS) == ""
    assert "stays in the queue" in view.what_is_wrong(drained, RUNS)
    assert "before you start anything" in view.what_is_wrong(drained, [])
    assert "different versions (1, 2)" in view.what_is_wrong([ONE, replace(TWO, version="2")], [])
    assert view.what_is_wrong([], []) == ""


def test_a_row_says_who_it_is_what_it_does_and_what_it_has_done() -> None:
    first, second = view.server_rows([ONE, TWO], {"two": Work(3, 20.0, 500)}, RUNS, me="one", now=160.0)
    assert first == {
        "server": "one, this one",
        "runs now": "nothing",
        "workers": "1",
        "up for": "1 min",
        "runs done": "0",
        "at work": "–",
        "measured / s": "–",
    }
    assert (second["server"], second["runs now"], second["runs done"]) == (
        "two, jobs only",
        f"run b ({format_share(0.25)})",
        "3",
    )
    assert (second["at work"], second["measured / s"], second["up for"]) == ("20 s", "25", "2 min")
    busy = replace(ONE, in_sandboxes=1, draining=True)
    [row] = view.server_rows([busy], {}, [], me="", now=0.0)
    assert (row["runs now"], row["up for"]) == ("1 job of students", "0 s")
    [row] = view.server_rows([replace(ONE, draining=True)], {}, [], me="", now=0.0)
    assert row["runs now"] == "nothing, takes no new work"


def test_two_servers_of_one_machine_are_told_apart() -> None:
    twin = replace(ONE, owner_id="twin", pid=8)
    assert view.names([ONE, TWO, twin], "twin") == ["one (process 7)", "two", "one (process 8), this one"]


@pytest.mark.parametrize(
    ("work", "said"),
    [(Work(1, 0.5, 9), "–"), (Work(1, 9, 0), "–"), (Work(1, 2, 1), "0.5"), (Work(1, 1, 12345), "12,345")],
)
def test_a_rate_needs_a_second_and_something_measured(work: Work, said: str) -> None:
    assert view.rate(work) == said


def test_nodes_say_whether_they_take_calls_and_why_not() -> None:
    nodes = [
        Node("a", 8, 4 << 30, "2.13", "code"),
        Node("b", 4, 0, "", ""),
        Node("c", 4, 0, "2.13", "code", alive=False),
        Node("d", 4, 0, "2.12", "code", refused="d has torch 2.12: install torch 2.13 there."),
        Node("head", 0, 0, "", ""),
    ]
    assert [row["state"] for row in view.node_rows(nodes)] == [
        "takes calls",
        "is asked",
        "gone",
        nodes[3].refused,
        "takes no calls",
    ]
    assert view.node_rows(nodes)[0]["memory"] == "4.29 GB"
    assert view.nodes_said(Told(tuple(nodes))) == (
        "2 nodes with 12 cores together. No run starts there before the refused are mended, or have left."
    )
    assert view.nodes_said(Told(tuple(nodes[:3]))) == "2 nodes with 12 cores together."
    assert "Asking" in view.nodes_said(Told(asking=True))
    assert view.nodes_said(Told(said="no cluster")) == "no cluster"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "60 min"),
        (7200, "2 h"),
        (90000, "25 h"),
        (200000, "2 days"),
    ],
)
def test_times_are_told_in_one_unit(seconds: float, said: str) -> None:
    assert view.about(seconds) == said
