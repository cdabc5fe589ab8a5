"""predict.py for texts and for a graph: known answers, and one plain sentence for what does not fit."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from core.datasets import write_npz
from core.export.exporting import export_subnet
from core.export.predict_script import predict_script
from core.export.predicting import common, predict_graph, predict_tokens
from core.tasks.registry import TASKS
from tests.export.subnets import data_of, subnet

SCRIPTS = {"elastic_bert": predict_tokens, "elastic_encoder": predict_tokens, "elastic_gcn": predict_graph}
Run = Callable[[str, dict[str, Any]], tuple[int, str, str]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for family in SCRIPTS:
        made[family] = tmp_path_factory.mktemp(family)
        (made[family] / "bundle.zip").write_bytes(export_subnet(subnet(family)).data)
        with zipfile.ZipFile(made[family] / "bundle.zip") as archive:
            archive.extractall(made[family])
        write_npz(data_of(family), "test", made[family] / "test.npz")
    return made


@pytest.fixture
def run(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """(exit status, output, errors) of a family's predict.py on its test data with some arrays changed."""

    def one(family: str, changes: dict[str, Any]) -> tuple[int, str, str]:
        monkeypatch.setattr(common, "HERE", folders[family])
        monkeypatch.setattr(sys, "path", [*sys.path])
        monkeypatch.delitem(sys.modules, "model", raising=False)
        with np.load(folders[family] / "test.npz") as file:
            arrays = {name: array for name, array in (dict(file) | changes).items() if array is not None}
        np.savez(folders[family] / "changed.npz", **arrays)
        script: ModuleType = SCRIPTS[family]
        status = 0
        try:
            script.main([str(folders[family] / "changed.npz")])
        except SystemExit as end:
            status = int(str(end.code))
        monkeypatch.delitem(sys.modules, "model", raising=False)
        return status, *capsys.readouterr()

    return one


@pytest.mark.parametrize("family", SCRIPTS)
def test_it_prints_what_the_card_says(run: Run, family: str) -> None:
    entry = subnet(family).card["test_accuracy"]
    status, out, err = run(family, {})
    assert (status, err) == (0, "")
    assert json.loads(out) == {"accuracy": entry.value, "correct": entry.correct, "n": entry.n}


def test_without_a_mask_token_0_is_padding(run: Run) -> None:
    assert run("elastic_encoder", {"mask": None}) == run("elastic_encoder", {})


@pytest.mark.parametrize(
    ("family", "changes", "says"),
    [
        ("elastic_encoder", {"x": None}, "x (tokens) and y (labels)"),
        ("elastic_encoder", {"x": np.ones((80, 18))}, "float64"),
        ("elastic_encoder", {"x": np.full((80, 18), 999)}, "outside 0 to"),
        ("elastic_encoder", {"x": np.ones((80, 19), np.int64)}, "(n, 18)"),
        ("elastic_encoder", {"mask": np.ones((80, 18))}, "true or false"),
        ("elastic_encoder", {"y": np.full(80, 6)}, "0 to 5"),
        ("elastic_gcn", {"edges": None}, "edges (edges)"),
        ("elastic_gcn", {"edges": np.full((2, 3), 300)}, "outside 0 to 299"),
        ("elastic_gcn", {"edges": np.zeros((3, 2), np.int64)}, "(2, e)"),
        ("elastic_gcn", {"x": np.zeros((300, 15))}, "(nodes, 16)"),
        ("elastic_gcn", {"x": np.full((300, 16), np.nan)}, "not finite"),
        ("elastic_gcn", {"y": np.zeros(301, np.int64)}, "first nodes"),
        ("elastic_gcn", {"y": np.zeros(0, np.int64)}, "first nodes"),
    ],
)
def test_what_does_not_fit_gives_one_sentence(
    run: Run, family: str, changes: dict[str, Any], says: str
) -> None:
    status, out, err = run(family, changes)
    assert (status, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("task", TASKS.names())
def test_the_script_in_a_download_is_one_text_without_this_project(task: str) -> None:
    text = predict_script(task).decode()
    compile(text, "predict.py", "exec")
    assert "core." not in text
    assert text.startswith('"""Run this subnet on')
    assert text.index("try:") < text.index("import torch")
