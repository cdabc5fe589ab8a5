"""The Supernets page: gallery and filters, a page per supernet, what was understood of a file, rename, delete, bundles."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.library import gathered, supernets
from core.library.correct import known_bits
from core.library.package_supernet import export_supernet
from core.records import Measurement, RunState
from pages.ui import resources
from tests.helpers.supernet_files import measured_bundle

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("checked_here")]
Open = Callable[..., AppTest]


def texts(app: AppTest) -> str:
    html = [element.proto.body for element in app.get("html")]
    return "\n".join([*html, *(e.value for e in (*app.markdown, *app.caption, *app.success, *app.error))])


def load(app: AppTest, name: str, data: bytes) -> AppTest:
    return app.file_uploader(key="supernet-upload").upload(name, data, "application/octet-stream").run()


def add(open_page: Open, data: bytes) -> supernets.SupernetEntry:
    app = load(open_page("supernets"), "tiny.zip", data)
    app.button(key="supernet-add").click().run()
    assert not app.exception
    [kept] = resources.store().list_supernets()
    return supernets.find(resources.store(), kept.supernet_id)


def shown(app: AppTest) -> set[str]:
    return {
        str(b.key).removeprefix("gallery-open-") for b in app.button if str(b.key).startswith("gallery-open-")
    }


def test_what_a_file_is_stands_there_before_it_is_added(open_page: Open) -> None:
    app = load(open_page("supernets"), "tiny.zip", measured_bundle()[1])
    said = texts(app)
    assert "**Exported supernet**" in said
    assert "**48 subnets** from 7 choices" in said
    assert "**Smallest**: 8.23 k MACs, 320 parameters" in said
    assert "complete table comes with it" in said
    assert resources.store().list_supernets() == [], "nothing was kept yet"


def test_an_exported_supernet_comes_back_whole(open_page: Open) -> None:
    _, data = measured_bundle()
    entry = add(open_page, data)
    assert entry.title == "Tiny, measured"
    assert export_supernet(entry) == data, "bit for bit: weights, table, which samples were right, card"
    assert known_bits(entry).by_split["validation"].n_samples == 20
    [run] = resources.store().list_runs()
    assert (run.kind, run.state) == ("evaluate_table", RunState.DONE)
    front = open_page("front", supernet=entry.supernet_id)
    assert "of **48** subnets" in texts(front)
    app = load(open_page("supernets"), "again.zip", data)
    app.button(key="supernet-add").click().run()
    assert "in the library already" in " ".join(e.value for e in app.info)
    assert len(resources.store().list_runs()) == 1


def test_a_file_that_is_nothing_is_one_sentence(open_page: Open) -> None:
    app = load(open_page("supernets"), "x.zip", b"PK\x03\x04 nothing")
    [error] = app.error
    assert "nothing that can be loaded here" in error.value
    assert not any(b.key == "supernet-add" for b in app.button)


def test_the_gallery_is_filtered_by_name_task_and_family(open_page: Open) -> None:
    entry = add(open_page, measured_bundle()[1])
    app = open_page("supernets")
    assert shown(app) == {entry.supernet_id, "digits-cnn", "digits-lesson", "fashion-cnn"}
    assert texts(app).count('class="ps-thumbnail" src="data:image/svg+xml;base64,') == 4
    app.text_input(key="gallery-words").set_value("TINY").run()
    assert shown(app) == {entry.supernet_id}
    assert app.query_params["named"] == "TINY"
    app.text_input(key="gallery-words").set_value("zzz").run()
    assert shown(app) == set()
    assert "Loosen a filter" in " ".join(e.value for e in app.info)
    linked = open_page("supernets", named="digits", task="image")
    assert shown(linked) == {"digits-cnn", "digits-lesson"}
    assert shown(open_page("supernets", family="elastic_cnn")) == {
        entry.supernet_id,
        "digits-cnn",
        "digits-lesson",
        "fashion-cnn",
    }


def test_a_supernet_has_a_page_and_a_way_back(open_page: Open) -> None:
    app = open_page("supernets")
    app.button(key="gallery-open-digits-cnn").click().run()
    assert app.query_params["supernet"] == "digits-cnn"
    said = texts(app)
    assert "**13,824 subnets**, from 12 choices" in said
    assert "It comes with Paretoscope" in said
    assert "where depth1 is 2" in said
    assert not any(str(b.key).startswith(("delete-", "evaluate-", "rename")) for b in app.button)
    app.button(key="details-back").click().run()
    assert "digits-cnn" in shown(app)
    gone = open_page("supernets", supernet="nobody")
    assert "not here" in " ".join(e.value for e in gone.warning)
    assert "digits-cnn" in shown(gone)


def test_rename_and_delete(open_page: Open) -> None:
    entry = add(open_page, measured_bundle()[1])
    app = open_page("supernets", supernet=entry.supernet_id)
    assert "Exported supernet" in texts(app), "what it was loaded from is kept"
    app.text_input(key=f"details-name-{entry.supernet_id}").set_value("Another name").run()
    app.button(key="rename-supernet").click().run()
    assert "Another name" in app.header[0].value
    assert resources.store().get_supernet(entry.supernet_id).name == "Another name"
    assert "1 complete table" in texts(app), "what would be lost is said"
    delete = f"delete-{entry.supernet_id}"
    assert app.button(key=delete).disabled
    app.checkbox(key=f"details-sure-{entry.supernet_id}").check().run()
    app.button(key=delete).click().run()
    assert not app.exception
    assert resources.store().list_supernets() == []
    assert shown(app) == {"digits-cnn", "digits-lesson", "fashion-cnn"}


def test_what_was_measured_of_some_is_said_in_the_gallery_and_on_the_front(open_page: Open) -> None:
    store = resources.store()
    with zipfile.ZipFile(io.BytesIO(measured_bundle()[1])) as archive:
        supernet_id = store.add_supernet("Half", archive.read("supernet.safetensors"), {})
    entry = supernets.find(store, supernet_id)
    assert "No front yet" in texts(open_page("supernets"))
    run_id = store.create_run("search_front", {"supernet": supernet_id}, title="A search")
    archs = [tuple(row) for row in entry.space.array()[:8].tolist()]
    made = [
        Measurement(a, {"accuracy": (0.1 * n) ** 0.5, "macs": 1000.0 * (n + 1)}) for n, a in enumerate(archs)
    ]
    store.ledger(run_id).add_measurements(0, made)
    store.set_state(run_id, RunState.DONE)
    assert gathered.counts_by_supernet(store) == {supernet_id: {run_id: 8}}
    assert "8 measured · uploaded" in texts(open_page("supernets"))
    front = open_page("front", supernet=supernet_id)
    said = texts(front)
    assert "The best of 8 measured subnets of 48, not the exact front." in said
    assert "of **8** measured subnets of 48" in said
    assert front.button(key="measure-near")
    assert front.button(key="evaluate-all"), "small enough to be measured whole"
