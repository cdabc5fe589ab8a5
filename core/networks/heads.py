"""The last linear layer of a network, and exactly what enters it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from core.errors import InvalidInput
from core.networks.capture import inputs_of
from core.networks.trees import n_rows


def last_linear(net: nn.Module) -> tuple[str, nn.Linear]:
    """Name and module of the last linear layer.

    Raises:
        InvalidInput: the network has none.
    """
    found = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    if not found:
        raise InvalidInput("This network has no linear layer, so there is no last feature space to look at.")
    return found[-1]


def penultimate(net: nn.Module, inputs: Any) -> tuple[NDArray[np.float64], nn.Linear]:
    """Inputs (n, p) of the last linear layer for n samples, and that layer.

    Pooling and normalization between the last stage and the layer are included, whatever the head does:
    `features @ weight.T + bias` are the logits.

    Args:
        net: any network.
        inputs: see `core.networks.answers.batches`.

    Raises:
        InvalidInput: there is no linear layer, or it does not get one vector per sample.
    """
    name, layer = last_linear(net)
    features = inputs_of(net, inputs, name).astype(np.float64)
    if features.shape != (n_rows(inputs), layer.in_features):
        raise InvalidInput("The last linear layer of this network does not read one vector per sample.")
    return features, layer


def weight_and_bias(layer: nn.Linear) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(classes, p) weight and (classes,) bias in float64; a missing bias is zero."""
    weight = layer.weight.detach().double().numpy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().numpy()
    return weight, bias
