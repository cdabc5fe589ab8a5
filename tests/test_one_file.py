"""What an addition costs: one file each, a page its folder as well. Each is added to a copy of the project, and used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.registering import ROOT, additions, copy_with_additions, files_below, run_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    copy_with_additions(folder)
    return folder


def test_what_each_addition_costs(copy: Path) -> None:
    """The copy differs from the project by these files alone, and the tests below use every one of them."""
    ours, theirs = files_below(ROOT), files_below(copy)
    added = sorted(set(theirs) - set(ours))
    assert {path: theirs[path] for path in ours} == ours
    assert added == sorted(path for paths in additions().values() for path in paths)
    cost = {kind: len(paths) for kind, paths in additions().items()}
    print("files per addition:", cost)
    page = additions()["page"]
    assert [p for p in page if not p.startswith("pages/ui/glossary/")] == ["pages/glossary.py"]
    one_each = ("attack", "block", "exporter", "family", "lesson", "loss", "objective", "strategy")
    assert cost == dict.fromkeys(one_each, 1) | {"page": len(page)}


NETWORKS = """
import numpy as np, torch
from core.datasets import load_dataset
from core.evaluation.evaluator import evaluate_table
from core.export.base import EXPORTERS
from core.export.exporting import export_subnet
from core.export.subnet import extract_subnet
from core.library import tables as tables
from core.library.fronts import front
from core.networks.cut import compact, removable_groups
from core.networks.file import dump_net, load_net
from core.objectives.base import objective
from core.supernets.files import build, dump_supernet, load_supernet
from core.tasks.base import evaluation_data, task_of

data = load_dataset("digits", limit_train=200, calibration=50)
torch.manual_seed(0)
net = build("two_layers", {"widths": [3, 5, 8], **task_of(data).settings_from(data)})
rows = net.space.array()
names = ("accuracy", "confidence", "macs")
table = evaluate_table(net, rows, names, evaluation_data(data, ("validation",)))
again, _ = load_supernet(dump_supernet(net, {}))
frame = tables.parse_table(tables.dump_table(net.space, rows, table), net.space)
members = front(frame, ("macs", "confidence")).members
subnet = extract_subnet(net, net.largest, data, title="toy")
exported = export_subnet(subnet, "npz_weights")
bundle = export_subnet(subnet, "bundle")
small = compact(subnet.net, {g.name: np.arange(2) for g in removable_groups(subnet.net)})
loaded, _ = load_net(dump_net(small, (1, 8, 8), {}))
print(len(frame), objective("confidence").label, "confidence" in frame, len(members) > 0)
print(exported.file_name.endswith(".npz"), len(bundle.data) > 1000, tuple(loaded(torch.rand(2, 1, 8, 8)).shape))
print([t for t in ("npz_weights",) if t in EXPORTERS.names()])
"""


def test_objective_block_family_and_exporter_are_one_file_each(copy: Path) -> None:
    assert run_in(copy, "-c", NETWORKS).splitlines() == [
        "3 Confidence True True",
        "True True (2, 10)",
        "['npz_weights']",
    ]


TRAINING = """
from core.datasets import load_dataset
from core.registry import ALL_REGISTRIES
from core.store import MemoryLedger
from core.supernets.elastic_cnn import ElasticCNN, ElasticCNNConfig
from core.training.config import TrainingConfig
from core.training.loop import train
ledger = MemoryLedger()
data = load_dataset("digits", limit_train=64, calibration=32, limit_validation=50, limit_test=50)
config = TrainingConfig(strategy="only_largest", epochs=2, batch_size=32)
list(train(ElasticCNN(ElasticCNNConfig()), data, config, ledger))
print([m["phase"] for m in ledger.metrics()], ledger.metrics()[0]["loss"] > 10)
print([(i.name, i.label) for k in ("loss", "strategy") for i in ALL_REGISTRIES[k].describe() if i.source == "a test"])
"""


def test_a_loss_and_a_strategy_are_one_file_each(copy: Path) -> None:
    """The copy trains with both, lists both, and runs the strategy's own action."""
    assert run_in(copy, "-c", TRAINING).splitlines() == [
        "noted at 1",
        "['a', 'b'] True",
        "[('ten_times_labels', 'Ten times'), ('only_largest', 'Only the largest')]",
    ]


