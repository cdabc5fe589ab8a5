"""The objective contract: every registered one, and a new one that nobody but its own file knows."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import core.objectives
from core.cli import main as cli
from core.evaluation.evaluator import evaluate, evaluate_table
from core.library import measuring, supernets
from core.library.evaluate_subnet import evaluate_subnet
from core.library.fronts import front
from core.library.library import Library
from core.library.searches import EVALUATIONS_FILE
from core.library.tables import dump_table, parse_table
from core.objectives.base import (
    OBJECTIVES,
    Counted,
    FromCosts,
    FromFiles,
    FromOutputs,
    FromProfile,
    MeasuredNumber,
    all_names,
    choosable_names,
    names_of,
    objective,
    usual_pair,
)
from core.objectives.extracted import FromNetworks, FromWeights
from core.plots.style import scale
from core.records import Source
from core.store import MemoryLedger
from core.tasks.base import evaluation_data
from core.words import axis_title, format_value
from core.workflows import evaluate_table as table_workflow
from core.workflows import search_front
from tests.helpers.nets import random_dataset, small_cnn

TOY = '''
"""A number nobody has heard of."""

from core.objectives.base import OBJECTIVES, {kind}
from core.records import COUNT, SHARE


@OBJECTIVES.register("{name}")
class Toy({kind}):
    """{summary}"""

    label = "{label}"
{body}
'''
OUTPUTS = """
    maximize = True
    shown = SHARE

    def values(self, outputs, targets, task):
        return outputs.softmax(-1).amax(-1).double().mean(-1).numpy()
"""
COSTS = """
    shown = COUNT

    def counted(self, costs):
        return sum(stage.present.astype("int64") for stage in costs.stages())
"""


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Write one file beside the objectives, as a person who adds one does."""
    monkeypatch.setattr(core.objectives, "__path__", [*core.objectives.__path__, str(tmp_path)])
    monkeypatch.setattr(core.objectives.__spec__, "submodule_search_locations", core.objectives.__path__)
    names: list[str] = []

    def write(name: str, kind: str, label: str, body: str) -> None:
        names.append(name)
        text = TOY.format(name=name, kind=kind, label=label, body=body, summary=f"All about {label.lower()}.")
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        OBJECTIVES._infos = None

    yield write
    for name in names:
        OBJECTIVES._classes.pop(name, None)
        sys.modules.pop(f"core.objectives.{name}", None)
    OBJECTIVES._infos = None
    objective.cache_clear()


@pytest.fixture
def toys(add: Callable[..., None]) -> tuple[str, str]:
    add("confidence", "FromOutputs", "Mean confidence", OUTPUTS)
    add("stage_count", "FromCosts", "Stages", COSTS)
    return "confidence", "stage_count"


@pytest.mark.parametrize("name", all_names())
def test_every_objective_says_what_it_is(name: str) -> None:
    cls, described = OBJECTIVES.get(name), objective(name)
    assert issubclass(cls, MeasuredNumber)
    kinds = (FromOutputs, FromCosts, FromFiles, FromProfile, FromNetworks, FromWeights)
    assert isinstance(OBJECTIVES.create(name), kinds)
    assert described.label != name
    assert described.summary.endswith(".")
    assert described.how.may_stand, "an objective is measured or counted; a guess at one is not an objective"
    assert described.for_choosing == (described.split != "test")
    assert np.dtype(cls.stored).kind in "fi"
    assert (cls.how is Source.COUNTED) == issubclass(cls, Counted)
    for value in (0.0, 0.5, 1234.5):
        assert format_value(value, described) != "not measured"
    assert axis_title(described).startswith(described.label)
    assert scale(described).factor > 0


@pytest.mark.parametrize("name", names_of(FromOutputs))
def test_a_value_depends_on_the_subnets_own_outputs_alone(name: str) -> None:
    method, task = OBJECTIVES.create(name), small_cnn().task
    generator = torch.Generator().manual_seed(0)
    outputs, targets = torch.randn(7, 30, 10, generator=generator), torch.arange(30) % 10
    together = method.of_split(outputs, targets, task, 2.0)
    assert together.shape == (7,)
    alone = [method.of_split(outputs[i : i + 1], targets, task, 2.0)[0] for i in range(7)]
    assert np.asarray(alone).tobytes() == np.asarray(together).tobytes()


def test_the_usual_trade_off_is_a_quality_and_a_cost() -> None:
    assert usual_pair() == ("accuracy", "macs")
    assert usual_pair(["loss", "params", "test_accuracy"]) == ("params", "loss")
    assert usual_pair(["macs", "test_accuracy"]) is None


