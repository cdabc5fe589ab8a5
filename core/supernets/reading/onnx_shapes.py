"""Small computations with constants that exporters leave in ONNX files: mostly shapes put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_MOST = 2**24


def folded(op: str, given: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    """The result of an operation on constants.

    Raises:
        ValueError, IndexError, TypeError, KeyError: they do not fit each other, or it is too large.
    """
    found = np.asarray(FOLDED[op](given, attributes))
    if found.size > _MOST:
        raise ValueError("too large")
    return found


def _axes(given: Sequence[Array], attributes: Mapping[str, Any]) -> tuple[int, ...]:
    named = given[1].ravel().tolist() if len(given) > 1 else attributes.get("axes", [])
    return tuple(int(axis) for axis in named)


def _unsqueeze(given: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    return np.expand_dims(given[0], _axes(given, attributes))


def _squeeze(given: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    axes = _axes(given, attributes)
    return np.squeeze(given[0], axes or None)


def _slice(given: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    rows = [each.ravel().tolist() for each in given[1:]]
    starts, ends = rows[:2]
    axes = rows[2] if len(rows) > 2 else list(range(len(starts)))
    steps = rows[3] if len(rows) > 3 else [1] * len(starts)
    index: list[slice] = [slice(None)] * given[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(start, end, step)
    return np.asarray(given[0][tuple(index)])


def _filled(given: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    shape = [int(side) for side in given[0].ravel()]
    if int(np.prod(shape)) > _MOST or min(shape, default=1) < 0:
        raise ValueError("too large")
    return np.zeros(shape, np.float32)


def _reshape(given: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    sides = given[1].ravel().tolist()
    return given[0].reshape([given[0].shape[i] if side == 0 else side for i, side in enumerate(sides)])


FOLDED: dict[str, Callable[[Sequence[Array], Mapping[str, Any]], Array]] = {
    "Constant": lambda given, attributes: given[0],  # read where it stands
    "Identity": lambda given, attributes: given[0],
    "Cast": lambda given, attributes: given[0],
    "Shape": lambda given, attributes: np.array(given[0].shape),
    "Gather": lambda given, attributes: np.take(given[0], given[1].astype(int), attributes.get("axis", 0)),
    "Concat": lambda given, attributes: np.concatenate(list(given), attributes.get("axis", 0)),
    "Transpose": lambda given, attributes: given[0].transpose(attributes.get("perm")),
    "Add": lambda given, attributes: given[0] + given[1],
    "Sub": lambda given, attributes: given[0] - given[1],
    "Mul": lambda given, attributes: given[0] * given[1],
    "Div": lambda given, attributes: (
        given[0] // given[1] if given[0].dtype.kind in "iu" else given[0] / given[1]
    ),
    "Sqrt": lambda given, attributes: np.sqrt(given[0]),
    "Neg": lambda given, attributes: -given[0],
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Slice": _slice,
    "ConstantOfShape": _filled,
    "Reshape": _reshape,
}
