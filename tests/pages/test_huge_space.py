"""A space of more than 10^10 subnets: every page opens and works on what was sampled, and nothing asks for all of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.library.supernets import SupernetEntry
from core.records import Measurement, RunState
from core.seeding import stream
from core.spaces import SearchSpace
from core.spaces.spread import spread_rows
from core.workflows.measure_sample import SAMPLED
from pages.ui import resources
from tests.helpers.huge import SIZE, huge_file
from tests.pages.conftest import PAGES

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
SAID = "The best of 60 measured subnets of 2.2 × 10¹⁰, not the exact front."


@pytest.fixture
def huge(monkeypatch: pytest.MonkeyPatch) -> SupernetEntry:
    """In the store; whoever lists a space of more than a million, or walks through one, fails."""

    def listed(self: SearchSpace, *args: object, **more: object) -> np.ndarray:
        assert self.size < 1_000_000, "the whole space was asked for"
        return original(self, *args, **more)

    original = SearchSpace.array
    monkeypatch.setattr(SearchSpace, "array", listed)
    monkeypatch.setattr(SearchSpace, "iter_arrays", lambda self, *a: pytest.fail("the whole space is walked"))
    supernet_id = resources.store().add_supernet("Huge", huge_file(), {"family": "elastic_cnn"})
    entry = supernets.find(resources.store(), supernet_id)
    assert entry.space.size == SIZE > 10**10
    return entry


def sampled(entry: SupernetEntry, n: int = 60) -> None:
    """A sample with planted accuracies."""
    store, space = resources.store(), entry.space
    rows = spread_rows(space, n, stream(0, "x"), lambda r: supernets.counted(entry, r, "macs").astype(float))
    macs = supernets.counted(entry, rows, "macs")
    rng = np.random.default_rng(0)
    accuracy = np.round((0.3 + 0.6 * np.sqrt(macs / macs.max())) * rng.uniform(0.8, 1, n) * 40) / 40
    made = [
        Measurement(tuple(row), {"accuracy": float(a), "macs": float(m)}, {"accuracy": SAMPLED})
        for row, a, m in zip(rows.tolist(), accuracy, macs, strict=True)
    ]
    run_id = store.create_run(
        "measure_sample",
        {"supernet": entry.supernet_id, "n": n, "objectives": ["accuracy", "macs"]},
        title="A sample",
    )
    store.ledger(run_id).add_measurements(0, made)
    store.set_state(run_id, RunState.DONE)


def said(app: AppTest) -> str:
    html = [element.proto.body for element in app.get("html")]
    return "\n".join([*html, *(e.value.replace("\\", "") for e in (*app.markdown, *app.caption))])


def test_nothing_is_measured_yet_and_a_sample_is_offered(open_page: Open, huge: SupernetEntry) -> None:
    app = open_page("front", supernet=huge.supernet_id)
    assert "too large to measure whole" in said(app)
    assert "2.2 × 10¹⁰ subnets" in said(app)
    assert not any(b.key == "evaluate-all" for b in app.button)
    assert app.button(key="sample-start").label == "Measure a sample"


def test_the_front_of_a_sample_says_everywhere_what_it_is(open_page: Open, huge: SupernetEntry) -> None:
    sampled(huge)
    app = open_page("front", supernet=huge.supernet_id)
    assert SAID in said(app)
    assert "of **60** measured subnets of 2.2 × 10¹⁰" in said(app)
    spec = app.get("plotly_chart")[0].proto.spec
    assert "the best of 60 measured subnets of 2.2 \\u00d7 10" in spec or "the best of 60" in spec
    assert "whole space" not in spec
    [facts] = [m for m in app.markdown if "on the front of" in m.value]
    assert "of what was measured; the exact front's is at least as large" in facts.help
    assert "Of the 60 measured subnets alone." in app.button(key="knee-distance").help
    assert "and samples do not keep which samples" in open_until_known(app)
    near = app.button(key="measure-near")
    assert "neighbors of the knee" in near.label
    assert not any(b.key == "evaluate-all" for b in app.button)
    near.click().run()
    [new, _] = resources.store().list_runs(kind="measure_sample")
    assert len(new.params["around"]) == 1


def test_a_search_of_something_else_beside_it_is_told_for_what_it_is(
    open_page: Open, huge: SupernetEntry
) -> None:
    sampled(huge)
    store = resources.store()
    run_id = store.create_run("search_front", {"supernet": huge.supernet_id}, title="By loss")
    other = tuple(huge.space.sample_array(1, stream(0, "other"))[0].tolist())
    store.ledger(run_id).add_measurements(0, [Measurement(other, {"loss": 0.5})])
    store.set_state(run_id, RunState.DONE)
    app = open_page("front", supernet=huge.supernet_id)
    page = said(app)
    assert "1 subnet is left off: validation accuracy was never measured for it." in page
    assert "hollow" not in page, "nothing was predicted"
    assert "proxy" not in page
    assert "nan" not in page
    assert "<td class='value'>not measured</td><td class='how'></td>" in page, "the knee's loss"


def open_until_known(app: AppTest) -> str:
    """What the page says once it is known how sure the front is."""
    import time

    for _ in range(50):
        if "Searches and samples" in (text := said(app.run())):
            return text
        time.sleep(0.05)
    return text


@pytest.mark.parametrize("panel", ["third", "parallel", "importance", "several"])
def test_every_closer_look_works_on_the_sample(open_page: Open, huge: SupernetEntry, panel: str) -> None:
    sampled(huge)
    app = open_page("front", supernet=huge.supernet_id, closer=panel, beside="supernets")
    assert not app.error
    if panel == "importance":
        assert "60 of 2.2 × 10¹⁰ subnets" in said(app)
    if panel == "several":
        assert "Huge: the best of 60 measured subnets of 2.2 × 10¹⁰." in said(app)
        assert "hypervolume" in said(app)


@pytest.mark.parametrize("page", [name for name in PAGES if name != "front"])
def test_every_page_opens(open_page: Open, huge: SupernetEntry, page: str) -> None:
    sampled(huge)
    query = {"supernet": huge.supernet_id} if page in ("search", "supernets") else {}
    app = open_page("front", supernet=huge.supernet_id)
    app.query_params.clear()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception, app.exception[0].message
    assert not app.error


def test_a_search_may_begin_with_the_sample(open_page: Open, huge: SupernetEntry) -> None:
    sampled(huge)
    [run] = resources.store().list_runs(kind="measure_sample")
    app = open_page("search", supernet=huge.supernet_id)
    assert "too large for one" in said(app)
    begin = next(box for box in app.selectbox if box.key == "search-warm")
    assert begin.options == ["nothing", run.title]
