"""What every measure of similarity claims, checked on all that are registered: flags are tested, not trusted."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.similarity import INVARIANCES, MEASURES, Measure, Undefined, between

Array = NDArray[np.float64]

NAMES = MEASURES.names()
OUTPUTS = [name for name in NAMES if MEASURES.get(name).of == "outputs"]
ACTIVATIONS = [name for name in NAMES if name not in OUTPUTS]
# Of these the value for unrelated layers is zero on average; of the others it grows with units and shrinks
# with samples, which is why the page shows it beside the number.
CENTERED_ON_ZERO = ["cka", "cka_minibatch", "rsa"]
# They compare samples by their profile over all units, so a constant unit that is not zero changes them.
BY_NEIGHBORS = ["jaccard_knn", "mutual_knn"]
BY_PROFILE = [*BY_NEIGHBORS, "rsa"]

every_measure = pytest.mark.parametrize("name", NAMES)


def pair(name: str, *, n: int = 240, seed: int = 3) -> tuple[Array, Array]:
    """Two related layers (n, 9) and (n, 7) that differ in scale, mean and rotation; or two nets' logits."""
    rng = np.random.default_rng(seed)
    if name in OUTPUTS:
        logits = 2 * rng.standard_normal((n, 6))
        return logits, logits + rng.standard_normal((n, 6))
    x = rng.standard_normal((n, 9)) @ rng.standard_normal((9, 9)) + rng.standard_normal(9)
    return x, np.maximum(x @ rng.standard_normal((9, 7)) + rng.standard_normal((n, 7)), 0)


def value(x: Array, y: Array, measure: Measure) -> float:
    result = between(x, y, measure)
    assert not result.reason
    return result.value


def refusal(work: Callable[[], object]) -> str | None:
    """Why the work could not be done; None where it could."""
    try:
        work()
    except Undefined as error:
        return str(error)
    return None


def changed(x: Array, change: str, seed: int = 5) -> Array:
    """The layer after one of the five changes, none of them small."""
    rng = np.random.default_rng(seed)
    p = x.shape[1]
    changes: dict[str, Callable[[], Array]] = {
        "permutation": lambda: x[:, np.roll(np.arange(p), 1)],
        "scale": lambda: 3.7 * x,
        "translation": lambda: x + 3 * x.std() * rng.standard_normal(p),
        "orthogonal": lambda: x @ np.linalg.qr(rng.standard_normal((p, p)))[0],
        "invertible": lambda: x @ (rng.standard_normal((p, p)) + 2 * np.diag(np.arange(1, p + 1))),
    }
    return changes[change]()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("change", INVARIANCES)
@every_measure
def test_declared_invariances_hold_and_no_others(name: str, change: str, side: str) -> None:
    measure = MEASURES.create(name)
    x, y = pair(name)
    before = value(x, y, measure)
    after = value(changed(x, change), y, measure) if side == "left" else value(x, changed(y, change), measure)
    if change in getattr(measure, side):
        assert after == pytest.approx(before, abs=1e-8)
    else:
        assert abs(after - before) > 1e-3, f"{name} does not notice {change} of the {side} layer, but says so"


@every_measure
def test_declarations_are_consistent(name: str) -> None:
    measure = MEASURES.create(name)
    for flags in (measure.left, measure.right):
        assert flags <= set(INVARIANCES)
        assert "orthogonal" not in flags or "permutation" in flags
        assert "invertible" not in flags or {"permutation", "scale", "orthogonal"} <= flags
    assert measure.low <= measure.identical <= measure.high
    if measure.symmetric:
        assert measure.left == measure.right
    if measure.metric:
        assert measure.kind == "distance"
        assert measure.symmetric
        assert measure.identical == 0
    for sentence in (measure.ignores, measure.distrust):
        assert sentence.endswith(".")
        assert len(sentence) > 30


@every_measure
def test_a_layer_with_itself(name: str) -> None:
    measure = MEASURES.create(name)
    x, y = pair(name)
    # An arc cosine of nearly 1 is good to 1e-8 only.
    for layer in (x, y):
        assert value(layer, layer.copy(), measure) == pytest.approx(measure.identical, abs=5e-8)


@every_measure
def test_exchanging_the_layers(name: str) -> None:
    measure = MEASURES.create(name)
    x, y = pair(name)
    there, back = value(x, y, measure), value(y, x, measure)
    assert (abs(there - back) < 1e-10) if measure.symmetric else (abs(there - back) > 1e-3)


