"""Fairness of the queue, the estimate of the time left, and the names of workflows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotFound
from core.jobs.kinds import kinds, label_of, load_workflow, require_kind, weight_class
from core.jobs.queue import fair_order
from core.store.leases import Waiting

sessions = st.sampled_from("abcde")


def waiting(names: list[str]) -> list[Waiting]:
    return [Waiting(str(place), "train_toy", session) for place, session in enumerate(names)]


def test_a_crowd_does_not_keep_a_single_job_waiting() -> None:
    order = fair_order(waiting(["a"] * 50 + ["b"]), served=[])
    assert [job.session for job in order[:3]] == ["a", "b", "a"]


def test_who_was_served_longest_ago_is_next() -> None:
    order = fair_order(waiting(["a", "b", "c", "d"]), served=["c", "a", "b"])
    assert [job.session for job in order] == ["d", "c", "a", "b"]


@given(names=st.lists(sessions, max_size=30), served=st.lists(sessions, unique=True))
def test_everybody_keeps_their_order_and_nobody_is_two_ahead(names: list[str], served: list[str]) -> None:
    queue = waiting(names)
    order = fair_order(queue, served)
    assert sorted(order, key=lambda job: int(job.run_id)) == queue
    for session in set(names):
        own = [int(job.run_id) for job in order if job.session == session]
        assert own == sorted(own)
    total, so_far = Counter(names), Counter()
    for job in order:
        so_far[job.session] += 1
        # Nobody gets a second turn while another who still waits has not had the same number.
        for other in total:
            if so_far[other] < total[other]:
                assert so_far[job.session] <= so_far[other] + 1


@given(names=st.lists(sessions, min_size=1, max_size=30))
def test_serving_job_by_job_is_fair_too(names: list[str]) -> None:
    queue, served, log = waiting(names), [], []
    while queue:
        job = fair_order(queue, served)[0]
        queue.remove(job)
        served = [session for session in served if session != job.session] + [job.session]
        log.append(job.session)
    kinds = len(set(names))
    assert set(log[:kinds]) == set(names)


@pytest.mark.parametrize(
    "kind", ["", "os", "../evil", "train_toy.run", "__init__", "Train_toy", "x" * 99, "train_toy\n"]
)
def test_only_workflows_can_be_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKFLOWS", "tests.reliability.toys")
    assert require_kind("train_toy").name == "train_toy"
    with pytest.raises(NotFound, match="train_toy"):
        load_workflow(kind)


def test_each_workflow_says_its_label_and_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARETOSCOPE_WORKFLOWS", raising=False)
    said = {kind.name: (kind.label, kind.weight_class) for kind in kinds().values()}
    assert said["prune_experiment"] == ("Experiment", "training")
    assert said["search_front"] == ("Search", "measuring")
    assert said["map_models"] == ("Map", "light")
    # A stored run may be of a kind that is gone: it is shown, and waits with the heaviest.
    assert (label_of("gone_kind"), weight_class("gone_kind")) == ("gone kind", "training")


def test_a_workflow_without_a_label_is_a_mistake_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "unlabeled_flows"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "verb.py").write_text("class Request: ...\ndef run(request, ledger, library): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PARETOSCOPE_WORKFLOWS", "unlabeled_flows")
    with pytest.raises(ValueError, match=r"verb\.py needs a LABEL"):
        require_kind("verb")


def test_modules_that_workflows_share_are_no_kinds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "somebodys_flows"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "shared.py").write_text("raise SystemExit('imported')\ndef run(): ...\n")
    (package / "verb.py").write_text(
        "LABEL = 'A verb'\nWEIGHT_CLASS = 'light'\nclass Request: ...\ndef run(request, ledger, library): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PARETOSCOPE_WORKFLOWS", "somebodys_flows")
    assert require_kind("verb").label == "A verb"
    with pytest.raises(NotFound, match="there are: verb"):
        require_kind("shared")