def test_a_new_one_is_measured_by_the_evaluator(toys: tuple[str, str]) -> None:
    net, data = small_cnn(), evaluation_data(random_dataset())
    rows = net.space.array()[::97]
    table = evaluate_table(net, rows, toys, data)
    part = data.spans["validation"]
    for index, row in enumerate(rows.tolist()):
        subnet = net.extract(row, net.calibrate(row, data.inputs[: data.calibration_rows]))
        expected = subnet(data.inputs[part]).softmax(1).amax(1).mean()
        assert table["confidence"][index] == pytest.approx(float(expected), abs=1e-5)
        assert table["stage_count"][index] == len(net.costs(row)) == len(subnet)
    [one] = evaluate(net, rows[:1], toys, data)
    assert {name: str(one.how(name)) for name in toys} == {"confidence": "measured", "stage_count": "counted"}


def test_a_new_one_is_in_complete_tables_and_survives_the_file(
    toys: tuple[str, str], digits_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)
    request, ledger = table_workflow.Request(supernet="small"), MemoryLedger()
    assert set(toys) <= set(request.objectives), (
        "all that one walk gives is measured if nothing else is asked"
    )
    list(table_workflow.run(request, ledger, Library()))
    found = parse_table(ledger.artifact(supernets.TABLE_FILE), digits_entry.space)
    assert found["confidence"].between(0.1, 1).all()
    rows = digits_entry.space.array()
    again = parse_table(
        dump_table(digits_entry.space, rows, {n: found[n].to_numpy() for n in toys}), digits_entry.space
    )
    for name in toys:
        np.testing.assert_array_equal(again[name], found[name])


def test_a_new_one_can_be_searched_on(
    toys: tuple[str, str], digits_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)
    assert set(toys) <= set(choosable_names())
    request = search_front.Request(
        supernet="small", objectives=list(toys), budget=9, algorithm="random_search"
    )
    ledger = MemoryLedger()
    list(search_front.run(request, ledger, Library()))
    rows = list(csv.DictReader(io.StringIO(ledger.artifact(EVALUATIONS_FILE).decode())))
    assert list(rows[0]) == ["architecture", *toys, "on_front", "source"]
    assert {row["source"] for row in rows} == {"measured"}


def test_a_counted_one_needs_no_new_measurement_where_a_card_has_the_costs(
    toys: tuple[str, str], digits_entry: Any
) -> None:
    table = supernets.table_with_counts(digits_entry)
    assert table is not None
    assert front(table, ("accuracy", "stage_count")).members["stage_count"].between(3, 9).all()
    look_up = measuring.from_table(digits_entry, ["accuracy", "stage_count"])
    assert look_up is not None
    [found] = look_up([digits_entry.space.largest])
    assert str(found.how("stage_count")) == "counted"
    assert "stage_count" not in supernets.table(digits_entry), "the stored table stays what it was"


def test_a_new_one_is_on_the_card_of_a_subnet(toys: tuple[str, str], digits_entry: Any) -> None:
    values = evaluate_subnet(digits_entry, digits_entry.space.largest).values
    assert set(toys) <= set(values)


def test_a_new_one_is_an_axis_of_the_front_page(
    add: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("core.runtime.heavy_imports_in_background", lambda: None)
    monkeypatch.setattr("core.runtime.freeze", lambda: None)
    add("stage_count", "FromCosts", "Stages", COSTS)
    app = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=60).run()
    assert not app.exception
    assert "Stages" in app.selectbox(key="axis-x").options
    assert not [o for o in app.selectbox(key="axis-y").options if "Test" in o], "test data choose nothing"
    app.selectbox(key="axis-x").select("stage_count").run()
    assert not app.exception
    card = " ".join(e.proto.body for e in app.get("html"))
    assert "Stages" in card
    assert "counted" in card


@pytest.mark.slow
def test_a_new_one_is_known_to_the_command_line(
    toys: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))

    def said(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["paretoscope", *arguments])
        cli.main()
        return capsys.readouterr().out

    assert "All about mean confidence." in said("list", "objective")
    out = said("front", "digits-cnn", "--exact", "--objectives", "accuracy,stage_count")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 13_824
    deep = json.loads(rows[-1]["architecture"])
    assert int(float(rows[-1]["stage_count"])) == 2 + deep["depth1"] + deep["depth2"] + deep["depth3"]
    costs = list(csv.DictReader(io.StringIO(said("costs", "digits-cnn", "--objectives", "stage_count"))))
    assert {row["source"] for row in costs} == {"counted"}
    sampled = said("front", "digits-cnn", "--sample", "3", "--objectives", "confidence,macs")
    assert len(list(csv.DictReader(io.StringIO(sampled)))) == 3
