"""Architectures in which every option of every choice occurs equally often, wherever its choice matters. No torch.

A step takes several architectures at once. Each choice goes through its options in turn, in a random order of its own,
over those architectures in which it matters; within a step the turn is permuted, so that choices stay independent
of each other. Any stretch of a turn holds each option as often as any other, give or take one, and a whole number of
turns exactly as often.

Source: Chu et al., "FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search", ICCV 2021
(strict fairness; permutations of equally many options). Uneven numbers of options and choices that do not always matter
are not in the paper; what is done about them is written above.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.spaces import Archs, SearchSpace

_MOST_TRIES = 1000


def steps_of_group(space: SearchSpace, paths: int) -> int:
    """Fewest steps after which every option of every choice can have been taken equally often.

    Args:
        space: with everything free.
        paths: architectures of one step.
    """
    needed, shares = 1, list[list[Fraction]]()
    for choice in space.choices:
        # The share of architectures in which this choice matters follows from the balance of the one it requires.
        active = Fraction(1)
        if choice.requires is not None:
            parent, allowed = space.position[choice.requires[0]], choice.requires[1]
            active = sum((shares[parent][option] for option in allowed), Fraction(0))
        each = active / len(choice.options)
        needed = math.lcm(needed, (paths * each).denominator)
        shares.append([each + (1 - active if option == 0 else 0) for option in range(len(choice.options))])
    return needed


def balanced(
    space: SearchSpace,
    paths: int,
    steps: int,
    rng: np.random.Generator,
    unlocked: Mapping[str, tuple[int, ...]] | None = None,
) -> NDArray[np.uint8]:
    """Architectures of several steps, balanced over each step as well as its size allows, and over all of them.

    Args:
        space: of the architectures.
        paths: of one step.
        steps: how many; `steps_of_group` of them are balanced exactly.
        rng: source of chance.
        unlocked: choice -> options that may be taken; the others are free.

    Returns:
        (steps, paths, d) canonical.

    Raises:
        InvalidInput: no order of the options was found in which every architecture computes something.
    """
    free = unlocked or {}
    turns = [rng.permutation(free.get(c.name, range(len(c.options)))) for c in space.choices]
    taken = np.zeros(len(space), np.int64)
    made = np.zeros((steps, paths, len(space)), np.uint8)
    for step in range(steps):
        made[step], counts = _one(space, paths, turns, taken, rng)
        taken += counts
    return made


def _one(
    space: SearchSpace,
    paths: int,
    turns: list[NDArray[np.int64]],
    taken: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[Archs, NDArray[np.int64]]:
    """One step's architectures, and in how many of them each choice matters.

    Which options a step holds, and how often, is settled by the turns: only who meets whom is drawn, and drawn anew
    where an architecture computes nothing (a cell of NAS-Bench-201 that cuts its input off).
    """
    for _ in range(_MOST_TRIES):
        rows = np.zeros((paths, len(space)), np.uint8)
        counts = np.zeros(len(space), np.int64)
        for index, choice in enumerate(space.choices):
            where = np.arange(paths)
            if choice.requires is not None:
                where = np.flatnonzero(
                    np.isin(rows[:, space.position[choice.requires[0]]], choice.requires[1])
                )
            at = (taken[index] + np.arange(len(where))) % len(turns[index])
            rows[where, index] = rng.permutation(turns[index][at])
            counts[index] = len(where)
        if all(space.computes(row) for row in rows.tolist()):
            return rows, counts
    raise InvalidInput("Hardly any architecture of this space computes something: there is nothing to train.")


def largest_first(space: SearchSpace, progress: float, warmup: float) -> dict[str, tuple[int, ...]]:
    """Options that ordered choices may take after a share of a training; those without an order are free.

    A choice of n options has 1 + floor(progress / warmup * (n - 1)) of them, the largest.

    Args:
        space: of the choices.
        progress: share of the training that lies behind.
        warmup: share of it after which every option may be taken.

    Source: Liao et al., Searching for Efficient Multi-Stage Vision Transformers (ViT-ResNAS), 2021.
    """
    done = 1.0 if warmup == 0 else min(1.0, progress / warmup)
    counts = {
        c.name: (len(c.options), 1 + int(done * (len(c.options) - 1))) for c in space.choices if c.ordinal
    }
    return {name: tuple(range(n - active, n)) for name, (n, active) in counts.items()}
