"""A small multi-layer perceptron in NumPy with the gradient to its input, for searches that steer by one.

No torch here: a search is listed, built and resumed in processes that never load it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8  # Adam's usual constants


class SmallNet:
    """Linear layers with tanh between them, trained by Adam.

    Args:
        sizes: inputs, hidden units of each layer, outputs.
        rng: draws the first weights.
    """

    def __init__(self, sizes: Sequence[int], rng: np.random.Generator) -> None:
        self._weights: list[Floats] = []
        for fan_in, fan_out in pairwise(sizes):
            drawn = rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)
            self._weights += [drawn.astype(np.float32), np.zeros(fan_out, np.float32)]
        self._moments = [(np.zeros_like(w), np.zeros_like(w)) for w in self._weights]
        self._steps = 0

    def __call__(self, x: Floats) -> Floats:
        """(n, inputs) -> (n, outputs)."""
        return self.forward(x)[-1]

    def gradient(self, x: Floats, back: Floats) -> Floats:
        """(n, inputs) gradient of `(back * outputs).sum()` with respect to the input."""
        return self._backward(self.forward(x), back)[0]

    def step(self, layers: list[Floats], back: Floats, rate: float) -> None:
        """One step of Adam down the gradient.

        Args:
            layers: of `forward` for the batch.
            back: (n, outputs) gradient of the loss with respect to the outputs.
            rate: step size.
        """
        gradients = self._backward(layers, back)[1]
        self._steps += 1
        scale = rate * np.sqrt(1 - _SECOND**self._steps) / (1 - _FIRST**self._steps)
        for weight, gradient, (first, second) in zip(self._weights, gradients, self._moments, strict=True):
            first *= _FIRST
            first += (1 - _FIRST) * gradient
            second *= _SECOND
            second += (1 - _SECOND) * gradient**2
            weight -= np.float32(scale) * first / (np.sqrt(second) + _TINY)

    def forward(self, x: Floats) -> list[Floats]:
        """What every layer puts out, the input first, the outputs last."""
        found = [x]
        for index in range(0, len(self._weights), 2):
            x = x @ self._weights[index] + self._weights[index + 1]
            if index + 2 < len(self._weights):
                x = np.tanh(x)
            found.append(x)
        return found

    def weights(self) -> list[Floats]:
        """A copy of all weights."""
        return [weight.copy() for weight in self._weights]

    def load(self, weights: Sequence[Floats]) -> None:
        """Take these weights."""
        self._weights = [weight.copy() for weight in weights]

    def _backward(self, layers: list[Floats], back: Floats) -> tuple[Floats, list[Floats]]:
        gradients: list[Floats] = []
        for index in range(len(self._weights) - 2, -1, -2):
            before = layers[index // 2]
            gradients += [back.sum(axis=0), before.T @ back]
            back = back @ self._weights[index].T
            if index:
                back = back * (1 - before**2)
        return back, gradients[::-1]
