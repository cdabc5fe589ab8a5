"""Compare two models: every layer of one with every layer of the other, and what they answer.

A quick question that a page asks in its own process; results are kept by what they depend on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from core.cache import kept
from core.config import JsonObject
from core.errors import InvalidInput
from core.library.activations import ProbeChoice, all_activations, common_probe, layers, logits
from core.library.csv_tables import csv_bytes
from core.library.networks import Model
from core.seeding import stream
from core.similarity.base import MEASURES, Measure, Undefined
from core.similarity.comparing import PERMUTATIONS, LayerComparison, compare_layers
from core.similarity.moments import FromMoments
from core.similarity.streaming import streamed_comparison

if TYPE_CHECKING:
    from core.datasets.probe import Probe
    from core.networks.capture import LayerInfo

_KEPT = 200


@dataclass(frozen=True)
class Question:
    """What is asked of two networks.

    Attributes:
        measure: registry name.
        config: the measure's settings, as sorted pairs so that questions can be compared.
        pooling: see `core.networks.capture`.
        inside: also layers inside the stages.
        probe: which samples.
        permutations: for the null value.
    """

    measure: str = "cka"
    config: tuple[tuple[str, Any], ...] = ()
    pooling: str = "pooled"
    inside: bool = False
    probe: ProbeChoice = field(default_factory=ProbeChoice)
    permutations: int = PERMUTATIONS


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """The answer, with what is needed to read it.

    Attributes:
        layers_a, layers_b: rows and columns, in order.
        result: values, null values and reasons.
        probe: the samples compared on.
        question: what was asked.
    """

    layers_a: tuple[LayerInfo, ...]
    layers_b: tuple[LayerInfo, ...]
    result: LayerComparison
    probe: Probe
    question: Question


@dataclass(frozen=True)
class OutputComparison:
    """One measure of what two networks answer.

    Attributes:
        name, label: the measure.
        value: NaN where there is none, then `reason` says why.
        null_mean, null_sd: the same with the second network's answers in random order.
    """

    name: str
    label: str
    value: float
    reason: str
    null_mean: float
    null_sd: float


@kept(_KEPT, key=lambda a, b, question: (a.key, b.key, question))
def compare_models(a: Model, b: Model, question: Question) -> ModelComparison:
    """Every layer of `a` against every layer of `b`.

    Raises:
        NotFound: there is no such measure.
        InvalidInput: a setting does not fit, a layer is too large for the pooling, or the models were
            trained on different data.
    """
    measure = MEASURES.create(question.measure, dict(question.config))
    if measure.of != "activations":
        raise InvalidInput(f"{measure.label} compares answers, not layers; choose another measure.")
    probe = common_probe(a, b, question.probe)
    sides = [tuple(layers(model, inside=question.inside)) for model in (a, b)]
    if question.pooling == "positions" and isinstance(measure, FromMoments):
        result = streamed_comparison(
            a.net,
            b.net,
            probe.x,
            (sides[0], sides[1]),
            measure,
            permutations=question.permutations,
            seed=question.probe.seed,
        )
    else:
        arrays = [
            all_activations(model, probe, [layer.layer_id for layer in side], question.pooling)
            for model, side in zip((a, b), sides, strict=True)
        ]
        result = compare_layers(
            arrays[0], arrays[1], measure, permutations=question.permutations, seed=question.probe.seed
        )
    return ModelComparison(sides[0], sides[1], result, probe, question)


def compare_outputs(
    a: Model, b: Model, choice: ProbeChoice, permutations: int = 20
) -> list[OutputComparison]:
    """Every measure of outputs: how alike are the answers of two models?

    Raises:
        InvalidInput: the models were trained on different data.
    """
    probe = common_probe(a, b, choice)
    x, y = (logits(model, probe).astype(np.float64) for model in (a, b))
    return [
        _of_outputs(MEASURES.create(info.name), x, y, permutations, choice.seed)
        for info in MEASURES.describe()
        if MEASURES.get(info.name).of == "outputs"
    ]


def _of_outputs(
    measure: Measure, x: np.ndarray, y: np.ndarray, permutations: int, seed: int
) -> OutputComparison:
    try:
        left, right = measure.prepare(x), measure.prepare(y)
        value = measure.compare(left, right)
        null = [
            measure.compare(
                left, measure.shuffled(right, stream(seed, "null", k, len(y)).permutation(len(y)))
            )
            for k in range(permutations)
        ]
    except Undefined as error:
        return OutputComparison(measure.name, measure.label, math.nan, str(error), math.nan, math.nan)
    spread = float(np.std(null, ddof=1)) if len(null) > 1 else math.nan
    return OutputComparison(measure.name, measure.label, value, "", float(np.mean(null)), spread)


def accuracies(a: Model, b: Model, choice: ProbeChoice) -> dict[str, float]:
    """Shares of the probe that A, B, both, and at least one of them classify correctly.

    Raises:
        InvalidInput: the models were trained on different data.
    """
    probe = common_probe(a, b, choice)
    right_a, right_b = (logits(model, probe).argmax(1) == probe.y for model in (a, b))
    return {
        "A right": float(np.mean(right_a)),
        "B right": float(np.mean(right_b)),
        "both right": float(np.mean(right_a & right_b)),
        "at least one right": float(np.mean(right_a | right_b)),
    }


class LayerPair(TypedDict):
    """One pair of layers: a row of the table, in the order of its columns."""

    model_a: str
    layer_a: str
    model_b: str
    layer_b: str
    measure: str
    value: float
    null_mean: float
    null_sd: float
    n: int
    units_a: int
    units_b: int
    pooling: str
    split: str
    seed: int
    reason: str


COLUMNS = tuple(LayerPair.__annotations__)


def as_rows(a: Model, b: Model, comparison: ModelComparison) -> list[LayerPair]:
    """The comparison as a tidy table, one row per pair of layers."""
    result, question = comparison.result, comparison.question
    return [
        LayerPair(
            model_a=a.info.model_id,
            layer_a=left.label,
            model_b=b.info.model_id,
            layer_b=right.label,
            measure=question.measure,
            value=float(result.values[i, j]),
            null_mean=float(result.null_mean[i, j]),
            null_sd=float(result.null_sd[i, j]),
            n=result.n[i],
            units_a=result.units_a[i],
            units_b=result.units_b[j],
            pooling=question.pooling,
            split=question.probe.split,
            seed=question.probe.seed,
            reason=result.reasons.get((i, j), ""),
        )
        for i, left in enumerate(comparison.layers_a)
        for j, right in enumerate(comparison.layers_b)
    ]


def as_csv(rows: Sequence[LayerPair]) -> str:
    """Rows of `as_rows` as CSV text; what has no value is empty."""
    import pandas as pd

    return csv_bytes(pd.DataFrame(rows, columns=list(COLUMNS))).decode()


def sorted_config(config: JsonObject) -> tuple[tuple[str, Any], ...]:
    """A measure's settings as a `Question` wants them."""
    return tuple(sorted(config.items()))


__all__ = [
    "COLUMNS",
    "ModelComparison",
    "OutputComparison",
    "Question",
    "accuracies",
    "as_csv",
    "as_rows",
    "compare_models",
    "compare_outputs",
    "sorted_config",
]
