"""The prior-fitted network: what its card promises, and that what is asked without torch is what was trained."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
import torch
from safetensors import safe_open

from core.predictors.prior_fitted import bars, forward
from core.predictors.prior_fitted.encoding import encoded, fitting, spread_out, standard
from core.predictors.prior_fitted.network import PriorFitted, log_density
from core.predictors.prior_fitted.prior import FEATURES, nas_shaped, smooth_line
from core.predictors.prior_fitted.training import Recipe, draw, packed, train
from tests.helpers.planted import small_space

SHORT = Recipe(steps=3, batch=2, most=12, asked=5, bars=8, width=16, depth=2)


def data(seed: int, n: int = 30, asked: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A made-up space: known rows and values, and rows to ask for with theirs, standardized by the known ones."""
    x, y = nas_shaped(np.random.default_rng(seed), n + asked)
    center, scale = standard(y[:n])
    x, y = spread_out(x, FEATURES), (y - center) / scale
    return x[:n], y[:n], x[n:], y[n:]


def loss(known: np.ndarray, values: np.ndarray, asked: np.ndarray, targets: np.ndarray) -> float:
    weights = forward.shipped()
    logits = torch.from_numpy(forward.logits(weights, known, values, asked))
    return -float(log_density(logits, torch.from_numpy(weights.borders), torch.from_numpy(targets)).mean())


def test_the_order_of_the_context_does_not_matter() -> None:
    known, values, asked, _ = data(0)
    other = np.random.default_rng(1).permutation(len(known))
    weights = forward.shipped()
    found = forward.logits(weights, known, values, asked)
    again = forward.logits(weights, known[other], values[other], asked)
    assert again == pytest.approx(found, abs=2e-3)
    assert not np.allclose(forward.logits(weights, known, values[other], asked), found, atol=0.05)


def test_what_else_is_asked_for_does_not_matter() -> None:
    known, values, asked, _ = data(2)
    weights = forward.shipped()
    together = forward.logits(weights, known, values, asked)
    alone = np.concatenate([forward.logits(weights, known, values, asked[[i]]) for i in range(5)])
    assert alone == pytest.approx(together[:5], abs=1e-4)
    # In the network that is trained as well: the targets of the others are not even given.
    net, _ = train(SHORT)
    a, b, c, _ = draw(SHORT, 7)
    assert torch.allclose(net(a, b, c)[:, :2], net(a, b, c[:, :2]), atol=1e-6)


def test_probabilities_sum_to_one_and_rise() -> None:
    known, values, asked, _ = data(3)
    weights = forward.shipped()
    logits = forward.logits(weights, known, values, asked)
    assert bars.probabilities(logits).sum(1) == pytest.approx(np.ones(len(asked)))
    at = np.linspace(-30, 30, 601)
    below = bars.cumulative(logits, weights.borders, at)
    assert (np.diff(below, axis=1) >= -1e-9).all()
    assert below[:, 0] == pytest.approx(np.zeros(len(asked)), abs=1e-3)
    assert below[:, -1] == pytest.approx(np.ones(len(asked)), abs=1e-3)
    # Mean and variance are those of the distribution function.
    middle, steps = (at[1:] + at[:-1]) / 2, np.diff(below, axis=1)
    mean, variance = bars.moments(logits, weights.borders)
    assert mean == pytest.approx(steps @ middle, abs=0.01)
    assert variance == pytest.approx(steps @ middle**2 - mean**2, abs=0.02)


def test_the_density_is_the_slope_of_the_distribution() -> None:
    weights = forward.shipped()
    known, values, asked, _ = data(4)
    logits = forward.logits(weights, known, values, asked)[:1]
    borders = weights.borders
    at = np.concatenate([[borders[0] - 1.0], (borders[1:] + borders[:-1]) / 2, [borders[-1] + 1.0]])
    step = 1e-5
    slope = (bars.cumulative(logits, borders, at + step) - bars.cumulative(logits, borders, at - step))[0] / (
        2 * step
    )
    given = torch.from_numpy(np.repeat(logits, len(at), axis=0))
    density = log_density(given, torch.from_numpy(borders), torch.from_numpy(at)).exp().numpy()
    assert density == pytest.approx(slope, rel=1e-3)


