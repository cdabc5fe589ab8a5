"""Rounding of channels that are a multiple of something."""

from __future__ import annotations


def make_divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of a number, at least one of it and never below 90 % of what was asked for.

    Source: Sandler et al., MobileNetV2, CVPR 2018 (its code); Once-for-All rounds the same way.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
