"""What every workflow promises to whoever starts it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import core.workflows
from core.config import BaseConfig
from core.errors import InvalidInput
from core.jobs.kinds import WEIGHT_CLASSES, kinds

MODULES = sorted(module.name for module in pkgutil.iter_modules(core.workflows.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_the_folder_holds_only_long_work_in_one_form(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARETOSCOPE_WORKFLOWS", raising=False)
    module = importlib.import_module(f"core.workflows.{name}")
    assert issubclass(module.Request, BaseConfig)
    assert all(field.description for field in module.Request.model_fields.values())
    assert inspect.isgeneratorfunction(module.run)
    assert list(inspect.signature(module.run).parameters) == ["request", "ledger", "library"]
    assert module.WEIGHT_CLASS in WEIGHT_CLASSES
    assert kinds()[name].label == module.LABEL


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        (
            "train_alone",
            {"supernet": "digits-cnn", "arch": "0", "seeds": 21},
            "--seeds: .*less than or equal to 20",
        ),
        (
            "train_alone",
            {"supernet": "digits-cnn", "arch": "0", "epochs": 0},
            "--epochs: .*greater than or equal",
        ),
        (
            "evaluate_table",
            {"supernet": "digits-cnn", "processes": 0},
            "--processes: .*greater than or equal to 1",
        ),
        ("search_front", {"supernet": "digits-cnn", "budgets": 3}, "--budgets: "),
    ],
)
def test_a_flag_out_of_bounds_is_refused_before_anything_is_recorded(
    kind: str, params: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.cli import driving

    monkeypatch.setattr(driving, "open_store", lambda: pytest.fail("the store was opened"))
    with pytest.raises(InvalidInput, match=said):
        driving.run_workflow(kind, params, title="x")
