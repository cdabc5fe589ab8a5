"""Expressions are drawn, changed, written and read; evolution repeats itself and follows what is worth more."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidInput
from core.norm_search.evolution import Evolution
from core.norm_search.expressions import (
    ARGUMENTS,
    EVONORM_B0,
    EVONORM_S0,
    MOST_NODES,
    STARTS,
    Tree,
    from_json,
    mutated,
    needs_batch,
    parts,
    replaced,
    size,
    to_json,
    uses_input,
    written,
)


def many(n: int = 300) -> list[Tree]:
    rng = np.random.default_rng(0)
    found = list(STARTS)
    while len(found) < n:
        found.append(mutated(found[int(rng.integers(len(found)))], rng))
    return found


def test_formulas_read_as_in_the_paper() -> None:
    assert written(EVONORM_B0) == "x / max(std_batch(x), v·x + std_image(x))"
    assert written(EVONORM_S0) == "(x · σ(v·x)) / std_group(x)"
    assert (needs_batch(EVONORM_B0), needs_batch(EVONORM_S0)) == (True, False)


def test_changed_expressions_are_expressions_of_the_input_of_bounded_size() -> None:
    found = many()
    for tree in found:
        assert all(ARGUMENTS[part[0]] == len(part) - 1 for _, part in parts(tree))
        assert size(tree) <= MOST_NODES
        assert uses_input(tree)
        assert from_json(to_json(tree)) == tree
    assert len(set(found)) > 200
    # Every operation is reached.
    assert {part[0] for tree in found for _, part in parts(tree)} == set(ARGUMENTS)


def test_a_subtree_is_replaced_where_it_stands() -> None:
    assert replaced(EVONORM_S0, (0, 1), ("tanh", ("x",))) == (
        "div",
        ("mul", ("x",), ("tanh", ("x",))),
        ("std_group", ("x",)),
    )
    for place, part in parts(EVONORM_B0):
        assert replaced(EVONORM_B0, place, part) == EVONORM_B0


@pytest.mark.parametrize(
    "data", [[], ["x", ["x"]], ["import", ["x"]], "x", [["x"]], ["neg"], ["neg", 3], [{"a": 1}], None]
)
def test_what_is_no_expression_is_refused(data: object) -> None:
    with pytest.raises(InvalidInput):
        from_json(data)  # type: ignore[arg-type]
    deep: object = ["x"]
    for _ in range(10_000):
        deep = ["neg", deep]
    with pytest.raises(InvalidInput, match=f"at most {MOST_NODES}"):
        from_json(deep)  # type: ignore[arg-type]


def worth(tree: Tree) -> float | None:
    """Paid for sigmoids; constants at the root are rejected."""
    if tree[0] in ("x", "vx", "zero", "one"):
        return None
    return float(sum(part[0] == "sigmoid" for _, part in parts(tree)))


def evolved(seed: int, generations: int = 12) -> list[list[Tree]]:
    evolution = Evolution(population=12, children=8, tournament=4, seed=seed)
    found = []
    for _ in range(generations):
        found.append(evolution.ask())
        evolution.tell([(tree, worth(tree)) for tree in found[-1]])
    return found


def test_the_same_seed_evolves_the_same_and_nothing_twice() -> None:
    found = evolved(3)
    assert found == evolved(3) != evolved(4)
    everything = [tree for generation in found for tree in generation]
    assert len(set(everything)) == len(everything)
    assert [len(generation) for generation in found] == [12] + [8] * 11


def test_what_is_worth_more_spreads() -> None:
    first, last = [], []
    for seed in range(6):
        found = evolved(seed)
        first += [worth(tree) or 0 for tree in found[0]]
        last += [worth(tree) or 0 for tree in found[-1]]
    assert np.mean(last) > np.mean(first) + 1


def test_while_nothing_can_be_trained_it_starts_from_simple_expressions() -> None:
    evolution = Evolution(population=5, children=3, tournament=2, seed=0)
    for _ in range(3):
        generation = evolution.ask()
        assert len(generation) == 5
        evolution.tell([(tree, None) for tree in generation])
    evolution.tell([(STARTS[0], 0.5)])
    assert len(evolution.ask()) == 4
