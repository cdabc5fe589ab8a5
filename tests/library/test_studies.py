"""A search handed on as an Optuna storage: what Optuna reads back is what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from typer.testing import CliRunner

from core.cli.driving import open_store
from core.cli.main import app
from core.errors import InvalidInput
from core.library import supernets
from core.library.studies import ENDINGS, Form, distribution, form_of, search_study
from core.objectives.base import objectives
from core.records import Measurement, Obtained, Run, RunState, Source
from core.spaces import Choice
from core.store import MemoryLedger

ENTRY = next(entry for entry in supernets.entries(None) if entry.supernet_id == "digits-cnn")
GOALS = ("accuracy", "macs")
PARAMS = {
    "supernet": "digits-cnn",
    "algorithm": "nsga2",
    "config": {"population": 20},
    "objectives": [*GOALS],
}
RUN = Run("r1", "search_front", "A search", PARAMS, 7, RunState.DONE)


def measured() -> list[tuple[int, Measurement]]:
    space = ENTRY.space
    rows = [tuple(row) for row in space.array()[:: space.size // 7].tolist()][:6]
    predicted = {"accuracy": Obtained(Source.PREDICTED)}
    found = [
        (index // 3, Measurement(arch, {"accuracy": 0.5 + index / 100, "macs": 1000.0 + index}))
        for index, arch in enumerate(rows)
    ]
    found[4] = (1, Measurement(rows[4], {"accuracy": float("nan"), "macs": 5.0}))
    found[5] = (1, Measurement(rows[5], {"accuracy": 0.9, "macs": 7.0}, predicted))
    return found


def loaded(data: bytes, form: Form, folder: Path) -> optuna.Study:
    file = folder / "file"
    file.write_bytes(data)
    storage = f"sqlite:///{file}" if form == "sqlite" else JournalStorage(JournalFileBackend(str(file)))
    return optuna.load_study(study_name=None, storage=storage)


@pytest.mark.parametrize("form", get_args(Form))
def test_trials_are_the_measurements(form: Form, tmp_path: Path) -> None:
    ledger = MemoryLedger("r1", PARAMS)
    for step in (0, 1):
        ledger.add_measurements(step, [m for at, m in measured() if at == step])
    study = loaded(search_study(ENTRY, RUN, ledger, form), form, tmp_path)
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == [*GOALS]
    assert study.user_attrs["supernet_sha256"] == ENTRY.sha256
    assert (study.user_attrs["algorithm"], study.user_attrs["settings"]) == ("nsga2", {"population": 20})
    assert len(study.trials) == 6
    for trial, (step, measurement) in zip(study.trials, measured(), strict=True):
        assert trial.params == ENTRY.space.to_dict(measurement.arch)
        assert set(trial.distributions) == set(trial.params)
        told = trial.user_attrs
        assert told["architecture"] == ENTRY.space.arch_id(measurement.arch)
        assert (told["batch"], told["seed"], told["supernet_sha256"]) == (step, 7, ENTRY.sha256)
        if trial.number != 4:
            assert trial.values == [measurement.values[name] for name in GOALS]
    assert study.trials[4].state.name == "FAIL"
    assert study.trials[4].user_attrs["values"] == {"macs": 5.0}
    assert study.trials[5].user_attrs["obtained"] == {"accuracy": "predicted", "macs": "measured"}
    assert [goal.maximize for goal in objectives(GOALS)] == [True, False]


def test_evenly_spaced_numbers_in_order_are_a_range_and_everything_else_its_options() -> None:
    assert distribution(Choice("depth", (1, 3, 5))) == IntDistribution(1, 5, step=2)
    assert distribution(Choice("width", (4, 8, 16))) == CategoricalDistribution((4, 8, 16))
    assert distribution(Choice("ratio", (0.5, 1.0))) == CategoricalDistribution((0.5, 1.0))
    assert distribution(Choice("kind", (1, 2), ordinal=False)) == CategoricalDistribution((1, 2))


def test_the_ending_says_the_form() -> None:
    assert {form_of(Path(f"a{ending}")) for ending in ENDINGS} == set(get_args(Form))
    with pytest.raises(InvalidInput, match="ends differently"):
        form_of(Path("a.csv"))


def test_the_command_writes_what_a_search_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    out = tmp_path / "a.db"
    with open_store() as store:
        run_id = store.create_run("search_front", PARAMS, title="s", seed=7, state=RunState.RUNNING)
        other = store.create_run("train_supernet", {}, title="t", state=RunState.RUNNING)
        store.ledger(run_id).add_measurements(0, [m for _, m in measured()])
    found = CliRunner().invoke(app, ["export-study", run_id, "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert len(loaded(out.read_bytes(), "sqlite", tmp_path).trials) == 6
    refused = CliRunner().invoke(app, ["export-study", other, "--out", str(out)])
    assert "is no search" in str(refused.exception)
