"""The ranking check's numbers against slow definitions, and its verdicts in planted cases."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections import Counter

import numpy as np
import pytest

from core.library import supernets
from core.library.ranking_check import CheckedNet, CheckedSubnet, RankingRecord
from core.library.results import Described
from core.plots.ranking import ranking_figure
from core.seeding import stream
from core.views import ranking, ranking_told
from core.views.ranking import AS_GOOD, BETTER, CANNOT_TELL, IN_PART, NO_ORDER, ranking_check, tau_of


def planted(
    inside: np.ndarray,
    alone: np.ndarray,
    *,
    validation: np.ndarray | None = None,
    gap: np.ndarray | None = None,
    ids: tuple[str, ...] = (),
    truth: str = "",
) -> RankingRecord:
    """A record of (n,) accuracies in the supernet and (n, seeds) test accuracies alone; NaN is not trained yet.

    Validation accuracies alone are the test accuracies plus a thousandth if left out; costs count up.
    """
    n, seeds = alone.shape
    names = ids or tuple(f"a{i}" for i in range(n))
    gap = np.zeros(n) if gap is None else gap
    validation = alone + 0.001 if validation is None else validation
    return RankingRecord(
        supernet="planted",
        sha256="0" * 64,
        learns="",
        data=Described(title="Planted"),
        samples=(400, 400),
        training=None if truth else Described(epochs=3, learning_rate=0.1),
        training_from_card=True,
        truth=truth,
        chosen=f"{n} subnets made up",
        cost="macs",
        front_of="the subnets of this check",
        seeds=tuple(range(1, seeds + 1)),
        subnets=tuple(
            CheckedSubnet(
                arch_id=names[i], accuracy=inside[i], test_accuracy=inside[i], cost=float(i), gap=gap[i]
            )
            for i in range(n)
        ),
        nets=tuple(
            CheckedNet(
                arch_id=names[i],
                seed=s + 1,
                accuracy=None if truth else validation[i, s],
                test_accuracy=alone[i, s],
                seconds=2.0,
            )
            for s in range(seeds)
            for i in range(n)
            if np.isfinite(alone[i, s])
        ),
    )


def drawn(n: int, seeds: int, noise: float, judge: float, seed: int = 0) -> RankingRecord:
    """A true order, networks alone off it by some noise, and a supernet off it by another."""
    rng = stream(seed, "planted ranking")
    quality = np.linspace(0.5, 0.9, n)
    alone = quality[:, None] + noise * rng.normal(size=(n, seeds))
    return planted(quality + judge * rng.normal(size=n), alone)


def slow_tau(a: np.ndarray, b: np.ndarray) -> float:
    """By definition: over all pairs; those that tie count on neither side of the fraction's top."""
    same = both = of_a = of_b = 0
    for i, j in itertools.combinations(range(len(a)), 2):
        x, y = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
        same, both = same + x * y, both + 1
        of_a, of_b = of_a + abs(x), of_b + abs(y)
    return float(same / math.sqrt(of_a * of_b))


def test_tau_of_all_near_the_front_ceiling_and_judge_are_those_of_slow_definitions() -> None:
    rng = np.random.default_rng(3)
    inside, alone, gap = rng.random(11).round(1), rng.random((11, 3)).round(2), rng.random(11).round(1)
    validation = rng.random((11, 3)).round(2)
    found = ranking_check(planted(inside, alone, validation=validation, gap=gap), draws=50)
    assert found.tau.value == pytest.approx(slow_tau(inside, alone.mean(1)))
    near = gap <= np.median(gap)
    assert found.near.n == near.sum() == sum(point.near for point in found.points)
    assert found.near.value == pytest.approx(slow_tau(inside[near], alone[near].mean(1)))
    ceiling = [slow_tau(validation[:, s], np.delete(alone, s, 1).mean(1)) for s in range(3)]
    judge = [slow_tau(inside, np.delete(alone, s, 1).mean(1)) for s in range(3)]
    assert found.ceiling is not None
    assert found.judge is not None
    assert found.ceiling.value == pytest.approx(np.mean(ceiling))
    assert found.judge.value == pytest.approx(np.mean(judge))
    assert found.noise == pytest.approx(math.sqrt(np.var(alone, axis=1, ddof=1).mean()))


def test_the_difference_from_the_ceiling_is_taken_on_equal_resamples() -> None:
    alone = np.linspace(0.2, 0.8, 9)[:, None] + np.array([[0.0, 0.05]]) * np.arange(9)[:, None] % 0.11
    same = ranking_check(planted(alone[:, 0] + 0.001, alone), draws=80)
    assert same.judge is not None
    assert same.ceiling is not None
    # The supernet is the first training: half of the difference is that of the first and the second.
    assert same.apart[0] <= same.judge.value - same.ceiling.value <= same.apart[1]  # type: ignore[operator]
    twin = np.repeat(np.linspace(0.2, 0.8, 9)[:, None], 2, axis=1)
    exact = ranking_check(planted(twin[:, 0], twin), draws=80)
    assert exact.apart == (0.0, 0.0), "equal judges differ in no resample"


