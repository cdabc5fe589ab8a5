"""The verdict against the spread of seeds, on planted activations and on numbers by hand."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.similarity.base import Measure, Undefined
from core.similarity.seed_spread import (
    StageResult,
    Verdict,
    accuracy_verdict,
    answer,
    compare_stages,
    expected_range,
    judge,
)

Array = NDArray[np.float64]


class Planted(Measure):
    """Linear CKA on the unbiased scale of its definition, written out; constant layers have no value."""

    label = "planted CKA"

    def prepare(self, x: Array) -> Array:
        centered = x - x.mean(0)
        if not centered.any():
            raise Undefined("All units of this layer are constant.")
        return centered

    def shuffled(self, prepared: Array, order: NDArray[np.intp]) -> Array:
        return prepared[order]

    def compare(self, a: Array, b: Array) -> float:
        cross = np.linalg.norm(a.T @ b) ** 2
        return float(cross / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


class Distance(Planted):
    """One minus it."""

    label = "planted distance"
    kind = "distance"
    identical = 0.0

    def compare(self, a: Array, b: Array) -> float:
        return 1 - super().compare(a, b)


class OneSided(Planted):
    """Not symmetric: only the first argument's size."""

    label = "one-sided"
    symmetric = False

    def compare(self, a: Array, b: Array) -> float:
        return float(np.abs(a).sum())


class Demanding(Planted):
    def least_samples(self, p: int, q: int) -> int:
        return 10 * max(p, q)


