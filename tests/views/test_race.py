"""Races with planted results: known winners and ties, searches of unequal length, missing seeds, limits, warm starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.library.fronts import front
from core.over_seeds import LEVEL, exact_p, fewest_seeds
from core.pareto import hypervolume, non_dominated
from core.records import Run, RunState
from core.views.race import Race, competitors, race, search_labels
from core.views.race_attainment import attained
from core.views.race_progress import going, in_turns, seconds_left
from core.views.race_replay import frames, seeds_of, stops
from core.views.race_seconds import by_seconds, seconds_of
from core.views.race_table import seed_rows, standings
from core.views.race_verdict import Verdict, who_won
from core.views.seed_groups import seed_groups

NAMES = ("accuracy", "macs")
SPACE = pd.DataFrame({"arch_id": ["a", "b", "c"], "accuracy": [0.5, 0.8, 1.0], "macs": [100.0, 200.0, 400.0]})
EXACT = front(SPACE, NAMES)
Search = tuple[Run, pd.DataFrame]


def search(
    algorithm: str,
    seed: int,
    accuracies: Sequence[float],
    *,
    state: RunState = RunState.DONE,
    macs: Sequence[float] | float = 100.0,
    told: int = 0,
    **more: Any,
) -> Search:
    """One search and what it measured."""
    params = {
        "supernet": "digits-cnn",
        "algorithm": algorithm,
        "objectives": list(NAMES),
        "seed": seed,
        **more,
    }
    run = Run(f"{algorithm}-{seed}", "search_front", "t", params, seed, state, created=float(seed))
    steps = [-1] * told + list(range(len(accuracies) - told))
    return run, pd.DataFrame({"accuracy": accuracies, "macs": macs, "step": steps})


def raced(searches: Sequence[Search], seconds: Any = None, *, exact: Any = EXACT) -> Race:
    groups = seed_groups([run for run, _ in searches])
    found = race(groups, search_labels(groups), {run.run_id: t for run, t in searches}, exact, seconds)
    assert found is not None
    return found


def won(found: Any) -> Verdict:
    ended = {racer.label: racer.ended for racer in found.racers}
    verdict = who_won(ended, found.verdicts, when="then", share=True)
    assert verdict is not None
    return verdict


def planted(seeds: int, lead: float, noise: float = 0.01) -> list[Search]:
    """NSGA-II is ahead of random search by so much accuracy in every seed, but for noise that both signs have."""
    return [
        search(name, seed, [0.55, 0.6 + 0.01 * seed + extra * (lead + noise * (-1) ** seed)])
        for seed in range(seeds)
        for name, extra in (("nsga2", 1), ("random_search", 0))
    ]


def test_a_planted_winner_wins_and_a_planted_tie_is_one() -> None:
    verdict = won(raced(planted(6, 0.1)))
    assert verdict.winner == "NSGA-II"
    assert verdict.sentence.startswith("NSGA-II won then: +")
    assert "6 of 6 equal seeds" in verdict.sentence
    assert "exact sign-flip test, two-sided, p = 0.031" in verdict.sentence
    assert won(raced(planted(6, -0.1))).winner == "Random search"
    tie = won(raced(planted(6, 0.0)))
    assert tie.winner == ""
    assert tie.sentence.startswith("A tie then: ")
    few = won(raced(planted(3, 0.1)))
    assert few.winner == ""
    assert few.sentence.startswith("Not decided then: NSGA-II has more in")
    assert "3 of 3 equal seeds" in few.sentence


def test_of_three_settings_the_leader_is_told_apart_where_seeds_suffice() -> None:
    third = [search("exhaustive", seed, [0.55, 0.58]) for seed in range(8)]
    verdict = won(raced([*planted(8, 0.1), *third]))
    assert verdict.winner == "NSGA-II"
    assert "n = 8 equal seeds" in verdict.sentence
    six = won(raced([*planted(6, 0.1), *third[:6]]))
    assert six.winner == ""
    assert "7 seeds are the fewest that can decide" in six.sentence
    assert "has the largest mean" in six.sentence


@pytest.mark.parametrize("settings", [2, 3, 4, 6])
def test_fewest_seeds_are_those_with_which_all_pairs_can_be_told_apart(settings: int) -> None:
    pairs, fewest = settings * (settings - 1) // 2, fewest_seeds(settings)
    assert pairs * exact_p(np.ones(fewest)) <= LEVEL
    assert fewest == 6 or pairs * exact_p(np.ones(fewest - 1)) > LEVEL


def test_only_shared_seeds_are_pairs() -> None:
    searches = [s for s in planted(7, 0.1) if s[0].run_id not in ("nsga2-0", "random_search-6")]
    [verdict] = raced(searches).verdicts
    assert (verdict.n, {verdict.above, verdict.below}) == (5, {0, 5})


def test_searches_that_seconds_ended_are_compared_where_all_of_them_were() -> None:
    found = raced(
        [
            search("nsga2", 0, [0.6] * 9, seconds=5.0),
            search("nsga2", 1, [0.6] * 4, seconds=5.0),
            search("random_search", 0, [0.6] * 7, seconds=5.0),
            search("random_search", 1, [0.6] * 6, state=RunState.RUNNING, seconds=5.0),
        ]
    )
    assert found.at == 4
    nsga2, random = found.racers
    assert np.isnan(nsga2.curves[1, 4:]).all(), "what it would have found later nobody knows"
    assert set(nsga2.ended) == {0, 1}
    assert set(random.ended) == {0}


def test_the_slow_one_leads_by_evaluations_and_not_by_seconds() -> None:
    """Each of its evaluations is better, and takes ten times as long."""
    searches, seconds = [], {}
    for seed in range(6):
        searches += [
            search("nsga2", seed, [0.6, 0.7, 0.8, 0.9]),
            search("random_search", seed, [0.55, 0.65, 0.7, 0.75]),
        ]
        seconds |= {f"nsga2-{seed}": np.arange(1.0, 5.0), f"random_search-{seed}": np.arange(1.0, 5.0) / 10}
    found = raced(searches, seconds)
    assert won(found).winner == "NSGA-II"
    clock = by_seconds(found)
    assert clock is not None
    assert clock.at == pytest.approx(0.4), "all searches that are done were still at work"
    assert won(clock).winner == "Random search"
    slow, quick = clock.racers
    assert slow.curves[0, 0] == 0.0
    assert slow.curves[0, np.searchsorted(clock.places, 1.0)] == pytest.approx(found.racers[0].curves[0, 0])
    assert quick.curves[0, -1] == pytest.approx(found.racers[1].curves[0, -1]), "it holds what it had found"


def test_seconds_are_those_at_the_end_of_the_batch_and_unknown_where_one_lacks_them() -> None:
    rows: list[dict[str, Any]] = [
        {"step": 0, "evaluations": 2, "seconds": 1.5},
        {"step": 1, "evaluations": 3, "seconds": 4.0},
    ]
    known = seconds_of(rows)
    assert known is not None
    assert known.tolist() == [1.5, 1.5, 4.0]
    assert seconds_of([*rows, {"step": 2, "evaluations": 4}]) is None
    found = raced([search("nsga2", 0, [0.6, 0.7]), search("random_search", 0, [0.6])], {"nsga2-0": known[:2]})
    clock = by_seconds(found)
    assert clock is not None
    assert clock.unknown == ("Random search",)
    # A batch more has been stored between the two readings, or one is missing: never shifted, never made up.
    assert raced([search("nsga2", 0, [0.6] * 4)], {"nsga2-0": known}).racers[0].seconds == (None,)


def test_what_breaks_a_limit_counts_and_adds_nothing() -> None:
    limits = [{"objective": "macs", "lower": None, "upper": 150.0}]
    rows = search("nsga2", 0, [0.9, 0.6, 0.7], macs=[400.0, 100.0, 100.0], constraints=limits)
    [racer] = raced([rows]).racers
    assert racer.made == (3,)
    assert racer.curves[0, 0] == 0.0
    assert 0 < racer.curves[0, 1] < racer.curves[0, 2]
    alone = raced([search("nsga2", 0, [0.6, 0.7])]).racers[0].curves[0]
    assert racer.curves[0, 1:] == pytest.approx(alone)


def test_only_searches_for_the_same_thing_race() -> None:
    limits = [{"objective": "macs", "lower": None, "upper": 150.0}]
    searches = [
        search("nsga2", 0, [0.6]),
        search("random_search", 0, [0.6], constraints=limits),
        search("exhaustive", 0, [0.6], data={"name": "digits", "seed": 1}),
    ]
    found = raced(searches)
    assert [r.label for r in found.racers] == ["NSGA-II"]
    assert found.left_out == ("Random search", "Exhaustive")
    groups = seed_groups(
        [run for run, _ in [*planted(2, 0.1), searches[1], search("nsga2", 5, [0.6], budget=9)]]
    )
    assert [g.settings["algorithm"] for g in competitors(groups, groups[0])] == ["nsga2", "random_search"]


def test_what_an_earlier_search_told_is_no_evaluation() -> None:
    warm = search("nsga2", 0, [0.8, 0.7, 0.9], told=2, from_runs=["x"])
    [racer] = raced([warm]).racers
    assert (racer.made, racer.curves.shape) == ((1,), (1, 1))
    assert racer.curves[0, 0] == pytest.approx(raced([search("nsga2", 0, [0.8, 0.9])]).racers[0].curves[0, 1])
    assert search_labels(seed_groups([warm[0], search("nsga2", 0, [0.6])[0]])) == [
        "NSGA-II, after an earlier search",
        "NSGA-II, from nothing",
    ]


def test_the_table_says_what_was_reached_and_by_how_many() -> None:
    full = [0.5] * 40 + [1.0] * 20
    macs = [100.0] * 40 + [100.0] * 20
    searches = [
        search("nsga2", 0, full, macs=macs),
        search("nsga2", 1, [0.5] * 60),
        search("random_search", 0, [0.5] * 30, state=RunState.CANCELLED),
    ]
    found = raced(searches, {"nsga2-0": np.arange(1.0, 61.0), "nsga2-1": np.arange(1.0, 61.0)})
    numbers = standings(found)
    assert numbers.evaluations == (50,)
    nsga2, random = numbers.rows
    assert nsga2.after[0].n == 2
    assert random.after[0].n == 0
    for reached in nsga2.reached:
        assert (reached.n, reached.reached) == (2, 1)
        assert (reached.evaluations.mean, reached.seconds.mean) == (41.0, 41.0)
    rows = {row["seed"]: row for row in seed_rows(found)}
    assert set(rows) == {0, 1}, "a search that was cancelled has no row"
    assert (rows[0]["seconds_to_95_percent"], rows[1]["seconds_to_95_percent"], rows[1]["seconds"]) == (
        41.0,
        "",
        60.0,
    )
    assert rows[0]["hypervolume_share_of_exact_after_50"] == pytest.approx(nsga2.after[0].high)


def test_surfaces_are_what_one_half_and_all_of_the_seeds_attained() -> None:
    searches = [
        search("nsga2", s, [a], macs=[m]) for s, (a, m) in enumerate([(0.5, 100), (0.6, 200), (0.7, 300)])
    ]
    [found] = attained(raced(searches))
    assert found.n == 3
    assert found.surfaces.best.tolist() == [[0.5, 100], [0.6, 200], [0.7, 300]]
    assert found.surfaces.median.tolist() == [[0.5, 200], [0.6, 300]]
    assert found.surfaces.worst.tolist() == [[0.5, 300]]
    assert attained(raced([search("nsga2", 0, [0.5], state=RunState.RUNNING)])) == ()


def test_a_step_of_the_replay_is_what_was_known_then() -> None:
    rng = np.random.default_rng(0)
    accuracies, macs = rng.uniform(0.4, 1.0, 30), rng.uniform(90, 420, 30)
    searches = [
        search("nsga2", 0, accuracies.tolist(), macs=macs.tolist()),
        search("random_search", 0, [0.5, 0.6], state=RunState.RUNNING),
        search("random_search", 1, [0.6]),
    ]
    found = raced(searches, {run.run_id: np.arange(1.0, len(t) + 1.0) for run, t in searches})
    assert seeds_of(found) == (0, 1)
    assert stops(found, by_seconds=False) == [float(k) for k in range(1, 31)]
    maximize = [True, False]
    for step in (1.0, 7.0, 30.0):
        first, second = frames(found, 0, step, by_seconds=False)
        points = np.column_stack([accuracies, macs])[: int(step)]
        front_rows = points[non_dominated(points, maximize=maximize)]
        assert first.front.tolist() == sorted(front_rows.tolist())
        exact = hypervolume(points, EXACT.reference, maximize=maximize) / EXACT.hypervolume
        assert first.volume == pytest.approx(exact)
        assert (second.made, second.over_seeds.n) == (min(int(step), 2), 2)
        again = frames(found, 0, step, by_seconds=True)
        assert [frame.made for frame in again] == [first.made, second.made]
    assert [frame.label for frame in frames(found, 1, 5.0, by_seconds=False)] == ["Random search"]
    assert frames(found, 0, 0.5, by_seconds=True)[0].volume == 0.0


def test_a_race_says_how_far_it_is_and_how_long_it_takes() -> None:
    def at(seed: int, state: RunState, **more: Any) -> Run:
        return Run(f"r{seed}", "search_front", "t", {}, seed, state, **more)

    settings = {
        "A": [at(0, RunState.DONE, worked=10.0), at(1, RunState.RUNNING, fraction=0.5, eta_seconds=4.0)],
        "B": [at(2, RunState.QUEUED), at(3, RunState.CANCELLED, fraction=0.2)],
    }
    assert [each.sentence for each in going(settings)] == [
        "1 of 2 done, 1 running",
        "0 of 2 done, 1 queued, 1 cancelled",
    ]
    assert [each.fraction for each in going(settings)] == [0.75, 0.1]
    assert seconds_left(settings) == 14.0, "4 s of the running one, and B takes as long as A did"
    assert seconds_left({"B": settings["B"]}) is None
    assert [run.seed for run in in_turns(list(settings.values()))] == [0, 2, 1, 3]
