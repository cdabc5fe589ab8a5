"""What the page needs to show a finished mixing run, and to know beforehand whether two models can be mixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.library.networks import Model, ModelInfo

if TYPE_CHECKING:
    from core.store import RunStore


def require_mixable(a: Model, b: Model) -> None:
    """Refuse two models whose weights cannot be mixed.

    Raises:
        InvalidInput: their shapes differ; the text says what to choose instead.
    """
    from core.geometry.alignment import require_same_shape

    require_same_shape(a.net, b.net)


def same_architecture(store: RunStore | None, a: ModelInfo, b: ModelInfo) -> bool:
    """Whether two models surely have the same shape: the same architecture of the same space."""
    from core.library import supernets

    if a.arch_id != b.arch_id:
        return False
    spaces = [supernets.find(store, m.supernet_id).header["config"] for m in (a, b)]
    return bool(spaces[0] == spaces[1])


def barrier(values: Mapping[str, Any]) -> float:
    """Barrier of the loss of a stored curve, in nats."""
    from core.geometry.connectivity import Curve

    return Curve.from_json(dict(values)).barrier


def plane_arrays(stored: Mapping[str, Any], what: str) -> tuple[NDArray[np.float64], ...]:
    """(x, y, loss or accuracy, corners) of a stored plane."""
    x, y, values, corners = (
        np.asarray(stored[name], dtype=np.float64) for name in ("x", "y", what, "corners")
    )
    return x, y, values, corners
