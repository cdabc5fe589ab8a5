"""Softmax policies that learn from rewards (REINFORCE), in NumPy: a head per decision, linear in a few features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8  # Adam's usual constants


@dataclass(frozen=True)
class Decision:
    """One decision of a rollout: which head, what it saw, what was drawn."""

    head: int
    features: tuple[float, ...]
    option: int


class Heads:
    """A softmax per decision, all options equally likely at first, trained by Adam on the policy gradient.

    Args:
        sizes: options of each head.
        features: numbers that a head sees.
        rate: step size of Adam.
    """

    def __init__(self, sizes: Sequence[int], features: int, rate: float) -> None:
        self._rate = rate
        self._steps = 0
        shape = (len(sizes), max(sizes, default=1), features + 1)  # a column more, for the constant
        self._weights, self._first, self._second = (np.zeros(shape) for _ in range(3))
        # Options that a head does not have, for it has fewer than the largest one.
        self._missing = np.where(np.arange(shape[1]) < np.array(sizes, int).reshape(-1, 1), 0.0, -np.inf)

    def probabilities(self, head: int, features: Sequence[float]) -> NDArray[np.float64]:
        """(options of the largest head,) chances of one head; 0 for options that it does not have."""
        return np.asarray(_shares(self._weights[head] @ (1.0, *features) + self._missing[head]))

    def draw(self, head: int, features: Sequence[float], rng: np.random.Generator) -> Decision:
        """Decide by chance, as the head says."""
        cumulated = self.probabilities(head, features).cumsum()
        option = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], "right"))
        return Decision(head, tuple(features), option)

    def learn(self, rollouts: Sequence[Sequence[Decision]], advantages: Sequence[float]) -> None:
        """One step up the policy gradient, the mean over rollouts of advantage times the gradient of log-probability."""
        made = [(d, a) for decisions, a in zip(rollouts, advantages, strict=True) for d in decisions]
        if not made:
            return
        heads = np.array([d.head for d, _ in made])
        seen = np.array([(1.0, *d.features) for d, _ in made])
        toward = -_shares((self._weights[heads] @ seen[:, :, None])[:, :, 0] + self._missing[heads])
        toward[np.arange(len(made)), [d.option for d, _ in made]] += 1
        gradient = np.zeros_like(self._weights)
        share = np.array([a for _, a in made])[:, None, None] / len(rollouts)
        np.add.at(gradient, heads, share * toward[:, :, None] * seen[:, None, :])
        self._steps += 1
        self._first += (1 - _FIRST) * (gradient - self._first)
        self._second += (1 - _SECOND) * (gradient**2 - self._second)
        mean = self._first / (1 - _FIRST**self._steps)
        wide = np.sqrt(self._second / (1 - _SECOND**self._steps)) + _TINY
        self._weights += self._rate * mean / wide


def _shares(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
