"""Several fronts: members, places and rank correlations against brute force."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from core.objectives.base import objective
from core.plots.several_fronts import several_figure
from core.views.several_fronts import (
    agreement_rows,
    agreements,
    by_objectives,
    by_supernets,
    by_tuning,
    place_rows,
    places,
)


def table(n: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "arch_id": [f"{k:03d}" for k in range(n)],
            "macs": rng.integers(1, 15, n) * 1000.0,
            "params": rng.integers(1, 15, n) * 10.0,
            "accuracy": rng.integers(0, 15, n) / 20,
        }
    )


def beaten(rows: pd.DataFrame, at: int, cost: str) -> int:
    a, c = rows["accuracy"], rows[cost]
    worse = (a >= a[at]) & (c <= c[at]) & ((a > a[at]) | (c < c[at]))
    return int(worse.sum())


def test_members_and_places_are_those_of_each_objective() -> None:
    rows = table()
    view = by_objectives(rows, ["macs", "params"], "accuracy")
    for series in view.series:
        expected = [k for k in range(len(rows)) if not beaten(rows, k, series.key)]
        assert sorted(series.members.tolist()) == expected
    for at in range(0, 60, 7):
        found = {place.key: place for place in places(view, f"{at:03d}")}
        for cost in ("macs", "params"):
            place = found[cost]
            assert place.beaten_by == beaten(rows, at, cost)
            assert place.on_front == (place.beaten_by == 0)
            cheaper = rows["accuracy"][rows[cost] <= rows[cost][at]]
            assert place.behind == pytest.approx(cheaper.max() - rows["accuracy"][at])
    assert places(view, "nothing") == []
    assert view.normalized == (True, False)
    assert "different units" in view.told[0]


def test_rank_correlations_are_counted_over_pairs() -> None:
    rows = table()
    rows.loc[5, "params"] = np.nan
    [found] = agreements(by_objectives(rows, ["macs", "params"], "accuracy"))
    known = rows.dropna()
    a, b = known["macs"].to_numpy(), known["params"].to_numpy()
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i in range(len(a)) for j in range(i)]
    same = sum(x * y for x, y in signs)
    untied = [sum(pair[k] != 0 for pair in signs) for k in (0, 1)]
    assert found.n == 59
    assert found.kendall == pytest.approx(same / np.sqrt(untied[0] * untied[1]))
    ranks = [pd.Series(v).rank().to_numpy() for v in (a, b)]
    assert found.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1])
    [row] = agreement_rows([found])
    assert row["n"] == "59"
    assert row["Kendall"] == f"{found.kendall:.3f}"


def test_members_shared_are_counted() -> None:
    rows = table()
    [found] = agreements(by_objectives(rows, ["macs", "params"], "accuracy"))
    fronts = [{k for k in range(60) if not beaten(rows, k, cost)} for cost in ("macs", "params")]
    assert (found.shared, found.members) == (len(fronts[0] & fronts[1]), len(fronts[0]))


def test_a_constant_objective_has_no_order() -> None:
    [found] = agreements(by_objectives(table().assign(params=1.0), ["macs", "params"], "accuracy"))
    assert found.spearman is None
    assert found.kendall is None
    assert agreement_rows([found])[0]["Spearman"] == "not defined"


def test_predicted_values_order_subnets_and_are_on_no_front() -> None:
    rows = table().assign(params_source="measured")
    rows.loc[:30, "params_source"] = "predicted (model)"
    view = by_objectives(rows, ["macs", "params"], "accuracy")
    assert view.series[1].members.min() > 30
    assert "Only measured subnets" in view.told[-1]
    assert agreements(view)[0].n == 60


def test_latencies_on_two_devices_share_an_axis_in_their_unit() -> None:
    rows = table().rename(columns={"macs": "latency_ms.Phone", "params": "latency_ms.Board"})
    view = by_objectives(rows, ["latency_ms.Phone", "latency_ms.Board"], "accuracy")
    assert view.normalized == (False, False)
    assert view.told == ()
    figure = several_figure(view)
    assert figure.layout.xaxis.title.text == "Latency (ms)  ·  less is better"
    assert [trace.name for trace in figure.data] == ["Latency on Phone", "Latency on Board"]
    phone = view.series[0]
    np.testing.assert_allclose(figure.data[0].x, rows["latency_ms.Phone"].to_numpy()[phone.members])


def test_directions_are_not_mixed() -> None:
    with pytest.raises(InvalidInput, match="better small"):
        by_objectives(table(), ["macs", "accuracy"], "params")
    with pytest.raises(InvalidInput):
        by_objectives(table(), [], "accuracy")


def entry(name: str, data: str, fingerprint: str, size: int = 60) -> Any:
    card = SimpleNamespace(data=SimpleNamespace(name=data))
    return SimpleNamespace(
        supernet_id=name, title=name, card=card, space=SimpleNamespace(fingerprint=fingerprint, size=size)
    )


def test_supernets_on_different_data_say_so_and_match_only_in_one_space() -> None:
    tables = [(entry("one", "digits", "a"), table()), (entry("two", "fashion", "a"), table(seed=1))]
    goals = objective("macs"), objective("accuracy")
    same = by_supernets(tables, *goals)
    assert "different data" in same.told[0]
    assert same.matched
    assert [place.key for place in places(same, "004", key="one")] == ["one", "two"]
    [found] = agreements(same)
    assert found.what == "validation accuracy"
    tables[1] = (entry("two", "digits", "b"), table(seed=1))
    other = by_supernets(tables, *goals, normalized=True)
    assert not any("different data" in sentence for sentence in other.told)
    assert not other.matched
    assert agreements(other) == []
    assert [place.key for place in places(other, "004", key="two")] == ["two"]
    tables[1] = (entry("two", "digits", "a", size=10**12), table(seed=1))
    assert by_supernets(tables, *goals).told == ("two: the best of 60 measured subnets of 1.0 × 10¹².",)
    with pytest.raises(InvalidInput, match="was not measured for one"):
        by_supernets(tables, objective("loss"), objective("accuracy"))


def pruned(model_id: str, macs: float, before: float | None, after: float) -> Any:
    numbers = {"macs": macs, "accuracy": after, **({} if before is None else {"zero_shot": before})}
    return SimpleNamespace(model_id=model_id, is_parent=model_id == "parent", numbers=numbers)


def test_before_and_after_tuning_are_two_fronts_of_the_same_networks() -> None:
    models = [
        pruned("parent", 900.0, None, 0.99),
        pruned("p1", 500.0, 0.3, 0.9),
        pruned("p2", 400.0, 0.5, 0.8),
        pruned("p3", 300.0, 0.1, 0.85),
        pruned("p4", 200.0, None, 0.7),
    ]
    goals = objective("macs"), objective("accuracy")
    view = by_tuning(models, table(), *goals)
    fronts = {s.key: [str(i) for i in s.ids[s.members]] for s in view.series}
    assert fronts["before"] == ["p3", "p2"]
    assert fronts["after"] == ["p4", "p3", "p1"]
    rows = place_rows(view, places(view, "p2"))
    assert [row["there"] for row in rows] == ["on the front", "beaten by 1"]
    assert rows[1]["the front offers, at no higher cost"] == "+5.0 points"
    [found] = list(agreements(view))
    assert (found.n, found.spearman) == (3, pytest.approx(0.5 * -1))
    with pytest.raises(InvalidInput, match="only accuracy"):
        by_tuning(models, table(), objective("macs"), objective("params"))
    with pytest.raises(InvalidInput, match="No pruned network"):
        by_tuning([replace_before(m) for m in models], table(), *goals)


def replace_before(model: Any) -> Any:
    numbers = {name: value for name, value in model.numbers.items() if name != "zero_shot"}
    return SimpleNamespace(**(vars(model) | {"numbers": numbers}))