def test_regret_is_that_of_a_slow_definition_and_is_said_by_thirds_of_the_cost() -> None:
    rng = np.random.default_rng(5)
    inside, alone = rng.random(13), rng.random((13, 2))
    found = ranking_check(planted(inside, alone), draws=10)
    parts = [range(13), range(5), range(5, 9), range(9, 13)]
    assert [each.n for each in found.regrets] == [len(part) for part in parts]
    for each, part in zip(found.regrets, parts, strict=True):
        truth = {i: alone[i].mean() for i in part}
        pick, best = max(part, key=lambda i: inside[i]), max(part, key=lambda i: truth[i])
        assert (each.pick, each.best) == (f"a{pick}", f"a{best}")
        assert each.regret == pytest.approx(truth[best] - truth[pick])
        assert each.random == pytest.approx(truth[best] - np.mean(list(truth.values())))
        one = []
        for seed in (0, 1):
            other = {i: alone[i, 1 - seed] for i in part}
            one.append(max(other.values()) - other[max(part, key=lambda i: alone[i, seed])])
        assert each.one_training == pytest.approx(np.mean(one))
    assert len(ranking_check(planted(inside[:11], alone[:11]), draws=10).regrets) == 1


@pytest.mark.parametrize(
    ("record", "kind", "words"),
    [
        (drawn(7, 3, 0.001, 0.0), CANNOT_TELL, "7 subnets are too few, 8 are the fewest"),
        (drawn(30, 1, 0.02, 0.02), CANNOT_TELL, "one seed has no ceiling"),
        (drawn(10, 2, 1.0, 1.0), CANNOT_TELL, "chance is not ruled out"),
        (drawn(60, 3, 0.01, 9.0, seed=5), NO_ORDER, "no better than chance"),
        (planted(np.linspace(1, 0, 20), np.linspace(0, 1, 20)[:, None]), NO_ORDER, "worse than chance"),
        (drawn(60, 3, 0.01, 0.1), IN_PART, "in part"),
        (drawn(40, 3, 0.05, 0.05, seed=2), AS_GOOD, "cannot tell"),
        (drawn(60, 3, 0.3, 0.0), BETTER, "more than that of one training"),
    ],
)
def test_verdicts(record: RankingRecord, kind: str, words: str) -> None:
    verdict = ranking_check(record).verdict
    assert verdict.kind == kind, verdict.sentence
    assert words in verdict.sentence


def test_equal_judges_are_rarely_told_apart() -> None:
    """The supernet is one more training of the same noise: the rule must not find it worse or better too often."""
    kinds = Counter(
        ranking_check(drawn(20, 2, 0.05, 0.05, seed=seed), draws=200).verdict.kind for seed in range(40)
    )
    assert kinds[AS_GOOD] >= 34, kinds


def test_an_unfinished_check_says_what_there_is() -> None:
    alone = np.random.default_rng(0).random((9, 2))
    alone[2:, 1], alone[7:, 0] = np.nan, np.nan
    record = planted(np.linspace(0, 1, 9), alone)
    found = ranking_check(record, draws=20)
    assert (len(found.points), found.asked, found.nets, found.nets_asked) == (7, 9, 9, 18)
    assert found.tau.n == 7
    assert found.verdict.kind == CANNOT_TELL
    assert "9 of 18 networks" in ranking_told.how_checked(record, found)
    empty = ranking_check(planted(np.linspace(0, 1, 9), np.full((9, 2), np.nan)))
    assert (empty.points, empty.tau.value, empty.regrets) == ((), None, ())
    assert len(ranking_figure(empty.points, 400).data) == 0
    ranking_told.summary(record, empty)


def test_tau_of_leaves_out_what_is_unknown() -> None:
    found = tau_of([1, 2, np.nan, 4], [1, 3, 5, 2])
    assert (found.n, found.value) == (3, pytest.approx(1 / 3))
    assert tau_of([1, 1], [1, 2]).value is None


def test_tables_figure_and_file_show_n_and_seeds() -> None:
    entry = supernets.find(None, "digits-lesson")
    ids = tuple(entry.space.arch_ids(entry.space.array()[:12]))
    rng = np.random.default_rng(1)
    inside, alone = rng.random(12), rng.random((12, 2))
    record = planted(inside, alone, gap=rng.random(12), ids=ids)
    found = ranking_check(record, draws=40)
    assert [row["n"] for row in ranking_told.taus(found)] == ["12", "6", "12", "12"]
    assert [row["95 %"] for row in ranking_told.taus(found)][1] == "too few to say", "of 6"
    assert ranking_told.regret_rows(found)[0]["among"] == "all of them (n = 12)"
    told = ranking_told.how_checked(record, found)
    assert "seeds 1, 2 (n = 2)" in told
    assert "48 s of training" in told
    assert "(6 of 12;" in told
    lines = list(csv.DictReader(io.StringIO(ranking_told.csv(record, entry.space, found).decode())))
    assert len(lines) == 12
    assert next(iter(lines[0])) == "architecture"
    for at, line in enumerate(lines):
        assert float(line["accuracy"]) == inside[at]
        assert [float(line[f"alone_test_accuracy_{s}"]) for s in (1, 2)] == alone[at].tolist()
        assert line["source"].startswith("trained: alone_test_accuracy")
    for ranks in (False, True):
        figure = ranking_figure(found.points, 400, ranks=ranks)
        drawn_points = {
            of[0]: (x, y)
            for trace in figure.data[1:]
            for of, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)
        }
        for at, arch_id in enumerate(ids):
            order = sorted(alone.mean(1), reverse=True)
            y = order.index(alone[at].mean()) + 1 if ranks else 100 * alone[at].mean()
            assert drawn_points[arch_id][1] == pytest.approx(y)
        assert all(ids[0] in text for trace in figure.data[1:] for text in trace.text if ids[0] in text)
        assert sum(len(trace.text) for trace in figure.data[1:]) == 12
    by_table = planted(inside, alone[:, :1], ids=ids, truth="acc of t.csv")
    told = ranking_told.how_checked(by_table, ranking_check(by_table, draws=10))
    assert "acc of t.csv; they may be of other data" in told
    assert "one column has no ceiling" in ranking_check(by_table, draws=10).verdict.sentence
    assert ranking.RULE.startswith("Rule: ")