def layers(seed: int, signal: Array, noise: float, p: int = 12) -> Array:
    """A random rotation of a common signal, and noise of its own."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((p, p)))[0]
    return signal @ turn + noise * rng.standard_normal(signal.shape)


@pytest.fixture
def signal() -> Array:
    return np.random.default_rng(99).standard_normal((400, 12)) * np.linspace(2, 0.2, 12)


def planted(shared: Array, alone: list[Array], measure: Measure | None = None, **more: Any) -> StageResult:
    [stage] = compare_stages({"0": shared}, [{"0": x} for x in alone], measure or Planted(), **more)
    return stage


@pytest.mark.parametrize("measure", [Planted(), Distance()])
def test_one_more_seed_of_the_same_is_as_alike(signal: Array, measure: Measure) -> None:
    stage = planted(layers(0, signal, 0.3), [layers(k, signal, 0.3) for k in (1, 2, 3)], measure)
    assert stage.verdict is Verdict.AS_ALIKE
    assert (len(stage.shared), len(stage.alone), stage.n, stage.units) == (3, 3, 400, 12)
    assert stage.reason == ""


@pytest.mark.parametrize("measure", [Planted(), Distance()])
def test_identical_networks_are_as_alike_despite_rounding(signal: Array, measure: Measure) -> None:
    stage = planted(signal * 3, [signal, signal * 2, signal], measure)
    assert stage.verdict is Verdict.AS_ALIKE
    assert stage.shared == pytest.approx((measure.identical,) * 3)


@pytest.mark.parametrize("measure", [Planted(), Distance()])
def test_an_unrelated_network_is_less_alike_and_no_better_than_shuffled(
    signal: Array, measure: Measure
) -> None:
    random = np.random.default_rng(5).standard_normal(signal.shape)
    stage = planted(random, [layers(k, signal, 0.3) for k in (1, 2, 3)], measure)
    assert stage.verdict is Verdict.LESS
    assert abs(np.mean(stage.shared) - stage.null_mean) < 0.02


def test_the_null_is_near_nothing_and_far_from_the_values(signal: Array) -> None:
    stage = planted(layers(0, signal, 0.3), [layers(k, signal, 0.3) for k in (1, 2, 3)])
    assert 0 < stage.null_mean < 0.05
    assert 0 < stage.null_sd < 0.02
    assert min(stage.shared) > 0.8


@pytest.mark.parametrize("measure", [Planted(), Distance()])
def test_what_all_seeds_agree_on_more_than_among_themselves_is_more_alike(
    signal: Array, measure: Measure
) -> None:
    """The noiseless signal is nearer to each noisy copy than these are to each other."""
    assert planted(signal, [layers(k, signal, 1.0) for k in (1, 2, 3)], measure).verdict is Verdict.MORE


def test_values_and_pairs_are_those_of_the_measure(signal: Array) -> None:
    nets = [layers(k, signal, 0.5) for k in range(4)]
    stage = planted(nets[0], nets[1:])
    measure = Planted()

    def value(i: int, j: int) -> float:
        return measure.compare(measure.prepare(nets[i]), measure.prepare(nets[j]))

    assert stage.shared == pytest.approx([value(0, 1), value(0, 2), value(0, 3)])
    assert stage.alone == pytest.approx([value(1, 2), value(1, 3), value(2, 3)])


def test_a_one_sided_measure_is_taken_both_ways(signal: Array) -> None:
    a, b = signal - signal.mean(0), 2 * signal - 2 * signal.mean(0)
    stage = planted(signal, [2 * signal], OneSided())
    assert stage.shared == pytest.approx([(np.abs(a).sum() + np.abs(b).sum()) / 2])


@pytest.mark.parametrize(("n", "pairs"), [(1, 0), (2, 1)])
def test_fewer_than_three_seeds_decide_nothing_and_say_so(signal: Array, n: int, pairs: int) -> None:
    stage = planted(signal, [layers(k, signal, 0.3) for k in range(n)])
    assert stage.verdict is Verdict.UNKNOWN
    assert len(stage.alone) == pairs
    assert stage.reason.startswith(f"{n} network")
    assert "at least 3 seeds are needed" in stage.reason
    assert answer([stage], "planted CKA", range(n)).startswith(f"No verdict: {n} network")


def test_a_dead_layer_gives_a_reason_instead_of_a_number(signal: Array) -> None:
    alone = [layers(k, signal, 0.3) for k in (1, 2, 3)]
    dead = np.ones_like(signal)
    stage = planted(dead, alone)
    assert np.isnan(stage.shared).all()
    assert (stage.verdict, stage.reason) == (Verdict.UNKNOWN, "All units of this layer are constant.")
    assert math.isnan(stage.null_mean)
    assert answer([stage], "CKA", (1, 2, 3)) == "No verdict: All units of this layer are constant."
    one_dead = planted(signal, [*alone, dead])
    assert np.isfinite(one_dead.shared).tolist() == [True, True, True, False]
    assert np.isfinite(one_dead.alone).sum() == 3
    assert one_dead.verdict is not Verdict.UNKNOWN
    assert one_dead.reason


def test_too_few_samples_and_other_sizes_give_a_reason(signal: Array) -> None:
    assert "at least 120 samples" in planted(signal[:50], [signal[:50]] * 3, Demanding(None)).reason
    assert "different" not in planted(signal, [signal] * 3).reason
    assert "rows" in planted(signal, [signal[:100]] * 3).reason


def test_equal_seeds_give_equal_nulls(signal: Array) -> None:
    alone = [layers(k, signal, 0.3) for k in (1, 2, 3)]
    first, again, other = (planted(signal, alone, seed=s) for s in (0, 0, 1))
    assert first == again
    assert first.null_mean != other.null_mean
    assert first.shared == other.shared


def test_nothing_is_written_into_the_activations(signal: Array) -> None:
    nets = [layers(k, signal, 0.3) for k in range(4)]
    for net in nets:
        net.flags.writeable = False
    planted(nets[0], nets[1:])


def test_missing_networks_or_stages_are_refused(signal: Array) -> None:
    with pytest.raises(InvalidInput, match="no network trained alone"):
        compare_stages({"0": signal}, [], Planted())
    with pytest.raises(InvalidInput, match="lacks a stage"):
        compare_stages({"0": signal, "1": signal}, [{"0": signal}], Planted())


# --- by hand --------------------------------------------------------------------------------------


def test_the_range_of_three_networks_by_hand() -> None:
    """Pairs 0.4, 0.5, 0.6 are sums of 0.15, 0.25, 0.35: deviation 0.1, t of 2 degrees of freedom 4.3027."""
    half = 4.302653 * 0.1 * np.sqrt(4 / 3)
    assert expected_range([0.4, 0.5, 0.6]) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-5)
    assert expected_range([0.5, 0.5, 0.5]) == pytest.approx((0.5, 0.5), abs=1e-8)


@pytest.mark.parametrize("n", [3, 4, 6])
def test_the_effects_of_networks_are_found_among_their_pairs(n: int) -> None:
    """Values that are exactly sums: the range is the textbook prediction interval for the effects."""
    from scipy import stats

    effects = np.random.default_rng(n).normal(0, 0.1, n)
    pairs = [effects[i] + effects[j] for i in range(n) for j in range(i + 1, n)]
    half = stats.t.ppf(0.975, n - 1) * effects.std(ddof=1) * np.sqrt(1 + 1 / n)
    assert expected_range(pairs) == pytest.approx((2 * effects.mean() - half, 2 * effects.mean() + half))


@pytest.mark.parametrize("wrong", [0, 1, 2, 4, 5])
def test_numbers_of_values_that_are_no_pairs_are_refused(wrong: int) -> None:
    with pytest.raises(InvalidInput):
        expected_range([0.5] * wrong)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("uneven", [False, True])
def test_an_equal_network_is_called_different_about_once_in_twenty(n: int, uneven: bool) -> None:
    """The rule's own error, measured; two deviations of the pairs would give 0.16 to 0.21 for three."""
    wrong, draws = 0, 300
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        signal = rng.standard_normal((60, 8)) * np.linspace(2, 0.2, 8)
        noise = rng.uniform(0.1, 0.8, n + 1) if uneven else np.full(n + 1, 0.3)
        nets = [layers(1000 * draw + k, signal, noise[k], 8) for k in range(n + 1)]
        wrong += planted(nets[0], nets[1:], permutations=0).verdict is not Verdict.AS_ALIKE
    assert 0.01 < wrong / draws < 0.09


