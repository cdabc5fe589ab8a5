"""Fields that the settings of several options share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError("a kernel is odd: 1, 3, 5 or 7")
    return kernel


Kernel = Annotated[int, Field(ge=1, le=7, description="Side of the convolution; odd."), AfterValidator(_odd)]
Expand = Annotated[
    float, Field(ge=0.25, le=8, description="Channels inside the block, as a multiple of those that flow in.")
]


def share(width: int, ratio: float) -> int:
    """Channels that are so many times a width, at least one."""
    return max(1, round(width * ratio))
