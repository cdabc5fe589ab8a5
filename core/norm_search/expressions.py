"""Expressions of a layer as trees: what they are made of, how they are drawn, changed and written.

A tree is a tuple, its operation first, its arguments after it; a leaf is a tuple of one. A layer multiplies what its
tree gives by a learned scale and adds a learned shift, each per channel, so trees need neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from core.errors import InvalidInput

Tree = tuple[Any, ...]
"""("div", ("x",), ("std_group", ("x",))): an operation and its arguments, which are trees."""

LEAVES = ("x", "vx", "one", "zero")
"""The input; the input times a learned number per channel; constants."""
UNARY = ("neg", "abs", "square", "root", "sigmoid", "tanh")
MOMENTS = ("mean_batch", "std_batch", "mean_sample", "std_sample", "std_group")
"""Over a batch's images and positions; over the positions of one image; over those and a group of channels."""
BINARY = ("add", "sub", "mul", "div", "max")
ARGUMENTS: Mapping[str, int] = (
    dict.fromkeys(LEAVES, 0) | dict.fromkeys(UNARY, 1) | dict.fromkeys(MOMENTS, 1) | dict.fromkeys(BINARY, 2)
)

MOST_NODES = 14
"""A tree has at most so many nodes."""

_X: Tree = ("x",)
STARTS: tuple[Tree, ...] = (
    ("max", _X, ("zero",)),
    ("div", _X, ("std_batch", _X)),
    ("div", _X, ("std_group", _X)),
)
"""What the first expressions are changed from: a rectifier, and two ways to divide by a deviation."""
EVONORM_B0: Tree = ("div", _X, ("max", ("std_batch", _X), ("add", ("vx",), ("std_sample", _X))))
EVONORM_S0: Tree = ("div", ("mul", _X, ("sigmoid", ("vx",))), ("std_group", _X))

_WRITTEN: Mapping[str, str] = {
    "x": "x",
    "vx": "v·x",
    "one": "1",
    "zero": "0",
    "neg": "−{0}",
    "abs": "|{0}|",
    "square": "{0}²",
    "root": "√|{0}|",
    "sigmoid": "σ({0})",
    "tanh": "tanh({0})",
    "mean_batch": "mean_batch({0})",
    "std_batch": "std_batch({0})",
    "mean_sample": "mean_image({0})",
    "std_sample": "std_image({0})",
    "std_group": "std_group({0})",
    "add": "{0} + {1}",
    "sub": "{0} − {1}",
    "mul": "{0} · {1}",
    "div": "{0} / {1}",
    "max": "max({0}, {1})",
}
# Operations whose arguments need no brackets around sums and products, and what stands alone.
_CLOSED = {*LEAVES, *MOMENTS, "abs", "root", "sigmoid", "tanh", "max"}


def parts(tree: Tree) -> Iterator[tuple[tuple[int, ...], Tree]]:
    """(place, subtree) of every node, the root first; a place is the numbers of the arguments that lead there."""
    stack: list[tuple[tuple[int, ...], Tree]] = [((), tree)]
    while stack:
        place, here = stack.pop()
        yield place, here
        stack += [((*place, i), part) for i, part in reversed(list(enumerate(here[1:])))]


def size(tree: Tree) -> int:
    """Number of nodes."""
    return sum(1 for _ in parts(tree))


def written(tree: Tree) -> str:
    """As a formula that a person reads: `x · σ(v·x) / std_group(x)`."""
    operation, arguments = tree[0], tree[1:]
    bare = operation in _CLOSED
    texts = [written(a) if bare or a[0] in _CLOSED else f"({written(a)})" for a in arguments]
    return _WRITTEN[operation].format(*texts)


def to_json(tree: Tree) -> list[Any]:
    """Nested lists, for files."""
    return [tree[0], *(to_json(part) for part in tree[1:])]


def from_json(data: Sequence[Any]) -> Tree:
    """What `to_json` wrote.

    Raises:
        InvalidInput: the lists are no expression, or one that is too large.
    """
    left = [MOST_NODES]

    def read(part: Any) -> Tree:
        left[0] -= 1
        if not isinstance(part, list | tuple) or not part or left[0] < 0:
            raise InvalidInput(f"This is no expression of at most {MOST_NODES} operations.")
        if not isinstance(part[0], str) or ARGUMENTS.get(part[0]) != len(part) - 1:
            raise InvalidInput(
                "An operation of this expression is unknown or has another number of arguments."
            )
        return (part[0], *(read(argument) for argument in part[1:]))

    return read(data)


def mutated(tree: Tree, rng: np.random.Generator) -> Tree:
    """One node changed: another operation with as many arguments, a new subtree, a wrap around it, or it taken out."""
    for _ in range(1000):
        places = list(parts(tree))
        place, here = places[int(rng.integers(len(places)))]
        way = int(rng.integers(4))
        if way == 0:
            new = (_like(here[0], rng), *here[1:])
        elif way == 1:
            new = _grown(rng, 3)
        elif way == 2:
            new = _wrapped(here, rng)
        else:
            new = here[1 + int(rng.integers(len(here) - 1))] if len(here) > 1 else here
        changed = replaced(tree, place, new)
        if changed != tree and uses_input(changed) and size(changed) <= MOST_NODES:
            return changed
    return STARTS[0]


def replaced(tree: Tree, place: tuple[int, ...], new: Tree) -> Tree:
    """The tree with the subtree at a place replaced."""
    if not place:
        return new
    first, rest = place[0] + 1, place[1:]
    return (*tree[:first], replaced(tree[first], rest, new), *tree[first + 1 :])


def uses_input(tree: Tree) -> bool:
    """Whether the input occurs in it."""
    return any(part[0] in ("x", "vx") for _, part in parts(tree))


def needs_batch(tree: Tree) -> bool:
    """Whether it computes over the images of a batch, so that training and use differ."""
    return any(part[0] in ("mean_batch", "std_batch") for _, part in parts(tree))


def _grown(rng: np.random.Generator, nodes: int) -> Tree:
    if nodes <= 1:
        # The input is what an expression is about: half of all leaves.
        return (_X[0],) if rng.random() < 0.5 else (LEAVES[int(rng.integers(len(LEAVES)))],)
    if nodes == 2 or rng.random() < 0.4:
        one = (*UNARY, *MOMENTS)
        return (one[int(rng.integers(len(one)))], _grown(rng, nodes - 1))
    left = int(rng.integers(1, nodes - 1))
    return (BINARY[int(rng.integers(len(BINARY)))], _grown(rng, left), _grown(rng, nodes - 1 - left))


def _like(operation: str, rng: np.random.Generator) -> str:
    alike = [name for name, n in ARGUMENTS.items() if n == ARGUMENTS[operation]]
    return alike[int(rng.integers(len(alike)))]


def _wrapped(tree: Tree, rng: np.random.Generator) -> Tree:
    if rng.random() < 0.5:
        one = (*UNARY, *MOMENTS)
        return (one[int(rng.integers(len(one)))], tree)
    other = _grown(rng, 2)
    pair = (tree, other) if rng.random() < 0.5 else (other, tree)
    return (BINARY[int(rng.integers(len(BINARY)))], *pair)
