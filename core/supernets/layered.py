"""The space of a transformer whose layers are alike: width and depth, then heads and hidden units of each layer."""

from __future__ import annotations

from collections.abc import Sequence

from core.spaces import Choice, SearchSpace
from core.spaces.choice import within_depth


def layered_space(
    widths: Sequence[int], depths: Sequence[int], heads: Sequence[int], hidden: Sequence[int]
) -> SearchSpace:
    """Choices `width`, `depth` (first layers), and per layer `heads1`, `hidden1` and so on.

    Args:
        widths: sizes of a token's vector.
        depths: numbers of layers; what is chosen for a layer beyond the depth does not matter.
        heads, hidden: of each layer, ascending.
    """
    choices = [
        Choice("width", tuple(widths), "width", unit="channels"),
        Choice("depth", tuple(depths), "depth", unit="layers"),
    ]
    for layer in range(1, depths[-1] + 1):
        requires = within_depth("depth", depths, layer)
        choices.append(Choice(f"heads{layer}", tuple(heads), "heads", unit="heads", requires=requires))
        choices.append(Choice(f"hidden{layer}", tuple(hidden), "hidden", unit="units", requires=requires))
    return SearchSpace(choices)
