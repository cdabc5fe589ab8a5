"""The tab that compares trainings: it starts what the form says, and shows what a comparison found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.jobs.forecast import PhaseTime, Trial
from core.library import supernets
from core.library.comparisons import KIND
from core.library.part_rows import part_file
from core.library.supernets import SUPERNET_FILE
from core.records import RunState
from core.workflows.compare_trainings import Request
from pages.ui import resources
from tests.views.test_trainings_compared import epoch, planted, record

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
TAB = "Compare trainings"


def said(app: AppTest) -> str:
    html = [element.proto.body for element in app.get("html")]
    return "\n".join(
        [*html, *(e.value for e in (*app.markdown, *app.caption, *app.info, *app.warning))]
    ).replace("\\", "")


def opened(open_page: Open) -> AppTest:
    app = open_page("supernets")
    app.session_state["supernets-tabs"] = TAB
    return app.run()


def kept(supernet: bytes, seeds: int = 3) -> str:
    """A comparison that is done, in the store; every one of its supernets is this file."""
    store = resources.store()
    found = record(planted(seeds, 0.05, sacrificed=0.05), tuple(range(seeds)))
    run_id = store.create_run(KIND, {"title": "T"}, title="A against B", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    trainings = []
    for each in found.trainings:
        name = part_file(each.index, SUPERNET_FILE)
        sha256 = ledger.save_artifact(name, supernet, "application/octet-stream")
        trainings.append(each.model_copy(update={"sha256": sha256, "bytes": len(supernet)}))
        for n in (1, 2):
            row = epoch(each.index, n, [1, 0, 0, 0, 3])
            ledger.log_metrics(int(row["step"]), {**row, "loss": 1.0, "seconds": 1.0})
    found.model_copy(update={"trainings": tuple(trainings)}).save(ledger)
    store.set_state(run_id, RunState.DONE, "Done.")
    return run_id


def test_start_runs_what_the_form_says(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = {"sandwich": 4.0, "uniform": 1.0, "sorted_net": 2.0}

    def tried(request: str) -> Trial:
        name = next(n for n in trials if f'"{n}"' in json.dumps(request))
        phase = PhaseTime(name=name, share=1.0, step=0.01 * trials[name], passes=trials[name])
        return Trial(
            kind="training", start=2.0, prepare=1.0, phases=(phase,), steps=10, after=0.1, tried="9 steps"
        )

    monkeypatch.setattr("core.jobs.trials.spawn", tried)
    app = opened(open_page)
    assert "No comparison yet" in said(app)
    app.selectbox(key="compare-preset").select("digits-lesson").run()
    app.number_input(key="compare-epochs-digits-lesson").set_value(3).run()
    app.number_input(key="compare-seeds").set_value(2).run()
    app.multiselect(key="compare-methods").set_value(["sandwich"]).run()
    assert "choose at least two" in " ".join(e.value for e in app.error)
    assert app.button(key="compare-start").disabled
    app.multiselect(key="compare-methods").set_value(["sandwich", "uniform"]).run()
    app.segmented_control(key="compare-budget").set_value("passes").run()
    for _ in range(40):
        if "Will take" in said(app):
            break
        app.run()
    assert "Epochs of equal passes: Sandwich rule 3 epochs, Uniform single path 12 epochs." in said(app)
    monkeypatch.setattr("core.jobs.manager.JobManager._dispatch", lambda self: None)
    app.button(key="compare-start").click().run()
    assert not app.exception
    [run] = resources.store().list_runs()
    asked = Request.model_validate(run.params)
    assert run.kind == KIND
    assert [m.strategy for m in asked.methods] == ["sandwich", "uniform"]
    assert (asked.seeds, asked.budget, asked.training.epochs, asked.data.name) == (2, "passes", 3, "digits")
    assert run.title == "Sandwich rule against Uniform single path on digits-lesson"


def test_a_link_shows_a_comparison_and_a_supernet_of_it_can_be_kept(
    open_page: Open, digits_entry: Any
) -> None:
    run_id = kept(digits_entry.read())
    app = open_page("supernets", comparison=run_id)
    text = said(app)
    assert "A is better than B (+3." in text
    assert "The rule: of each training" in text
    assert "Who is behind, and where" in " ".join(e.value for e in app.subheader)
    assert app.query_params["comparison"] == run_id
    for shown in ("Loss by size", "Accuracy by epoch", "Gradients"):
        app.segmented_control(key="compare-how").set_value(shown).run()
        assert not app.exception, shown
    assert app.selectbox(key="compare-pair").value == "smallest and largest"
    assert len(supernets.entries(resources.store())) == len(supernets.entries()), (
        "nothing is in the gallery by itself"
    )
    app.button(key="compare-keep-1").click().run()
    mine = [e for e in supernets.entries(resources.store()) if e.origin == "trained"]
    assert [entry.title for entry in mine] == ["T: B, seed 0"]
    assert not any(b.key == "compare-keep-1" for b in app.button)
    app.button(key="compare-open-1").click().run()
    assert app.query_params["supernet"] == mine[0].supernet_id


def test_a_link_to_a_comparison_that_is_not_here_says_so(open_page: Open) -> None:
    app = open_page("supernets", comparison="0" * 32)
    assert "asks for the comparison of trainings" in said(app)
    assert "comparison" not in app.query_params
