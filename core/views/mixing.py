"""Whether two models can be mixed, known before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.library import supernets
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
    if a.arch_id != b.arch_id:
        return False
    spaces = [supernets.find(store, m.supernet_id).header["config"] for m in (a, b)]
    return bool(spaces[0] == spaces[1])
