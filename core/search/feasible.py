"""Architectures that keep the bounds known beforehand, also where they are rare in a large space.

Four ways, from the cheapest: drawing until one fits; going down from where the bounds are broken least, one choice
at a time; changing a few choices at random there; and listing the space, where it is small enough, which alone can
prove that there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from core.errors import InvalidInput
from core.pareto import Constraint
from core.search.problem import Problem
from core.seeding import stream
from core.spaces import Arch, Archs

LARGEST_LISTED = 1 << 20
"""Spaces up to this size are listed where drawing brings nothing; larger ones are walked through."""
_BLOCK = 65_536
_DRAWS = 2048
_DESCENTS = 16
# Rounds of random changes that bring nothing, after which a large space is given up, and changes of each.
_MUTATIONS, _MUTANTS = 24, 2048
# Steps of a walk between two architectures that it gives out.
_STRIDE = 4


def require_feasible(problem: Problem) -> None:
    """Do nothing if some architecture keeps the bounds known beforehand.

    Raises:
        InvalidInput: none does, or none was found in a space too large to list.
    """
    if problem.bounds_known:
        a_feasible(problem)


def a_feasible(problem: Problem) -> Arch:
    """An architecture that keeps the bounds; always the same one.

    Raises:
        InvalidInput: see `require_feasible`.
    """
    rng = stream(0, "search", "feasible")
    rows = problem.space.sample_array(_DRAWS, rng)
    excess = problem.excess(rows)
    closest = rows[int(excess.argmin())]
    if excess.min() == 0:
        return _arch(closest)
    starts = [np.array(end, np.uint8) for end in problem.space.ends or ()]
    starts += list(rows[np.argsort(excess, kind="stable")[:_DESCENTS]])
    for start in starts:
        found, left = _descended(problem, start)
        if left == 0:
            return found
        if left < excess.min():
            closest, excess = np.array(found, np.uint8), np.array([left])
    for _ in range(_MUTATIONS):
        near = _mutants(problem, closest, rng)
        excess_near = problem.excess(near)
        if excess_near.min() < excess.min():
            closest, excess = near[int(excess_near.argmin())], excess_near
        if excess.min() == 0:
            return _arch(closest)
    for block in _listed(problem) if problem.space.size <= LARGEST_LISTED else ():
        left_here = problem.excess(block)
        if left_here.min() == 0:
            return _arch(block[int(left_here.argmin())])
        if left_here.min() < excess.min():
            closest, excess = block[int(left_here.argmin())], left_here
    raise InvalidInput(_sentence(problem, closest))


def feasible_in_random_order(problem: Problem, rng: np.random.Generator) -> Iterator[Arch]:
    """Every feasible architecture of a space that can be listed."""
    for block in _listed(problem):
        block = block[rng.permutation(len(block))]
        for row in block[problem.feasible(block)].tolist():
            yield tuple(row)


def walked(problem: Problem, known: Sequence[Arch], rng: np.random.Generator) -> Iterator[Arch]:
    """Feasible architectures found from feasible ones by changing one choice at a time, each once.

    What cannot be reached so is looked for by changing a few choices at random; it ends when that brings nothing for
    a while. Each step grows what was found from a random member
    of it, so that what comes is spread over the region rather than gathered about its first member.

    Args:
        problem: whose bounds.
        known: architectures that were given out before; the feasible ones are where it starts, or one is looked for.
        rng: source of chance.

    Raises:
        InvalidInput: nothing feasible was found to start from.
    """
    start = _feasible(problem, known)
    found = dict.fromkeys(start or [a_feasible(problem)])
    # Not yet grown from; not yet given out.
    growing, waiting = list(found), [] if start else list(found)
    while True:
        for _ in range(min(_STRIDE, len(growing))):
            here = _popped(growing, rng)
            near = [a for a in problem.space.neighbors(here) if a not in found]
            fresh = _feasible(problem, near)
            found.update(dict.fromkeys(fresh))
            growing += fresh
            waiting += fresh
        if waiting:
            yield _popped(waiting, rng)
        elif not growing:
            growing = _beyond(problem, found, rng)
            if not growing:
                return
            found.update(dict.fromkeys(growing))
            waiting += growing


def _feasible(problem: Problem, archs: Sequence[Arch]) -> list[Arch]:
    if not archs:
        return []
    fits = problem.feasible(np.array(archs, np.uint8)).tolist()
    return [arch for arch, fit in zip(archs, fits, strict=True) if fit]


def _beyond(problem: Problem, found: Mapping[Arch, None], rng: np.random.Generator) -> list[Arch]:
    """Feasible architectures that differ from found ones in a few choices; none after a number of rounds."""
    members = list(found)
    for _ in range(_MUTATIONS):
        here = np.array(members[int(rng.integers(len(members)))], np.uint8)
        near = dict.fromkeys(map(tuple, _mutants(problem, here, rng).tolist()))
        if fresh := _feasible(problem, [arch for arch in near if arch not in found]):
            return fresh
    return []


def _mutants(problem: Problem, row: Archs, rng: np.random.Generator) -> Archs:
    """Copies of an architecture with two choices changed on average."""
    space = problem.space
    drawn = rng.integers(0, space.cardinalities, size=(_MUTANTS, len(space)))
    changed = rng.random(drawn.shape) < 2 / len(space)
    return space.canonicalize(np.where(changed, drawn, row))


def _popped(archs: list[Arch], rng: np.random.Generator) -> Arch:
    """Take a random one out."""
    at = int(rng.integers(len(archs)))
    archs[at], archs[-1] = archs[-1], archs[at]
    return archs.pop()


def _descended(problem: Problem, start: Archs) -> tuple[Arch, float]:
    """Where changing the one choice that helps most leads, and how far the bounds are broken there."""
    here, left = _arch(start), float(problem.excess(start[None])[0])
    while left > 0:
        near = problem.space.neighbors(here)
        excess = problem.excess(np.array(near, np.uint8)) if near else np.array([np.inf])
        if excess.min() >= left:
            break
        here, left = near[int(excess.argmin())], float(excess.min())
    return here, left


def _listed(problem: Problem) -> Iterator[Archs]:
    return problem.space.iter_arrays(_BLOCK)


def _arch(row: Archs) -> Arch:
    return tuple(int(option) for option in row)


def _sentence(problem: Problem, closest: Archs) -> str:
    values = problem.known(closest[None])
    names = dict.fromkeys(constraint.objective for constraint in problem.bounds_known)
    has = " and ".join(f"{name} {_plain(float(values[name][0]))}" for name in names)
    listed = problem.space.size <= LARGEST_LISTED
    none = "No architecture of this space has" if listed else "No architecture was found that has"
    bounds = " and ".join(_bounds(c) for c in problem.bounds_known)
    return f"{none} {bounds}; the closest one has {has}. Widen the bounds."


def _bounds(constraint: Constraint) -> str:
    least = [] if constraint.lower is None else [f"at least {_plain(constraint.lower)}"]
    most = [] if constraint.upper is None else [f"at most {_plain(constraint.upper)}"]
    return f"{constraint.objective} {' and '.join(least + most)}"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:g}"
