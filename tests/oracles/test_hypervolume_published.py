"""Hypervolumes against the published values of 135 point sets with 2 to 4 objectives.

The sets come from github.com/multi-objective/testsuite (MPL-2.0) and are not part of this project;
the tests skip where the folder is absent.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.pareto import exclusive_contributions, hypervolume, hypervolume_over_time, non_dominated

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "hypervolume"
MISSING = f"published hypervolume sets are not on this machine ({FOLDER})"


def published():
    if not (FOLDER / "cases.json").is_file() or not (FOLDER / "cases.npz").is_file():
        return [pytest.param(None, None, marks=pytest.mark.skip(reason=MISSING), id="absent")]
    cases = json.loads((FOLDER / "cases.json").read_text())
    with np.load(FOLDER / "cases.npz", allow_pickle=False) as archive:
        return [pytest.param(case, archive[case["case"]], id=case["case"]) for case in cases]


PUBLISHED = published()


@pytest.mark.parametrize(("case", "points"), PUBLISHED)
def test_volume_is_the_published_one(case, points):
    assert points.shape == (case["n"], case["dim"])
    result = hypervolume(points, case["ref"], maximize=[False] * case["dim"])
    assert result == pytest.approx(case["hv"], rel=1e-9)


@pytest.mark.parametrize(("case", "points"), PUBLISHED)
def test_other_paths_agree_with_the_published_volume(case, points):
    flags = [index % 2 == 0 for index in range(case["dim"])]
    signs = np.where(flags, -1.0, 1.0)
    turned, reference = points * signs, np.array(case["ref"]) * signs
    assert hypervolume(turned, reference, maximize=flags) == pytest.approx(case["hv"], rel=1e-9)
    front = turned[non_dominated(turned, maximize=flags)]
    assert hypervolume(front, reference, maximize=flags) == pytest.approx(case["hv"], rel=1e-9)
    if case["n"] <= 300:
        curve = hypervolume_over_time(turned, reference, maximize=flags)
        assert curve[-1] == pytest.approx(case["hv"], rel=1e-9)
        parts = exclusive_contributions(turned, reference, maximize=flags)
        assert 0 <= parts.sum() <= case["hv"] * (1 + 1e-9)