APP = """
import json
import streamlit as st
from streamlit.testing.v1 import AppTest
import core.runtime
core.runtime.heavy_imports_in_background = core.runtime.freeze = lambda: None
listed, navigation = [], st.navigation
st.navigation = lambda pages, **given: (listed.append(pages), navigation(pages, **given))[1]
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception, app.exception
print([(p.title, p.icon, p.url_path) for p in listed[-1] if p.visibility != "hidden"][4:7])
app.switch_page("pages/glossary.py").run()
assert not app.exception, app.exception
print(app.title[0].value, "Confidence" in app.table[0].value["name"].tolist())
app.switch_page("pages/pruning.py").run()
assert not app.exception, app.exception
print(app.toggle(key="pr-darken").label)
print("Darken" in json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["xaxis"]["ticktext"])
"""


def test_an_attack_is_one_file_and_a_page_is_one_and_its_folder(copy: Path) -> None:
    """The attack is chosen at the terminal and offered by the form, its column is drawn; the page is in the menu."""
    flags = ["--method", "l1-filters", "--sparsity", "0.5", "--epochs", "0", "--attacks", "darken"]
    printed = run_in(copy, "-m", "core", "prune", "digits-cnn", "--arch", "311131113111", *flags)
    assert json.loads(printed.splitlines()[-1])["method"] == "l1_filters"
    assert run_in(copy, "-c", APP).splitlines() == [
        "[('Similarity', ':material/compare:', 'similarity'), ('Pruning', ':material/content_cut:', 'pruning'), "
        "('Glossary', ':material/dictionary:', 'glossary')]",
        "Glossary True",
        "Darken",
        "True",
    ]
    assert "darken" in run_in(copy, "-m", "core", "list", "attack")


OBJECTIVE = """
import json
import streamlit as st
from streamlit.testing.v1 import AppTest
import core.runtime
core.runtime.heavy_imports_in_background = core.runtime.freeze = lambda: None
from core.cli.driving import open_store
[run] = open_store().list_runs(kind="search_front")
app = AppTest.from_file("app.py", default_timeout=60)
app.query_params.update({"supernet": "digits-cnn", "run": run.run_id, "y": "confidence", "x": "macs"})
app.run()
assert not app.exception, app.exception
print(app.selectbox(key="axis-y").value, "Confidence" in app.get("plotly_chart")[0].proto.spec)
print(any("Confidence" in each.proto.body for each in app.get("html")))
app.switch_page("pages/search.py").run()
assert not app.exception, app.exception
print("Confidence" in [str(o) for o in app.multiselect(key="search-objectives").options])
"""


def test_an_objective_is_in_searches_tables_commands_on_axes_and_cards(copy: Path) -> None:
    """One file, and nothing else knows its name."""
    flags = ["--objectives", "confidence,macs", "--budget", "12", "--no-use-table"]
    table = run_in(copy, "-m", "core", "search", "digits-cnn", *flags).splitlines()
    assert table[0].split(",")[1:3] == ["confidence", "macs"]
    assert run_in(copy, "-c", OBJECTIVE).splitlines() == ["confidence True", "True", "True"]


LESSON = """
import streamlit as st
from streamlit.testing.v1 import AppTest
import core.runtime
core.runtime.heavy_imports_in_background = core.runtime.freeze = lambda: None
app = AppTest.from_file("app.py", default_timeout=60).run()
app.switch_page("pages/learn.py").run()
def press(key):
    app.button(key=key).click().run()
    assert not app.exception, app.exception
press("lesson-open-last_points")
press("lesson-next")
app.radio(key="ls-predict").set_value("9").run()
press("lesson-predict")
press("lesson-reveal")
print(any("The last five points cost" in each.value for each in app.markdown))
press("lesson-next")
from core.lessons.base import LESSONS, evidence_of
from core.library.library import Library
lesson = LESSONS.create("last_points")
app.number_input(key="ls-answer").set_value(int(lesson.answer(evidence_of(lesson, Library(None)), {}))).run()
press("lesson-check")
print("right" in app.success[0].value)
"""


def test_a_lesson_is_one_file(copy: Path) -> None:
    """It is on the map, taken to its end, named by the command line and by the teacher's guide."""
    assert run_in(copy, "-c", LESSON).splitlines() == ["True", "True"]
    assert "What do the last points cost?" in run_in(copy, "-m", "core", "list", "lesson")
    assert "What do the last points cost?" in run_in(copy, "-m", "core", "teachers-guide")