def test_more_context_is_better() -> None:
    losses = []
    for n in (5, 20, 120):
        sets = [data(seed, 120) for seed in range(12)]
        losses.append(np.mean([loss(k[:n], v[:n], a, t) for k, v, a, t in sets]))
    assert losses[0] > losses[1] + 0.05 > losses[2] + 0.1
    # Knowing nothing but mean and deviation of the context.
    assert losses[2] < np.mean([0.5 * (1.837877 + np.mean(t**2)) for _, _, _, t in sets]) - 0.2


def test_numpy_answers_what_torch_was_trained_to() -> None:
    torch.manual_seed(0)
    net = PriorFitted(6, 8, width=16, depth=2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    tensors = {name: tensor.numpy().astype(np.float16) for name, tensor in net.state_dict().items()}
    net.load_state_dict({name: torch.from_numpy(tensor).float() for name, tensor in tensors.items()})
    weights = forward.Weights.of(tensors | {"borders": np.linspace(-1, 1, 9)}, most=10)
    rng = np.random.default_rng(0)
    known, values, asked = rng.standard_normal((10, 6)), rng.standard_normal(10), rng.standard_normal((7, 6))
    with torch.no_grad():
        expected = net(*(torch.from_numpy(each).float()[None] for each in (known, values, asked)))[0]
    assert forward.logits(weights, known, values, asked) == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_file_and_touches_no_global_chance() -> None:
    before = torch.random.get_rng_state()
    first, second = (packed(*train(SHORT), SHORT, 0) for _ in range(2))
    assert first == second
    assert packed(*train(replace(SHORT, seed=1)), SHORT, 0) != first
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_shipped_file_is_small_and_says_how_it_came_about() -> None:
    assert forward.FILE.stat().st_size < 700_000
    with safe_open(forward.FILE, framework="numpy") as file:
        about = json.loads(file.metadata()["about"])
    assert Recipe(**about["recipe"]) == Recipe(), "train it again, or put the recipe back"
    assert about["seconds"] > 60


def test_rows_of_any_space_fit() -> None:
    space = small_space()
    rows = space.array()
    x = encoded(space, rows)
    assert ((x >= 0) & (x <= 1)).all()
    assert len(np.unique(x, axis=0)) == len(rows), "different architectures are different rows"
    wide = np.random.default_rng(0).random((50, 400))
    near = fitting(wide, FEATURES)
    assert near.shape == (50, FEATURES)
    distances = [np.linalg.norm(m[:, None] - m, axis=-1)[np.triu_indices(50, 1)] for m in (wide, near)]
    assert np.corrcoef(*distances)[0, 1] > 0.1
    assert fitting(wide[:, :10], FEATURES) is not wide
    assert (fitting(wide[:, :10], FEATURES) == wide[:, :10]).all()


@pytest.mark.long
def test_on_a_line_it_is_nearly_the_exact_gaussian_process() -> None:
    """The card's check of a prior whose posterior is known; under a minute of one core."""
    recipe = Recipe(
        standardized=False,
        prior="smooth_line",
        steps=1000,
        batch=32,
        fewest=3,
        most=16,
        asked=32,
        bars=50,
        depth=4,
    )
    net, borders = train(recipe)
    for n in (3, 8, 15):
        said, exact = [], []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            length = rng.uniform(0.1, 0.5)
            x, y = smooth_line(rng, n + 50, length)
            known, asked = (spread_out(part, 1) for part in (x[:n], x[n:]))
            given = (known, y[:n], asked)
            with torch.no_grad():
                logits = net(*(torch.from_numpy(each).float()[None] for each in given))[0].double().numpy()
            said.append(bars.moments(logits, borders.double().numpy())[0])
            exact.append(_posterior(x[:n, 0], y[:n], x[n:, 0], length))
        assert np.corrcoef(np.concatenate(said), np.concatenate(exact))[0, 1] > 0.95


def _posterior(x: np.ndarray, y: np.ndarray, at: np.ndarray, length: float) -> np.ndarray:
    kernel = lambda a, b: np.exp(-0.5 * ((a[:, None] - b) / length) ** 2)  # noqa: E731
    return kernel(at, x) @ np.linalg.solve(kernel(x, x) + 0.01 * np.eye(len(x)), y)


def test_half_of_a_tail_lies_within_its_bar() -> None:
    borders = np.array([-2.0, -1.0, 1.0, 2.0])
    low, _ = bars.tail_scales(borders)
    assert 2 * NormalDist(0, low).cdf(1.0) - 1 == pytest.approx(0.5)
