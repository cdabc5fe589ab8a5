"""What a comparison of trainings says: planted differences are found where they are, and chance is called chance."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from core.library.comparisons import Budget, Classes, ComparedMethod, ComparedTraining, ComparisonRecord
from core.library.results import Described
from core.plots import trainings as plots
from core.plots.trainings_numbers import agreement_rows, class_rows, method_rows
from core.records import Metrics
from core.spaces import Choice, SearchSpace
from core.views import trainings_compared as view
from core.views.trainings_verdict import RULE
from core.views.trainings_watched import conflicts, drawn, sizes_over_time

SPACE = SearchSpace(
    [Choice("width", tuple(range(1, 11)), kind="width"), Choice("depth", (1, 2, 3), kind="depth")]
)
MACS = tuple(float(100 * (i + 1)) for i in range(30))


def record(
    values: dict[str, dict[int, np.ndarray]], seeds: tuple[int, ...], budget: str = "steps"
) -> ComparisonRecord:
    """A comparison of these test accuracies: method -> seed -> (30,); trainings that are left out are not done."""
    names = list(values)
    places = [(m, s) for s in seeds for m in range(len(names))]
    trainings = tuple(
        ComparedTraining(
            index=at,
            method=m,
            seed=s,
            seconds=2.0 + m,
            passes=6.0,
            bytes=1000,
            sha256=f"{at}" * 8,
            accuracy=tuple(values[names[m]][s].tolist()),
            test_accuracy=tuple(values[names[m]][s].tolist()),
        )
        for at, (m, s) in enumerate(places)
        if s in values[names[m]]
    )
    return ComparisonRecord(
        title="T",
        family="elastic_cnn",
        config={},
        data=Described(),
        choice={"name": "digits"},
        training={"epochs": 6},
        budget=budget,
        space=tuple(dict(each) for each in SPACE.to_json()),
        size=30,
        arch_ids=tuple(SPACE.arch_ids(SPACE.array())),
        macs=MACS,
        params=MACS,
        classes=Classes(most=(600, 1200, 1800, 2400, 3000), shares=(0.2,) * 5),
        sizes=(0, 15, 29),
        stages=("stem", "block", "head"),
        batch=128,
        samples=(100, 1000),
        methods=tuple(
            ComparedMethod(
                label=n, strategy="uniform", settings={}, budget=Budget(epochs=6, passes=6.0, share=0.98)
            )
            for n in names
        ),
        seeds=seeds,
        trainings=trainings,
    )


def planted(
    seeds: int, lead: float, *, sacrificed: float = 0.0, seed: int = 0
) -> dict[str, dict[int, np.ndarray]]:
    """A is ahead by so much but for its cheapest fifth, where it is behind; every seed shifts both."""
    rng = np.random.default_rng(seed)
    found: dict[str, dict[int, np.ndarray]] = {"A": {}, "B": {}}
    slope = np.linspace(0, 0.2, 30)
    for s in range(seeds):
        shift = rng.normal(0, 0.03)
        for name in found:
            found[name][s] = 0.5 + slope + shift + rng.normal(0, 0.002, 30)
        found["A"][s] += np.where(np.arange(30) < 6, -sacrificed, lead)
    return found


def told(values: dict[str, dict[int, np.ndarray]], seeds: int) -> view.TrainingsCompared:
    found = view.trainings_compared(record(values, tuple(range(seeds))))
    assert found is not None
    return found


def test_a_lead_of_every_seed_is_told_and_who_pays_for_it() -> None:
    found = told(planted(3, 0.05, sacrificed=0.05), 3)
    assert found.verdict.winner == "A"
    assert found.verdict.sentence.startswith("A is better than B (+3.")
    assert "in 3 of 3 seeds" in found.verdict.sentence
    assert "all 30 subnets" in found.verdict.sentence
    cheapest, *others = found.classes
    assert (cheapest.label, cheapest.n, cheapest.best) == ("up to 600", 6, "B")
    behind = {m.label: m for m in cheapest.methods}
    assert behind["A"].behind == pytest.approx(-0.05, abs=0.005)
    assert behind["A"].differs
    assert math.isnan(behind["B"].behind)
    assert all(each.best == "A" and {m.label: m.differs for m in each.methods}["B"] for each in others)
    rows = class_rows(found)
    assert rows[0]["B"].endswith("best")
    assert rows[0]["A"] == "\N{MINUS SIGN}4.9 points"
    assert found.by_cost.values["A"].shape == (3, 5)
    assert found.by_cost.per_place == 6


@pytest.mark.parametrize("seeds", [3, 6])
def test_where_nothing_differs_they_cannot_be_told_apart(seeds: int) -> None:
    found = told(planted(seeds, 0.0), seeds)
    assert found.verdict.winner == ""
    assert found.verdict.sentence.startswith("Cannot be told apart")
    test = "Student's t" if seeds == 3 else "exact sign-flip test"
    assert test in found.verdict.sentence
    assert test in RULE
    assert not any(m.differs for each in found.classes for m in each.methods)
    assert all("not told apart" in (row["A"] + row["B"]) for row in class_rows(found))


def test_one_seed_says_nothing_of_chance_and_two_decide_nothing() -> None:
    one, two = told(planted(1, 0.3), 1), told(planted(2, 0.3), 2)
    assert one.verdict.winner == two.verdict.winner == ""
    assert "One seed says nothing about chance" in one.verdict.sentence
    assert one.verdict.sentence.startswith("A is ahead")
    assert two.verdict.sentence.startswith("Not decided: A is ahead")
    assert "in both seeds" in two.verdict.sentence
    assert "one seed cannot say" in one.order
    assert [each.tau.n for each in one.agreements] == [1]


def test_seeds_that_only_one_method_has_do_not_count() -> None:
    values = planted(3, 0.05)
    del values["B"][2]
    found = told(values, 3)
    assert found.verdict.sentence.startswith("Not decided")
    assert found.methods[0].seeds == (0, 1, 2)
    assert found.methods[1].seeds == (0, 1)
    alone = told({"A": values["A"], "B": {}}, 3)
    assert "nothing to compare" in alone.verdict.sentence
    assert (
        method_rows(record({"A": values["A"], "B": {}}, (0, 1, 2)), alone)[1]["Time each"]
        == "not trained yet"
    )


def test_orders_agree_as_far_as_kendall_says() -> None:
    rng = np.random.default_rng(0)
    values = {"A": {s: rng.random(30) for s in range(2)}}
    values["B"] = {s: 1.2 - v for s, v in values["A"].items()}
    found = told(values, 2)
    taus = {(each.a, each.b): each.tau for each in found.agreements}
    assert taus["A", "B"].mean == pytest.approx(-1.0), "of equal seeds alone"
    assert taus["A", "A"].mean == taus["B", "B"].mean != taus["A", "B"].mean
    assert abs(taus["A", "A"].mean) < 0.5
    assert agreement_rows(found)[2]["Kendall's τ"].startswith("\N{MINUS SIGN}1 (")


def test_every_measured_subnet_is_a_row_of_the_file() -> None:
    values = planted(2, 0.05)
    lines = list(csv.DictReader(io.StringIO(view.csv(record(values, (0, 1))).decode())))
    assert len(lines) == 2 * 2 * 30
    first = lines[0]
    assert next(iter(first)) == "architecture"
    assert first["architecture"] == '{"width": 1, "depth": 1}'
    assert (first["method"], first["seed"], first["macs"], first["source"]) == ("A", "0", "100", "measured")
    assert float(first["test_accuracy"]) == values["A"][0][0]
    assert first["on_front"] == "True", "nothing is cheaper"


def epoch(part: int, number: int, counts: list[int]) -> Metrics:
    row: Metrics = {"part": part, "epoch": number, "step": 1_000_000 * part + number}
    for k, (most, count) in enumerate(zip((600, 1200, 1800, 2400, 3000), counts, strict=True), 1):
        row |= {f"macs_{k}": most, f"drawn_{k}": count} | ({f"loss_{k}": 1.0 / k} if count else {})
    row |= {"subnet_smallest": 0.1 * number, "subnet_middle": 0.2, "subnet_largest": 0.3}
    return row | {f"conflict_{pair}_{stage}": 0.1 * part for pair in range(3) for stage in (0, 2)}


def test_what_was_drawn_is_a_share_of_each_epoch_over_seeds() -> None:
    given = record(planted(2, 0.05), (0, 1))
    rows = [epoch(0, 1, [1, 0, 0, 0, 3]), epoch(0, 2, [2, 2, 0, 0, 0]), epoch(2, 1, [3, 0, 0, 0, 1])]
    [found] = drawn(given, rows)
    assert (found.label, found.seeds, found.epochs) == ("A", 2, (1,)), "as far as every seed that has begun"
    assert found.shares.tolist() == [[0.5, 0.0, 0.0, 0.0, 0.5]]
    assert np.isnan(found.losses[0, 1:4]).all()
    assert found.losses[0, [0, 4]].tolist() == [1.0, 0.2]
    [sizes] = sizes_over_time(given, rows)
    assert sizes.values["smallest"][:, 0].tolist() == [0.1, 0.1]
    assert math.isnan(sizes.values["smallest"][1, 1])
    [gradients] = conflicts(given, rows)
    assert gradients.at == (1 / 6, 2 / 6)
    assert gradients.by_stage(0, 1).mean[[0, 2]].tolist() == pytest.approx([0.1, 0.1])
    assert np.isnan(gradients.by_stage(0, 1).mean[1])


def test_the_figures_hold_what_was_found() -> None:
    given = record(planted(2, 0.05), (0, 1))
    rows = [epoch(part, n, [1, 0, 0, 0, 3]) for part in range(4) for n in (1, 2)]
    found = told(planted(2, 0.05), 2)
    lines = {
        t.name: t for t in plots.accuracy_by_cost_figure(found.by_cost).data if t.showlegend is not False
    }
    assert list(lines) == ["A · n = 2", "B · n = 2"]
    assert np.allclose(lines["A · n = 2"].y, 100 * found.by_cost.values["A"].mean(axis=0))
    areas = plots.drawn_figure(drawn(given, rows), view.class_labels(given)).data
    assert [t.name for t in areas if t.showlegend] == view.class_labels(given)
    assert [sum(y) for y in zip(*(t.y for t in areas if t.stackgroup == "1"), strict=True)] == [100.0, 100.0]
    losses = plots.drawn_figure(drawn(given, rows), view.class_labels(given), losses=True).data
    assert losses[1].y == (None, None)
    cosines = plots.conflict_figure(conflicts(given, rows), given.stages, point=9, pair=0)
    assert cosines.data
    assert len(plots.sizes_figure(sizes_over_time(given, rows)).data) == 2 * 3
