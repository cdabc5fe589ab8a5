"""Pruned networks over seeds: rows, lines and means against their definition; one seed has no spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from core.library.pruned import PrunedModel
from core.plots.pruning_collapse import accuracy_curves, collapse_by_sparsity
from core.plots.pruning_table import LONGEST_LABEL, TableData, evaluation_table
from core.views import pruning_seeds
from core.views.pruning import Table
from core.views.pruning_seeds import group_of, mean_rows, over_seeds, seed_table, sparsity_lines

PARENT = "subnet:digits-cnn:000000000000"


def net(
    index: int, method: str = "magnitude", seed: int = 0, asked: float = 0.5, **changes: Any
) -> PrunedModel:
    fields: dict[str, Any] = {
        "model_id": f"pruned:r{seed}{method}:{index}" if index else PARENT,
        "run_id": f"r{seed}",
        "index": index,
        "parent_id": PARENT,
        "supernet_id": "digits-cnn",
        "arch_id": "000000000000",
        "method": method if index else "",
        "label": method.capitalize() if index else "",
        "config": (),
        "removes": "weights",
        "asked": asked,
        "sparsity": asked,
        "numbers": {"accuracy": 0.9 - 0.1 * seed - 0.01 * index, "zero_shot": 0.5, "macs": 100.0},
        "stages": (),
        "note": "",
        "seconds": 1.0,
        "seed": seed,
        "tuning_epochs": 5,
        "tuning_rate": 0.02,
        "surgery": False,
        "sha256": "",
    }
    return PrunedModel(**(fields | changes))


THREE = [net(0), *(net(1, seed=s) for s in (2, 0, 1)), net(2, seed=0, asked=0.9), net(3, "taylor", seed=1)]


class View:
    parent = THREE[0]


def test_a_row_is_a_recipe_and_a_share() -> None:
    groups = over_seeds(THREE)
    assert [(g.first.method, g.first.asked, g.seeds) for g in groups] == [
        ("", 0.5, (0,)),
        ("magnitude", 0.5, (0, 1, 2)),
        ("magnitude", 0.9, (0,)),
        ("taylor", 0.5, (1,)),
    ]
    assert groups[1].spread("accuracy") == pytest.approx(groups[1].spread("accuracy"))
    found = groups[1].spread("accuracy")
    assert (found.n, found.low, found.high) == (3, pytest.approx(0.69), pytest.approx(0.89))
    assert found.mean == pytest.approx(0.79)
    assert group_of(groups, THREE[1].model_id) is groups[1]
    assert group_of(groups, "pruned:x:1") is None
    assert [g.n for g in over_seeds(THREE, apart=True)] == [1] * 6


@pytest.mark.parametrize(
    "changes", [{"config": (("rounds", 3),)}, {"tuning_epochs": 6}, {"tuning_rate": 0.1}, {"asked": 0.6}]
)
def test_what_was_asked_differently_is_another_row(changes: dict[str, Any]) -> None:
    assert [g.n for g in over_seeds([net(1), net(1, seed=1, **changes)])] == [1, 1]


def test_a_cell_is_the_mean_over_the_seeds_that_were_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([[1.0, 1.0], [0.9, math.nan], [0.7, 0.5], [0.8, 0.7], [0.4, 0.4], [0.3, 0.3]])

    def table(view: Any, models: Any, severity: int) -> Table:
        rows = [THREE.index(m) for m in models]
        return Table(tuple(models), ("clean", "fog@3"), values[rows], values[rows, 0], "a note")

    monkeypatch.setattr(pruning_seeds, "table", table)
    found = seed_table(View(), over_seeds(THREE), 3)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.accuracy, [[1, 1], [0.8, 0.6], [0.4, 0.4], [0.3, 0.3]])
    assert (found.spreads[1][1].n, found.spreads[1][1].low, found.spreads[1][1].high) == (2, 0.5, 0.7)
    assert (found.spreads[2][0].n, found.spreads[2][0].band) == (1, "")
    assert found.note == "a note"
    data = TableData(
        model_ids=[g.first.model_id for g in found.groups],
        row_labels=["p", "m", "n", "t"],
        methods=["", "m", "m", "t"],
        benchmarks=found.benchmarks,
        benchmark_labels=["Clean", "Fog"],
        values=found.accuracy,
        mean_errors=found.error,
        spreads=found.spreads,
    )
    hover = evaluation_table(data).data[-1].hovertext
    assert "80.0 %</b> (mean of 3 seeds)<br>min to max: 70.0 to 90.0 %" in hover[2]
    assert "seeds" not in hover[4]


def test_lines_are_means_and_bands_or_a_line_per_seed() -> None:
    found = sparsity_lines(View(), THREE, ("accuracy", "zero_shot"))  # type: ignore[arg-type]
    assert (found.labels, found.sparsities) == (("Magnitude", "Taylor"), (0.5, 0.9))
    assert found.means("accuracy")[0].tolist() == pytest.approx([0.79, 0.88])
    magnitude = found.bands["accuracy"][0]
    assert magnitude.low[0] == pytest.approx(0.69)
    assert math.isnan(magnitude.low[1]), "one seed at this share"
    # A point stands for the network of the lowest seed.
    assert found.ids[0] == (net(1, seed=0).model_id, net(2, seed=0).model_id)
    apart = sparsity_lines(View(), THREE, ("accuracy",), apart=True)  # type: ignore[arg-type]
    assert apart.labels == ("Magnitude, seed 2", "Magnitude, seed 0", "Magnitude, seed 1", "Taylor, seed 1")
    assert np.isnan([b.low for b in apart.bands["accuracy"]]).all()


def test_figures_draw_a_band_where_there_are_seeds_only() -> None:
    found = sparsity_lines(View(), THREE, ("accuracy", "zero_shot"))  # type: ignore[arg-type]
    curves = accuracy_curves(
        found.labels,
        found.sparsities,
        found.means("zero_shot"),
        found.means("accuracy"),
        0.95,
        ids=found.ids,
        bands=found.bands["accuracy"],
    )
    [band] = [t for t in curves.data if t.name == "band"]
    assert list(band.y) == pytest.approx([69, 89])
    [solid] = [t for t in curves.data if t.name == "Magnitude" and t.line.dash is None]
    assert "min to max over 3 seeds: 69 to 89" in solid.text[0]
    assert "seeds" not in solid.text[1]
    panels = collapse_by_sparsity(
        found.labels,
        found.sparsities,
        {"nc1": found.means("accuracy")},
        {},
        bands={"nc1": found.bands["accuracy"]},
    )
    assert [t.name for t in panels.data] == ["band", "Magnitude", "Taylor"]


def test_means_say_n_and_one_seed_has_no_ends() -> None:
    rows = mean_rows(over_seeds(THREE))
    assert [(r["method"], r["asked"], r["n"], r["seeds"], r["band"]) for r in rows] == [
        ("not pruned", 0.5, 1, "0", ""),
        ("Magnitude", 0.5, 3, "0 1 2", "min to max"),
        ("Magnitude", 0.9, 1, "0", ""),
        ("Taylor", 0.5, 1, "1", ""),
    ]
    assert rows[1]["accuracy"] == pytest.approx(0.79)
    assert (rows[1]["accuracy_low"], rows[1]["accuracy_high"]) == (pytest.approx(0.69), pytest.approx(0.89))
    assert math.isnan(rows[2]["accuracy_low"])


def test_the_seed_is_never_cut_off() -> None:
    from pages.ui.pruning.table_view import group_label, row_label

    long = [net(1, label="A method with a name that goes on and on and on", seed=s) for s in (0, 13)]
    for text in (row_label(long[1]), group_label(over_seeds(long)[0]), group_label(over_seeds(long[:1])[0])):
        assert len(text) <= LONGEST_LABEL
    assert row_label(long[1]).endswith(", 50 %, seed 13")
    assert group_label(over_seeds(long)[0]).endswith(", 50 %, 2 seeds")
