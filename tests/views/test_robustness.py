"""What a look at robustness says, on planted subnets: each verdict under its rule, and nothing where nothing shows."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidInput
from core.pareto import non_dominated
from core.plots.robustness import robustness_figure
from core.records import Measurement
from core.spaces import Choice, SearchSpace
from core.views.robustness import AGAINST, Robustness, robustness

N = 36
SPACE = SearchSpace([Choice("width", tuple(range(1, N + 1)))])


def measured(
    robust: np.ndarray, distance: np.ndarray, clean: np.ndarray | None = None, macs: np.ndarray | None = None
) -> Robustness:
    rng = np.random.default_rng(9)
    clean = 0.5 + 0.1 * rng.random(N) if clean is None else clean
    macs = rng.permutation(N) + 100.0 if macs is None else macs
    columns = {"robust_accuracy": robust, "accuracy": clean, "fsp_distance": distance, "macs": macs}
    rows = [Measurement((i,), {name: float(v[i]) for name, v in columns.items()}) for i in range(N)]
    return robustness(SPACE, rows)


def verdict(found: Robustness) -> str:
    return found.sentences[-1]


def test_a_planted_order_is_found_with_its_sign_and_a_shuffled_one_is_not() -> None:
    rng = np.random.default_rng(0)
    robust = 0.2 + 0.5 * rng.random(N)
    assert "with more robustness here, also among" in verdict(
        measured(robust, 1 - robust + 0.02 * rng.random(N))
    )
    assert "less robustness, the opposite" in verdict(measured(robust, robust + 0.02 * rng.random(N)))
    assert "does not show here" in verdict(measured(robust, rng.random(N)))


def test_what_accuracy_says_already_is_told_apart() -> None:
    rng = np.random.default_rng(1)
    clean = rng.random(N)
    robust, distance = clean + 0.2 * rng.random(N), 1 - clean + 0.2 * rng.random(N)
    found = measured(robust / 2, distance, clean)
    assert "not beyond what accuracy" in verdict(found)
    labels = {c.label: c for c in found.correlations}
    assert labels["FSP distance"].shows
    assert not labels["FSP distance at equal accuracy"].shows
    assert abs(labels["FSP distance at equal accuracy"].rho) < abs(labels["FSP distance"].rho)


def test_where_nearly_nothing_stays_right_it_says_so_first() -> None:
    rng = np.random.default_rng(2)
    weak = measured(0.05 * rng.random(N), rng.random(N))
    assert "their order says little" in weak.sentences[1]
    assert not any(
        "their order says little" in s for s in measured(0.3 + 0.3 * rng.random(N), rng.random(N)).sentences
    )


def test_the_front_is_that_of_robust_accuracy_and_macs_and_drawn_only_on_its_axes() -> None:
    rng = np.random.default_rng(3)
    found = measured(rng.random(N), rng.random(N))
    points = found.table[["robust_accuracy", "macs"]].to_numpy()
    assert (found.table["on_front"] == non_dominated(points, maximize=[True, False])).all()
    for against in AGAINST:
        every, front = robustness_figure(found, against).data
        assert len(every.x) == N
        assert len(front.x) == found.table["on_front"].sum()
        assert front.mode == ("lines+markers" if against == "macs" else "markers")
        assert sorted(every.y) == pytest.approx(sorted(100 * found.table["robust_accuracy"]))


def test_few_subnets_and_constants_are_said_not_computed() -> None:
    rows = [Measurement((i,), {"robust_accuracy": 0.5}) for i in range(20)]
    with pytest.raises(InvalidInput, match="at least 8 subnets"):
        robustness(SPACE, rows)
    flat = measured(np.full(N, 0.4), np.random.default_rng(4).random(N))
    assert flat.correlations == ()
    assert len(flat.sentences) == 1
