"""Searching, training and loading from the pages; hostile names and files on all of them."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.records import Measurement, RunState
from core.settings import ASSETS
from pages.ui import resources
from tests.pages.conftest import PAGES
from tests.plots.test_number_formats import HOSTILE

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
DIGITS = ASSETS / "supernets" / "digits-cnn" / "supernet.safetensors"


def wait(app: AppTest, run_id: str, seconds: float = 90) -> None:
    run = resources.jobs().wait(run_id, seconds)
    assert run.state is RunState.DONE, run.message
    app.run()
    assert not app.exception


def test_a_search_runs_and_its_front_opens(open_page: Open) -> None:
    app = open_page("search")
    app.number_input(key="search-budget").set_value(120)
    app.button(key="search-start").click().run()
    assert not app.exception
    [run] = resources.store().list_runs()
    assert run.kind == "search_front"
    wait(app, run.run_id)
    assert any("search-front" in e.proto.id for e in app.get("plotly_chart"))
    assert any("search-hypervolume" in e.proto.id for e in app.get("plotly_chart"))
    front = open_page("front", supernet="digits-cnn", run=run.run_id)
    assert "120" in " ".join(m.value for m in front.markdown)


def test_what_if_measures_what_no_table_has(open_page: Open) -> None:
    app = open_page("search")
    app.number_input(key="search-budget").set_value(8)
    app.button(key="search-start").click().run()
    [run] = resources.store().list_runs()
    wait(app, run.run_id)
    front = open_page("front", supernet="digits-cnn", run=run.run_id)
    table = resources.search_table(run.run_id, 8, supernets.find(None, "digits-cnn"))
    before = len(table)
    for name in ("width1", "width2", "width3"):
        chooser = next(
            s for s in front.selectbox if str(s.key).startswith("pick-if-") and str(s.key).endswith(name)
        )
        chooser.set_value(
            chooser.options[1] if str(chooser.value) != chooser.options[1] else chooser.options[2]
        )
    front.run()
    assert not front.exception
    [chart] = [e for e in front.get("plotly_chart") if "front-chart" in e.proto.id]
    assert '"what-if"' in chart.proto.spec
    assert len(table) == before


def test_a_search_for_one_objective_is_explained(open_page: Open) -> None:
    store = resources.store()
    run_id = store.create_run(
        "search_front", {"supernet": "digits-cnn", "objectives": ["accuracy"]}, title="one"
    )
    entry = supernets.find(store, "digits-cnn")
    store.ledger(run_id).add_measurements(0, [Measurement(entry.space.largest, {"accuracy": 0.9})])
    store.set_state(run_id, RunState.DONE)
    assert open_page("front", supernet="digits-cnn", run=run_id).info
    open_page("search", supernet="digits-cnn")


def test_repeats_are_runs_with_seeds_of_their_own(open_page: Open) -> None:
    app = open_page("search")
    app.number_input(key="search-budget").set_value(20)
    app.number_input(key="search-repeats").set_value(3)
    app.button(key="search-start").click().run()
    assert sorted(r.seed for r in resources.store().list_runs()) == [0, 1, 2]


def test_a_training_starts_and_can_be_cancelled(open_page: Open) -> None:
    app = open_page("supernets")
    app.number_input(key="train-epochs-digits-cnn").set_value(500)
    app.button(key="train-start").click().run()
    assert not app.exception
    [run] = resources.store().list_runs()
    assert run.kind == "train_supernet"
    assert run.params["training"]["epochs"] == 500
    app.run()
    app.button(key=f"cancel-{run.run_id}").click().run()
    deadline = time.monotonic() + 20
    while not resources.store().get_run(run.run_id).state.is_final and time.monotonic() < deadline:
        time.sleep(0.05)
    assert resources.store().get_run(run.run_id).state is RunState.CANCELLED
    app.run()
    assert app.button(key=f"resume-{run.run_id}")


def test_all_settings_can_be_opened(open_page: Open) -> None:
    app = open_page("supernets")
    app.toggle(key="train-more").set_value(True)
    app.toggle(key="train-space").set_value(True).run()
    assert not app.exception
    assert not app.error
    assert not app.button(key="train-start").disabled
    assert app.text_input(key="train-space-digits-cnn-elastic_cnn-groups-0-widths").value == "1, 2, 4, 8"


def test_a_supernet_file_can_be_loaded_and_deleted(open_page: Open) -> None:
    app = open_page("supernets")
    app.file_uploader(key="supernet-upload").upload(
        "mine.safetensors", DIGITS.read_bytes(), "application/octet-stream"
    ).run()
    app.button(key="supernet-add").click().run()
    assert not app.exception
    [kept] = resources.store().list_supernets()
    assert kept.name == "mine"
    front = open_page("front", supernet=kept.supernet_id)
    assert front.button(key="evaluate-all")


def test_an_unmeasured_supernet_is_measured_and_shows_its_exact_front(open_page: Open) -> None:
    from core.supernets.files import build, dump_supernet

    group = {"depths": [1], "kernels": [3]}
    supernet = build("elastic_cnn", {"groups": [{"widths": [2, 4], **group}, {"widths": [2, 4, 8], **group}]})
    supernet_id = resources.store().add_supernet(
        "small", dump_supernet(supernet, {"data": {"name": "digits", "seed": 0}}), {}
    )
    app = open_page("front", supernet=supernet_id)
    app.button(key="evaluate-all").click().run()
    [run] = resources.store().list_runs()
    assert run.kind == "evaluate_table"
    wait(app, run.run_id)
    front = open_page("front", supernet=supernet_id)
    assert f"**{supernet.space.size}**" in " ".join(m.value for m in front.markdown)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x05pickle",
        b"\xff" * 100,
        b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ",
        DIGITS.read_bytes()[:-7],
    ],
    ids=range(5),
)
def test_a_bad_file_is_one_plain_sentence_and_changes_nothing(open_page: Open, data: bytes) -> None:
    app = open_page("supernets")
    app.file_uploader(key="supernet-upload").upload("bad.safetensors", data, "application/octet-stream").run()
    if not app.error:
        app.button(key="supernet-add").click().run()
    assert not app.exception
    [error] = app.error
    assert "weights_only" not in error.value
    assert resources.store().list_supernets() == []


def test_hostile_names_are_plain_text_on_every_page(open_page: Open) -> None:
    store = resources.store()
    weights = DIGITS.read_bytes()
    seen: set[str] = set()
    for name in HOSTILE:
        shown = name[:80].replace("\x00", "") or "x"
        run_id = store.create_run(
            "search_front", {"supernet": "digits-cnn", "objectives": ["accuracy", "macs"]}, title=shown
        )
        store.set_state(run_id, RunState.FAILED, name[:500].replace("\x00", ""))
    named = store.add_supernet(HOSTILE[0], weights, {"data": {"name": "<img src=x>"}})
    first, second = f"subnet:{named}:000000000000", f"subnet:{named}:311131113111"
    chosen = {
        "similarity": {"models": f"{first},{second}", "a": first, "b": second},
        "pruning": {"parent": first},
    }
    for page in [*PAGES, *chosen]:
        app = open_page(page)
        if page in chosen and page in seen:
            for key, value in chosen[page].items():
                app.query_params[key] = value
            app.run()
            assert not app.exception
            assert named in str([box.value for box in app.selectbox])
        seen.add(page)
        for element in [*app.markdown, *app.caption]:
            text = element.value
            assert "<script" not in text.replace("\\<", "")
            assert "](javascript" not in text
            assert "![x](" not in text
        for element in app.get("html"):
            assert "<script" not in element.proto.body
            # Our own small pictures bring their pixels along; a picture in a name would ask for an address.
            own = r'<img (class="ps-thumbnail" )?src="data:image/(png|svg\+xml);base64,'
            assert "<img" not in re.sub(own, "", element.proto.body)


def test_damage_is_found_and_said(open_page: Open) -> None:
    app = open_page("search")
    app.number_input(key="search-budget").set_value(10)
    app.button(key="search-start").click().run()
    [run] = resources.store().list_runs()
    wait(app, run.run_id)
    app = open_page("runs")
    app.button(key="check-store").click().run()
    assert app.success
    [artifact, *_] = resources.store().ledger(run.run_id).artifacts()
    file = resources.store().home / "blobs" / artifact.sha256
    if not file.exists():
        [file] = [p for p in (resources.store().home / "blobs").rglob("*") if artifact.sha256 in p.name]
    file.chmod(0o600)
    file.write_bytes(b"changed")
    app.button(key="check-store").click().run()
    assert app.error


def test_chart_file_and_link_mean_the_search_that_is_drawn(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, str] = {}
    monkeypatch.setattr(
        "streamlit.download_button",
        # Optuna's files have tests of their own.
        lambda label, data, *_, **__: label.endswith(" file") or files.update({label: data().decode()}),
    )
    store = resources.store()
    entry = supernets.find(store, "digits-cnn")
    ids, archs = {}, {}
    for seed, arch in enumerate((entry.space.smallest, entry.space.largest)):
        params = {"supernet": "digits-cnn", "objectives": ["accuracy", "macs"], "seed": seed}
        run_id = ids[seed] = store.create_run("search_front", params, title=f"seed {seed}", seed=seed)
        archs[seed] = entry.space.to_dict(arch)
        store.ledger(run_id).add_measurements(0, [Measurement(arch, {"accuracy": 0.9, "macs": 5.0})])
        store.set_state(run_id, RunState.DONE)

    def meant(app: AppTest) -> set[int]:
        """Seeds of the search that each part of the page is about."""
        [link] = [e.proto for e in app.get("page_link") if e.proto.label == "Open on the Front page"]
        [chart] = [e.proto for e in app.get("plotly_chart") if "search-front" in e.proto.id]
        [said] = [c.value for c in app.caption if c.value.startswith("Drawn above")]
        [row] = csv.DictReader(io.StringIO(files["Evaluations as CSV"]))
        return {
            next(s for s, run_id in ids.items() if run_id in link.query_string),
            next(s for s, arch in archs.items() if arch == json.loads(row["architecture"])),
            json.loads(files["About the columns"])["algorithm"]["seed"],
            next(s for s, run_id in ids.items() if run_id in chart.id),
            int(said[-2]),
        }

    app = open_page("search")
    for chosen in (1, 0, 1):
        app.selectbox(key="search-drawn").set_value(ids[chosen]).run()
        assert not app.exception
        assert meant(app) == {chosen}
    app = open_page("search")
    app.query_params["supernet"], app.query_params["run"] = "digits-cnn", ids[0]
    app.run()
    assert meant(app) == {0}, "a link names one"