@pytest.mark.parametrize(
    ("shared", "expected", "as_distance"),
    [
        ([0.1, 0.1, 0.1], Verdict.AS_ALIKE, Verdict.AS_ALIKE),
        ([0.9, 0.9, 1.0], Verdict.AS_ALIKE, Verdict.AS_ALIKE),
        ([0.0, 0.0, 0.0], Verdict.LESS, Verdict.MORE),
        ([1.0, 1.0, 1.0], Verdict.MORE, Verdict.LESS),
        ([], Verdict.UNKNOWN, Verdict.UNKNOWN),
        ([math.nan, 0.5, 0.5], Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_the_mean_decides(shared: list[float], expected: Verdict, as_distance: Verdict) -> None:
    pairs = [0.4, 0.5, 0.6] if shared else []
    assert judge(shared, pairs)[0] is expected
    assert judge(shared, pairs, distance=True)[0] is as_distance


def test_a_missing_pair_leaves_too_few() -> None:
    assert judge([0.5] * 3, [0.4, 0.5, math.nan])[0] is Verdict.UNKNOWN


def test_a_network_without_values_is_left_out_of_both() -> None:
    """Network 2 of four is dead: what remains is networks 0, 1 and 3."""
    dead = math.nan
    shared = [0.0, 0.0, dead, 0.0]
    pairs = {(0, 1): 0.4, (0, 2): dead, (0, 3): 0.5, (1, 2): dead, (1, 3): 0.6, (2, 3): dead}
    assert judge(shared, list(pairs.values()))[0] is Verdict.LESS
    assert judge([0.5, 0.5, dead, 0.5], list(pairs.values()))[0] is Verdict.AS_ALIKE


def test_accuracies() -> None:
    alone = [0.90, 0.91, 0.92]  # 0.91 and 4.3027 * 0.01 * 1.1547 = 0.0497 to each side
    assert accuracy_verdict(0.959, alone) == "a tie"
    assert accuracy_verdict(0.961, alone) == "higher inside"
    assert accuracy_verdict(0.859, alone) == "lower inside"
    assert accuracy_verdict(0.5, alone[:2]) == "too few seeds to compare"


def stage(label: str, found: Verdict) -> StageResult:
    return StageResult(label, label, (0.5,) * 3, (0.5,) * 3, 0.0, 0.0, 359, 8, (0.4, 0.648), found, "")


def test_the_answer_counts_names_and_never_says_more_than_it_knows() -> None:
    ties, less, more, unknown = (
        stage(v.name.lower(), v) for v in (Verdict.AS_ALIKE, Verdict.LESS, Verdict.MORE, Verdict.UNKNOWN)
    )
    none = answer([ties, ties], "CKA", (1, 2, 3))
    assert none.startswith("No difference seen: at all 2 stages")
    assert none.endswith(
        "Measured by CKA on 359 rows of activations, seeds 1, 2, 3: 3 values against 3 pairs. "
        "With these seeds, a difference below 0.12 does not show."
    )
    wider = dataclasses.replace(ties, expected=(0.0, 1.0))
    assert answer([ties, wider], "CKA", (1, 2, 3)).endswith("below 0.12 to 0.50 (by stage) does not show.")
    every = answer([less, less], "CKA", (1, 2, 3))
    assert every.startswith("It differs: at all 2 stages")
    assert "does not show" not in every
    mixed = answer([ties, less, more, unknown], "CKA", (1, 2, 3, 4))
    assert mixed.startswith(
        "It differs in part: less alike than two seeds are at 1 of 3 stages (less) and more alike than two seeds are at 1 of "
        "3 stages (more), as alike at 1 (chance alone would call 1 stage in 20 different). "
    )
    assert "4 values against 6 pairs" in mixed
    assert mixed.endswith("1 of the stages have no value.")
