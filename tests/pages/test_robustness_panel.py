"""The panel on robustness: what it starts, and what a finished sample looks like."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.records import Measurement, RunState
from core.store import RunStore
from core.views.robustness import MEASURED
from core.workflows.measure_sample import Request
from pages.ui import resources


def sampled(store: RunStore, *, robust: bool) -> str:
    entry = supernets.find(None, "digits-cnn")
    objectives = [*MEASURED] if robust else ["accuracy", "macs"]
    asked = Request(supernet="digits-cnn", n=12, objectives=objectives)
    run_id = store.create_run("measure_sample", asked.model_dump(), title="made", state=RunState.RUNNING)
    rng = np.random.default_rng(0)
    made = [
        Measurement(
            entry.space.sample(rng),
            {name: float(rng.random() + (name == "macs") * 1000) for name in objectives},
        )
        for _ in range(12)
    ]
    ledger = store.ledger(run_id)
    ledger.add_measurements(0, made)
    store.set_state(run_id, RunState.DONE)
    return run_id


@pytest.mark.slow
def test_it_starts_a_sample_under_attack_and_shows_the_newest_and_no_other(
    open_page: Callable[..., AppTest],
) -> None:
    app = open_page("front", closer="robustness")
    assert app.button(key="robustness-start").label == "Attack 40 subnets"
    assert not [e for e in app.get("plotly_chart") if e.proto.id.endswith("robustness-chart")]
    sampled(resources.store(), robust=False)
    sampled(resources.store(), robust=True)
    app = open_page("front", closer="robustness")
    [chart] = [e.proto for e in app.get("plotly_chart") if e.proto.id.endswith("robustness-chart")]
    assert len(json.loads(chart.spec)["data"][0]["x"]) == 12
    assert "12 subnets under attack" in " ".join(e.value for e in app.caption)
    app.session_state["robustness-against"] = "fsp_distance"
    app.run()
    [chart] = [e.proto for e in app.get("plotly_chart") if e.proto.id.endswith("robustness-chart")]
    assert json.loads(chart.spec)["layout"]["xaxis"]["title"]["text"].startswith("FSP distance")
    app.button(key="robustness-start").click().run()
    assert not app.exception
    every = resources.store().list_runs(kind="measure_sample")
    [started] = [run for run in every if run.title.endswith("under attack")]
    assert started.params["objectives"] == [*MEASURED]
    assert started.params["n"] == 40
    assert started.seed == 1
