"""Search spaces against brute force over the definition of canonical form."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Small spaces with chains of conditions, some never met."""
    choices: list[Choice] = []
    for index in range(draw(st.integers(1, 5))):
        requires = None
        if choices and draw(st.booleans()):
            parent = draw(st.sampled_from(choices))
            allowed = draw(st.sets(st.integers(0, len(parent.options) - 1)))
            requires = (parent.name, tuple(sorted(allowed)))
        choices.append(Choice(f"c{index}", tuple(range(draw(st.integers(1, 3)))), requires=requires))
    return SearchSpace(choices)


def brute_force(space: SearchSpace) -> list[tuple[int, ...]]:
    """Canonical forms of all combinations, by the definition, one choice at a time."""
    found = set()
    for combination in itertools.product(*map(range, space.cardinalities)):
        values: dict[str, int] = {}
        for choice, option in zip(space.choices, combination, strict=True):
            matters = choice.requires is None or values[choice.requires[0]] in choice.requires[1]
            values[choice.name] = option if matters else 0
        found.add(tuple(values.values()))
    return sorted(found)


@given(spaces())
def test_enumeration_and_size_match_the_definition(space: SearchSpace) -> None:
    expected = brute_force(space)
    assert [tuple(row) for row in space.array().tolist()] == expected  # sorted = prefix order
    assert space.size == len(expected)
    assert np.concatenate(list(space.iter_arrays(max_rows=4))).tolist() == [list(a) for a in expected]


@given(spaces(), st.integers(0, 2**32))
def test_moves_stay_inside_the_space(space: SearchSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    everything = set(brute_force(space))
    a, b = space.sample(rng), space.sample(rng)
    mutant = space.mutate(a, rng, 0.3)
    assert {a, b, mutant, space.crossover(a, b, rng), space.crossover(a, b, rng, points=1)} <= everything
    assert mutant != a or len(everything) == 1
    assert set(space.neighbors(a)) <= everything - {a}


@given(spaces(), st.integers(0, 2**32))
def test_texts_and_arrays_round_trip(space: SearchSpace, seed: int) -> None:
    arch = space.sample(np.random.default_rng(seed))
    rows = np.array([arch], np.uint8)
    assert space.from_dict(json.loads(json.dumps(space.to_dict(arch)))) == arch
    assert space.from_id(space.arch_id(arch)) == arch
    assert space.arch_ids(rows) == [space.arch_id(arch)]
    assert SearchSpace.from_json(json.loads(json.dumps(space.to_json()))) == space
    assert space.canonicalize(rows).tolist() == [list(arch)]


def elastic(stages: int) -> SearchSpace:
    choices = []
    for s in range(stages):
        choices += [Choice(f"width{s}", (4, 8)), Choice(f"depth{s}", (1, 2)), Choice(f"kernel{s}_0", (3, 5))]
        choices.append(Choice(f"kernel{s}_1", (3, 5), requires=(f"depth{s}", (1,))))
    return SearchSpace(choices)


def test_size_of_a_space_too_large_to_list() -> None:
    assert elastic(1).size == 2 * (2 + 4)
    assert elastic(20).size == 12**20
    with pytest.raises(InvalidInput, match="too many"):
        elastic(20).array()


def test_neighbors_differ_in_one_choice_or_switch_others() -> None:
    space = elastic(1)
    deep = space.from_dict({"width0": 4, "depth0": 2, "kernel0_0": 3, "kernel0_1": 5})
    shallow = space.from_dict({"width0": 4, "depth0": 1, "kernel0_0": 3})
    assert shallow in space.neighbors(deep)
    assert len(space.neighbors(deep)) == 4


def test_sampling_is_uniform_over_options() -> None:
    rows = elastic(1).sample_array(4000, np.random.default_rng(0))
    assert abs(rows[:, 0].mean() - 0.5) < 0.03
    assert set(rows[rows[:, 1] == 0][:, 3]) == {0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width9": 4}, "no choice called"),
        ({"width0": 5}, "cannot be 5"),
        ({"width0": 4}, "does not say which depth0"),
    ],
)
def test_wrong_architectures_are_refused_in_plain_words(options: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        elastic(1).from_dict(options)


# --- what choices mean ----------------------------------------------------------------------------

MEANT = [
    Choice("a", (4, 8), "width", unit="channels"),
    Choice("b", (1, 2), "depth", unit="blocks"),
    Choice("c", (3, 5, 7), "kernel", requires=("b", (1,))),
    Choice("d", ("none", "skip", "conv"), "operation", ordinal=False, ends=(1, 2)),
]


def test_meaning_is_kept_in_json_and_older_descriptions_are_equal() -> None:
    space = SearchSpace(MEANT)
    again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert [(c.kind, c.unit, c.ends) for c in again.choices] == [(c.kind, c.unit, c.ends) for c in MEANT]
    old = [{k: v for k, v in c.items() if k not in ("kind", "unit", "ends")} for c in space.to_json()]
    read = SearchSpace.from_json(old)
    assert read == space
    assert hash(read) == hash(space)
    assert read.fingerprint == space.fingerprint
    assert read.choices[0].kind == ""
    # Stored tables name their space by this: the release before choices had a kind made the same.
    assert space.fingerprint == hashlib.sha256(json.dumps(old, sort_keys=True).encode()).hexdigest()
    assert SearchSpace([*MEANT[:3], Choice("d", ("none", "skip", "conv"), ordinal=True)]) != space


def test_ends_exist_where_every_choice_defines_them() -> None:
    space = SearchSpace(MEANT)
    assert space.ends == (space.smallest, space.largest) == ((0, 0, 0, 1), (1, 1, 2, 2))
    nameless = SearchSpace([*MEANT[:3], Choice("d", ("none", "skip", "conv"), ordinal=False)])
    assert nameless.ends is None
    for end in ("smallest", "largest"):
        with pytest.raises(InvalidInput, match="no smallest and no largest architecture: the options of d"):
            getattr(nameless, end)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "two words"},
        {"kind": "k" * 41},
        {"unit": "u" * 41},
        {"ends": (0, 1)},
        {"ends": (0, 2), "ordinal": False},
        {"ends": (-1, 0), "ordinal": False},
    ],
)
def test_contradictory_choices_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind|ends"):
        Choice("a", (1, 2), **settings)


