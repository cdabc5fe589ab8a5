"""Output measures: whatever happens inside, do two nets answer alike?

They take logits, (n, k), and so belong to nets, not to layers. Both nets must know the same classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.similarity.base import MEASURES, Measure, Undefined


@dataclass(frozen=True, eq=False)
class Predictions:
    """Attributes: chosen, (n,) predicted classes; classes, how many there are."""

    chosen: NDArray[np.intp]
    classes: int


def predictions(logits: NDArray[np.float64]) -> Predictions:
    """The class of the largest of each row's (n, k) logits; the first of equals.

    Raises:
        Undefined: there are no samples, or fewer than two classes.
    """
    _at_least_two(logits)
    return Predictions(logits.argmax(axis=1), logits.shape[1])


def agreeing(a: Predictions, b: Predictions) -> float:
    """Fraction of samples that both nets put into the same class.

    Raises:
        Undefined: the nets have different numbers of classes.
    """
    _same_classes(a.classes, b.classes)
    return float((a.chosen == b.chosen).mean())


def _at_least_two(logits: NDArray[np.float64]) -> None:
    n, k = logits.shape
    if not n or k < 2:
        raise Undefined(f"Predictions need samples and at least 2 classes; there are {n} and {k}.")


def _same_classes(k: int, other: int) -> None:
    if k != other:
        raise Undefined(
            f"One net knows {k} classes and the other {other}, so their answers have no common scale."
        )


@MEASURES.register("agreement")
class Agreement(Measure):
    """Fraction of samples on which both nets predict the same class."""

    label = "Agreement of predictions"
    source = "Geirhos, Meding, Wichmann, 'Beyond accuracy', NeurIPS 2020 (observed consistency)"
    of = "outputs"
    left = right = frozenset({"scale"})
    ignores = "How sure the nets are, and whether they are right."
    distrust = (
        "Two accurate nets agree on most samples because both are right; compare with the agreement that "
        "their accuracies alone would give."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 1

    def prepare(self, x: NDArray[np.float64]) -> Predictions:
        return predictions(x)

    def shuffled(self, prepared: Predictions, order: NDArray[np.intp]) -> Predictions:
        return Predictions(prepared.chosen[order], prepared.classes)

    def compare(self, a: Predictions, b: Predictions) -> float:
        return agreeing(a, b)


@MEASURES.register("disagreement")
class Disagreement(Measure):
    """Fraction of samples on which the two nets predict different classes."""

    label = "Disagreement of predictions"
    source = "Madani, Pennock, Flake, 'Co-validation: using model disagreement', NeurIPS 2004"
    of = "outputs"
    kind = "distance"
    identical = 0.0
    metric = True
    left = right = frozenset({"scale"})
    ignores = "How sure the nets are, and which of them is right."
    distrust = "Two nets of accuracy a cannot differ on more than 2 (1 - a) of the samples, so a small value may mean only that both are good."

    def least_samples(self, p: int, q: int) -> int:
        return 1

    def prepare(self, x: NDArray[np.float64]) -> Predictions:
        return predictions(x)

    def shuffled(self, prepared: Predictions, order: NDArray[np.intp]) -> Predictions:
        return Predictions(prepared.chosen[order], prepared.classes)

    def compare(self, a: Predictions, b: Predictions) -> float:
        return 1 - agreeing(a, b)


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Attributes: p, (n, k) class probabilities; entropy, (n,) their entropy in bits."""

    p: NDArray[np.float64]
    entropy: NDArray[np.float64]


def entropy_bits(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) entropies of (n, k) probabilities, in bits; 0 log 0 is 0."""
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    entropies: NDArray[np.float64] = -np.einsum("ij,ij->i", p, logs)
    return entropies


@MEASURES.register("jensen_shannon")
class JensenShannon(Measure):
    """Jensen-Shannon divergence of the class probabilities, in bits, averaged over samples."""

    label = "Jensen-Shannon divergence of outputs"
    source = "Lin, 'Divergence measures based on the Shannon entropy', IEEE Trans. Inf. Theory 1991"
    of = "outputs"
    kind = "distance"
    identical = 0.0
    ignores = "What happens inside the nets, and a number added to all logits of a sample."
    distrust = (
        "A net that is only more sure than another counts as different although every prediction is the same; "
        "look at agreement beside it."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 1

    def prepare(self, x: NDArray[np.float64]) -> Probabilities:
        _at_least_two(x)
        p = np.exp(x - x.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return Probabilities(p, entropy_bits(p))

    def shuffled(self, prepared: Probabilities, order: NDArray[np.intp]) -> Probabilities:
        return Probabilities(prepared.p[order], prepared.entropy[order])

    def compare(self, a: Probabilities, b: Probabilities) -> float:
        _same_classes(a.p.shape[1], b.p.shape[1])
        divergences = entropy_bits((a.p + b.p) / 2) - (a.entropy + b.entropy) / 2
        return float(np.clip(divergences, 0, 1).mean())
