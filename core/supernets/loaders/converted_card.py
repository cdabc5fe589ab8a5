"""What a loader answers of a converted network, once its largest subnet was compared with it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.errors import InvalidInput
from core.supernets.converting import Conversion, require_equal
from core.supernets.loaders.base import Fixed, Loaded

_NOTE = "Converted from a network of one's own. Its subnets share that network's weights as they are; tune it on data."


def loaded(
    conversion: Conversion, answers: Callable[[Tensor], Tensor], rows: int, tolerance: float
) -> Loaded:
    """The answer of a loader.

    Args:
        conversion: what was made of the network.
        answers: what the network itself answers to images (n, c, h, w).
        rows: images to compare both on.
        tolerance: by how much they may differ, as a share of the largest answer.

    Raises:
        InvalidInput: they differ, or the network cannot be run.
    """
    net = conversion.supernet
    images = net.task.random_inputs(net.config, rows, torch.Generator().manual_seed(0))
    try:
        expected = answers(images)
    except (
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
        StopIteration,
    ) as error:
        raise InvalidInput("This network cannot be run, so it cannot be compared.") from error
    said = require_equal(conversion, images[: len(expected)], expected, tolerance)
    return Loaded(
        supernet=net,
        card={"note": _NOTE},
        facts=(*conversion.facts, said),
        fixed=tuple(Fixed(layer, why) for layer, why in conversion.fixed),
        needs_data=True,
    )