@every_measure
def test_stays_in_range(name: str) -> None:
    measure = MEASURES.create(name)
    rng = np.random.default_rng(0)
    x, y = pair(name, n=60)
    tricky = [x, -x, x[::-1], y, np.exp(x / x.std()), x * 1e-6, x * 1e6 + 1e5, np.sign(x)]
    tricky += [rng.standard_normal(x.shape) for _ in range(3)]
    for a, b in itertools.product(tricky, repeat=2):
        result = between(a, b, measure)
        assert result.reason or measure.low <= result.value <= measure.high


@pytest.mark.parametrize("name", [name for name in NAMES if MEASURES.get(name).metric])
def test_a_metric_obeys_the_triangle_inequality(name: str) -> None:
    measure = MEASURES.create(name)
    rng = np.random.default_rng(1)
    for _ in range(60):
        x, y = pair(name, n=40, seed=int(rng.integers(1_000)))
        # z lies close to x or y, or between them, where the inequality is tight.
        z = rng.choice([0.01, 0.3, 1.0]) * rng.standard_normal(x.shape)
        z[:, : y.shape[1]] += y * rng.random()
        z += x * rng.random()
        assert value(x, y, measure) <= value(x, z, measure) + value(z, y, measure) + 1e-9


@pytest.mark.parametrize("name", [name for name in NAMES if MEASURES.get(name).kind == "distance"])
def test_a_detour_saves_distance_only_where_no_metric_is_declared(name: str) -> None:
    measure = MEASURES.create(name)
    x, y = pair(name, n=40)
    if x.shape == y.shape:
        detour = value(x, (x + y) / 2, measure) + value((x + y) / 2, y, measure)
        assert (detour < value(x, y, measure) - 1e-3) is not measure.metric
    else:
        assert measure.metric


@pytest.mark.parametrize("name", CENTERED_ON_ZERO)
def test_unrelated_layers_give_zero_on_average(name: str) -> None:
    measure = MEASURES.create(name)
    rng = np.random.default_rng(2)
    values = np.array(
        [value(rng.standard_normal((40, 12)), rng.standard_normal((40, 12)), measure) for _ in range(80)]
    )
    assert abs(values.mean()) < 3 * values.std(ddof=1) / math.sqrt(len(values))
    assert values.std() > 0.005


@every_measure
def test_unrelated_layers_are_further_apart_than_related_ones(name: str) -> None:
    measure = MEASURES.create(name)
    x, y = pair(name)
    rng = np.random.default_rng(4)
    null = np.mean([value(x, y[rng.permutation(len(y))], measure) for _ in range(5)])
    better = value(x, y, measure) - null
    assert better > 0.02 if measure.kind == "similarity" else better < -0.02


@pytest.mark.parametrize(("p", "q"), [(3, 3), (5, 9), (20, 6)])
@every_measure
def test_too_few_samples_give_the_number_needed(name: str, p: int, q: int) -> None:
    measure = MEASURES.create(name)
    if measure.of == "outputs":
        p = q
    least = measure.least_samples(p, q)
    rng = np.random.default_rng(6)
    # One strong direction and little else, because SVCCA counts the directions it keeps.
    strong = 10 * rng.standard_normal((least, 1))
    x, y = (strong * rng.standard_normal(k) + 0.1 * rng.standard_normal((least, k)) for k in (p, q))
    assert math.isfinite(value(x, y, measure))
    for n in range(least):
        result = between(x[:n], y[:n], measure)
        assert math.isnan(result.value)
        assert f"at least {least:,} samples" in result.reason
        assert result.reason.endswith(".")


@pytest.mark.parametrize("n", range(0, 5))
@every_measure
def test_preparing_very_few_samples_never_breaks(name: str, n: int) -> None:
    measure = MEASURES.create(name)
    reason = refusal(lambda: measure.prepare(np.random.default_rng(0).standard_normal((n, 3))))
    assert reason is None or reason.endswith(".")


@pytest.mark.parametrize("constant", [0.0, 0.1, -7e5])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_constant_layer_has_no_value_but_a_reason(name: str, constant: float) -> None:
    measure = MEASURES.create(name)
    x, _ = pair(name)
    dead = np.full((len(x), 4), constant)
    for a, b in ((x, dead), (dead, x), (dead, dead)):
        result = between(a, b, measure)
        assert math.isnan(result.value)
        assert "constant" in result.reason
        assert result.reason.endswith(".")
    rounding = dead + 1e-12 * constant * np.random.default_rng(0).standard_normal(dead.shape)
    assert math.isnan(between(x, rounding, measure).value)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dead_units_change_nothing(name: str) -> None:
    measure = MEASURES.create(name)
    x, y = pair(name)
    dead = np.zeros((len(x), 5)) if name in BY_PROFILE else np.tile([0.0, 0.1, 7.0, -3e4, 0.3], (len(x), 1))
    with_dead = np.concatenate([dead[:, :2], y, dead[:, 2:]], axis=1)
    alone = value(x, y, measure)
    together = value(x, with_dead, measure)
    if name == "rsa":  # zeros belong to a profile: they change it, but never to something undefined
        assert together != alone
    else:
        assert together == pytest.approx(alone, abs=1e-10)
    assert math.isfinite(value(with_dead, with_dead, measure))