@pytest.mark.parametrize("text", ["", "0", "zzzz", "0001", "../../etc"])
def test_wrong_ids_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="names no architecture"):
        elastic(1).from_id(text)
    good = elastic(1).arch_ids(elastic(1).array()[:2])
    with pytest.raises(InvalidInput, match="names no architecture"):
        elastic(1).from_ids([*good, text])


def test_many_ids_are_read_as_each_alone() -> None:
    space = elastic(2)
    rows = space.array()
    ids = space.arch_ids(rows)
    assert [tuple(row) for row in space.from_ids(ids).tolist()] == [space.from_id(text) for text in ids]
    assert np.array_equal(space.from_ids(ids), rows)
    assert space.from_ids([]).shape == (0, len(space))
    for unlike in (ids[0].upper() + " ", "é" * len(space), ids[0][:-1]):
        with pytest.raises(InvalidInput):
            space.from_ids([unlike])


@pytest.mark.parametrize(
    "data",
    [
        [{}],
        ["x"],
        [{"name": "a b", "options": [1]}],
        [{"name": "a", "options": []}],
        3,
        [{"name": "a", "options": [1, 2], "ordinal": False, "ends": [0]}],
        [{"name": "a", "options": [1, 2], "ordinal": False, "ends": ["x", 1]}],
    ],
)
def test_broken_descriptions_are_refused(data: object) -> None:
    with pytest.raises(InvalidInput):
        SearchSpace.from_json(data)  # type: ignore[arg-type]


def test_a_million_architectures_are_arrays() -> None:
    space = SearchSpace([Choice(f"c{i}", tuple(range(4))) for i in range(10)])
    assert space.array().shape == (4**10, 10)
    assert space.array().nbytes == 4**10 * 10


def test_choices_that_a_mutant_has_to_make_anew_are_drawn() -> None:
    space = SearchSpace(
        [Choice("depth", (1, 2), "depth"), Choice("kernel", (3, 5, 7), "kernel", requires=("depth", (1,)))]
    )
    rng = np.random.default_rng(0)
    grown = [space.mutate((0, 0), rng, 0.5) for _ in range(300)]
    assert {child[0] for child in grown} == {1}
    counts = np.bincount([child[1] for child in grown], minlength=3)
    assert counts.min() > 70, "each kernel of the new block as often as another"
