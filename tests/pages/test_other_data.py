"""Every page with a supernet for texts, for a graph or for sounds: it works, or says in one sentence why not."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import write_npz
from core.library import extract_subnet, supernets
from core.library.library import Library
from core.records import RunState
from core.store import RunStore
from core.workflows import evaluate_table, search_front, train_supernet
from tests.pages.conftest import PAGES

pytestmark = pytest.mark.slow

SMALL: dict[str, dict[str, Any]] = {
    "commands-encoder": {
        "config": {"widths": [4, 8], "depths": [1, 2], "heads": [1], "mlp_ratios": [1, 2], "head_size": 4},
        "data": {"name": "commands", "seed": 0, "config": {"texts": 400}},
    },
    "communities-gcn": {
        "config": {"widths": [4, 8], "depths": [1, 2], "hops": [1, 2], "mlp_ratios": [1]},
        "data": {"name": "generated_graph", "seed": 0, "config": {"nodes": 300}},
    },
    "tones-tdnn": {
        "config": {
            "channels": 16,
            "concat_channels": 16,
            "width_ratios": [0.5, 1],
            "kernels": [1, 3],
            "depths": [1],
            "dilations": [2],
        },
        "data": {"name": "tones", "seed": 0, "config": {"clips": 240, "calibration": 32}},
    },
}
FOR_IMAGES = {"similarity": ("communities-gcn", "tones-tdnn"), "pruning": ("communities-gcn", "tones-tdnn")}
"""Page -> the supernets of which it says that it is for other data."""


def finished(store: RunStore, kind: str, params: dict[str, Any], workflow: Any) -> str:
    """The id of a run that went through a workflow."""
    request = workflow.Request.model_validate(params)
    run_id = store.create_run(kind, request.model_dump(mode="json"), title=kind, seed=0)
    for _ in workflow.run(request, store.ledger(run_id), Library(store)):
        pass
    store.set_state(run_id, RunState.DONE)
    return run_id


@pytest.fixture(scope="module", params=SMALL)
def trained(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(home, id) of a supernet that was trained for an epoch and measured completely."""
    home = tmp_path_factory.mktemp(request.param)
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        params = train_supernet.preset_request(request.param) | SMALL[request.param]
        params["training"] = {**params["training"], "epochs": 1, "batch_size": 32}
        supernet = finished(store, "train_supernet", params, train_supernet)
        finished(store, "evaluate_table", {"supernet": supernet}, evaluate_table)
        search = {"supernet": supernet, "algorithm": "nsga2", "budget": 12, "use_table": False}
        finished(store, "search_front", search, search_front)
    return home, supernet


@pytest.fixture
def here(trained: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(trained[0]))
    return trained[1]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_works_or_says_why_not(
    open_page: Callable[..., AppTest], here: str, name: str, request: Any
) -> None:
    app = open_page("front", supernet=here)
    assert app.selectbox(key="pick-supernet").value == here
    if name != "front":
        app.switch_page(f"pages/{name}.py").run()
    if any(each.key == "pick-supernet" for each in app.selectbox):
        app.selectbox(key="pick-supernet").set_value(here).run()
    assert not app.exception, app.exception[0].message
    assert not app.error
    said = [each.value for each in app.info if "on images" in each.value]
    assert len(said) == (request.node.callspec.params["trained"] in FOR_IMAGES.get(name, ()))


def test_its_table_and_its_download_agree(trained: tuple[Path, str], tmp_path: Path) -> None:
    home, supernet = trained
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        entry = supernets.find(store, supernet)
        table = supernets.table(entry)
        assert table is not None
        assert len(table) == entry.space.size
        # What the evaluator found by shared prefixes is what the download prints, to the last sample.
        write_npz(supernets.dataset(entry), "test", tmp_path / "test.npz")
        for row in (0, len(table) // 2, len(table) - 1):
            arch = entry.space.from_id(table["arch_id"][row])
            exported = extract_subnet.download(entry, arch)
            with zipfile.ZipFile(io.BytesIO(exported.data)) as archive:
                archive.extractall(tmp_path)
            command = [sys.executable, "-I", str(tmp_path / "predict.py"), str(tmp_path / "test.npz")]
            done = subprocess.run(
                command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=True
            )
            assert json.loads(done.stdout)["accuracy"] == table["test_accuracy"][row]
            (tmp_path / "model.py").unlink()