@every_measure
def test_shuffled_is_preparing_the_shuffled_rows(name: str) -> None:
    measure = MEASURES.create(name)
    x, y = pair(name)
    rng = np.random.default_rng(7)
    if name in BY_NEIGHBORS:  # which of equally near samples counts is left open
        y = y + 0.01 * rng.standard_normal(y.shape)
    first, second = rng.permutation(len(x)), rng.permutation(len(x))
    a, b = measure.prepare(x), measure.prepare(y)
    moved = measure.prepare(y[first])
    assert measure.compare(a, measure.shuffled(b, first)) == pytest.approx(
        measure.compare(a, moved), abs=1e-12
    )
    back = measure.compare(measure.shuffled(b, first), a)
    assert back == pytest.approx(measure.compare(moved, a), abs=1e-12)
    twice = measure.shuffled(measure.shuffled(b, first), second)
    again = measure.prepare(y[first][second])
    assert measure.compare(a, twice) == pytest.approx(measure.compare(a, again), abs=1e-12)
    same = measure.compare(measure.shuffled(a, first), measure.shuffled(b, first))
    if name != "cka_minibatch":  # its batches are made of other samples then
        assert same == pytest.approx(measure.compare(a, b), abs=1e-12)


def layers(name: str, rng: np.random.Generator, n: int = 160) -> list[Array]:
    """Layers of one unit, a few, and more than samples; some wide ones share the samples' structure."""
    if name in OUTPUTS:
        return [rng.standard_normal((n, k)) for k in (5, 5, 3)]
    base = rng.standard_normal((n, 12))
    return [
        np.maximum(base @ rng.standard_normal((12, p)) + 0.3 * rng.standard_normal((n, p)), 0)
        for p in (1, 4, 30, 90, 140, 200)
    ]


@every_measure
def test_a_matrix_is_the_comparison_of_every_pair(name: str) -> None:
    measure = MEASURES.create(name)
    rng = np.random.default_rng(8)
    prepared: list[object] = []
    for x in [*layers(name, rng), *layers(name, rng)[:-1]]:
        with contextlib.suppress(Undefined):
            prepared.append(measure.prepare(x))
    order = rng.permutation(160)
    rows, columns = prepared[::2], [measure.shuffled(b, order) for b in prepared[1::2]] + [prepared[0]]
    expected = np.full((len(rows), len(columns)), math.nan)
    for (i, a), (j, b) in itertools.product(enumerate(rows), enumerate(columns)):
        with contextlib.suppress(Undefined):
            expected[i, j] = measure.compare(a, b)
    assert np.isfinite(expected).sum() >= 4
    np.testing.assert_allclose(measure.matrix(rows, columns), expected, rtol=0, atol=1e-12)
    assert measure.matrix(rows, []).shape == (len(rows), 0)
    assert measure.matrix([], columns).shape == (0, len(columns))


@every_measure
def test_more_units_than_samples_give_a_value_or_a_reason(name: str) -> None:
    if name in OUTPUTS:
        return
    measure = MEASURES.create(name)
    rng = np.random.default_rng(9)
    x, y = rng.standard_normal((50, 200)), rng.standard_normal((50, 60))
    for a, b in itertools.product((x, y), repeat=2):
        result = between(a, b, measure)
        assert result.reason.endswith(".") if math.isnan(result.value) else not result.reason


@every_measure
def test_writes_into_nothing_and_repeats_itself(name: str) -> None:
    measure = MEASURES.create(name)
    x, y = pair(name)
    x.setflags(write=False)
    y.setflags(write=False)
    order = np.random.default_rng(0).permutation(len(x))
    order.setflags(write=False)
    a, b = measure.prepare(x), measure.prepare(y)
    first = measure.compare(a, b)
    measure.compare(measure.shuffled(a, order), b)
    measure.matrix([a, b], [b, a])
    assert measure.compare(a, b) == first
    assert value(x, y, MEASURES.create(name)) == first


@every_measure
def test_settings_are_checked_and_described(name: str) -> None:
    with pytest.raises(InvalidInput):
        MEASURES.create(name, {"no_such_setting": 1})
    for field in MEASURES.get(name).Config.model_fields.values():
        assert field.title
