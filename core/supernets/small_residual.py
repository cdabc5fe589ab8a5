"""A small residual network, written as operations: what a converted network looks like, for tests and defaults."""

from __future__ import annotations

from typing import Any

from core.networks.operations.steps import Step

_CONV = {"stride": [1, 1], "dilation": [1, 1], "groups": 1, "bias": False}


def small_residual(input_shape: tuple[int, int, int], classes: int) -> dict[str, list[Any]]:
    """Segments, widths and depths of a network with every kind of tie: sums, a depthwise convolution, gates, a concatenation.

    Args:
        input_shape: channels, height, width.
        classes: number of classes.
    """
    channels = input_shape[0]
    stem = [_conv(0, channels, 6, 3), _norm(1, 6), {"op": "relu", "of": [2]}]
    block = [
        _conv(0, 6, 5, 3),
        _norm(1, 5),
        {"op": "relu", "of": [2]},
        _conv(3, 5, 6, 3),
        _norm(4, 6),
        {"op": "add", "of": [5, 0]},
        {"op": "relu", "of": [6]},
    ]
    gated = [
        _conv(0, 6, 8, 1),
        _norm(1, 8),
        {"op": "hard_swish", "of": [2]},
        _conv(3, 8, 8, 3, groups=8, stride=[2, 2]),
        _norm(4, 8),
        {"op": "hard_swish", "of": [5]},
        {"op": "mean", "of": [6]},
        _conv(7, 8, 3, 1, bias=True),
        {"op": "relu", "of": [8]},
        _conv(9, 3, 8, 1, bias=True),
        {"op": "hard_sigmoid", "of": [10]},
        {"op": "mul", "of": [6, 11]},
        _conv(12, 8, 7, 1),
        _norm(13, 7, eps=0.001),
    ]
    joined = [
        _conv(0, 7, 4, 3),
        {"op": "gelu", "of": [1], "tanh": False},
        {"op": "concat", "of": [0, 2]},
    ]
    head: list[Step] = [
        {"op": "mean", "of": [0]},
        {"op": "flatten", "of": [1]},
        {"op": "linear", "of": [2], "in_features": 11, "out_features": classes, "bias": True},
    ]
    named = (
        ("stem", stem),
        ("block 1", block),
        ("block 2", block),
        ("gated", gated),
        ("joined", joined),
        ("head", head),
    )
    groups = ((0,), (1, 2), (3,), (4,), (5, 6))
    return {
        "segments": [{"label": label, "steps": steps} for label, steps in named],
        "widths": [{"groups": list(each), "ratios": [0.5, 1.0]} for each in groups],
        "depths": [{"first": 1, "options": [0, 1, 2]}],
    }


def _conv(of: int, ins: int, outs: int, kernel: int, **others: Any) -> Step:
    sizes: Step = {"kernel": [kernel, kernel], "padding": [kernel // 2, kernel // 2]}
    return {"op": "conv", "of": [of], "in_channels": ins, "out_channels": outs, **sizes, **_CONV, **others}


def _norm(of: int, channels: int, eps: float = 1e-5) -> Step:
    return {"op": "norm", "of": [of], "channels": channels, "eps": eps}
