"""Optuna's samplers: not loaded before use, quiet, bounds and failures told as Optuna means them."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

from core.pareto import Constraint
from core.records import Measurement
from core.search import ALGORITHMS, Problem
from core.search.optuna_sampler import OptunaSampler
from tests.helpers.planted import COST, QUALITY, Planted, flat_space, large_space, small_space

BOTH = (QUALITY, COST)
NAMES = ("optuna_nsga2", "optuna_tpe")


def build(name: str, problem: Problem, **settings: int) -> OptunaSampler:
    made = ALGORITHMS.create(name, settings, problem=problem, seed=0)
    assert isinstance(made, OptunaSampler)
    return made


def test_optuna_is_not_loaded_before_something_is_asked() -> None:
    code = (
        "import sys; from core.search import ALGORITHMS, Problem; from tests.helpers.planted import *;"
        "a = [ALGORITHMS.create(n, problem=Problem(small_space(), (COST,)), seed=0) for n in "
        f"{NAMES}]; assert 'optuna' not in sys.modules; a[0].ask(1); assert 'optuna' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_asks_and_tells_without_a_word(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    planted = Planted(large_space())
    limit = (Constraint("quality", lower=5.0),)
    algorithm = build(name, Problem(planted.space, BOTH, limit))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            algorithm.tell(planted.measure(algorithm.ask(8)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", NAMES)
def test_what_lacks_a_value_is_a_failed_trial_and_what_nobody_asked_for_a_complete_one(name: str) -> None:
    planted = Planted(small_space())
    algorithm = build(name, Problem(planted.space, BOTH))
    first, second = algorithm.ask(2)
    told = next(a for a in map(tuple, planted.space.array().tolist()) if a not in (first, second))
    algorithm.tell([Measurement(first, {"quality": 1.0}), *planted.measure([second, told])])
    states = {trial.number: trial.state.name for trial in algorithm._study.trials}
    assert sorted(states.values()) == ["COMPLETE", "COMPLETE", "FAIL"]
    kept = [trial for trial in algorithm._study.trials if trial.state.name == "COMPLETE"]
    assert [trial.values for trial in kept] == [
        [planted.values(arch)["quality"], planted.values(arch)["cost"]] for arch in (second, told)
    ]
    # Parameters of choices that an architecture does not have are not suggested.
    for trial, arch in zip(kept, (second, told), strict=True):
        has = {n for n in planted.space.names if planted.space.is_active(arch, n)} - {"fixed"}
        assert set(trial.params) == has


@pytest.mark.parametrize("name", NAMES)
def test_how_far_a_bound_is_broken_reaches_optuna(name: str) -> None:
    planted = Planted(flat_space(6))
    limit = Constraint("quality", lower=3.0)
    algorithm = build(name, Problem(planted.space, (COST,), (limit,)))
    archs = algorithm.ask(20)
    algorithm.tell(planted.measure(archs))
    broken = [max(3.0 - planted.values(arch)["quality"], 0) / 3 for arch in archs]
    assert 0 < sum(value > 0 for value in broken) < 20
    found = [trial.constraints["bounds"] for trial in algorithm._study.trials]
    assert found == pytest.approx(broken)


def test_every_architecture_of_nsga2_belongs_to_a_generation() -> None:
    planted = Planted(flat_space(4))  # 81 architectures: most children are known, and others take their place
    algorithm = build("optuna_nsga2", Problem(planted.space, BOTH), population=10)
    for _ in range(5):
        algorithm.tell(planted.measure(algorithm.ask(10)))
    complete = [trial for trial in algorithm._study.trials if trial.state.name == "COMPLETE"]
    generations = [next(v for k, v in t.system_attrs.items() if k.endswith("generation")) for t in complete]
    assert len(generations) == 50
    assert np.bincount(generations).tolist() == [10] * 5
