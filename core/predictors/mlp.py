"""A small perceptron, trained for the values or for their order."""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from core.config import BaseConfig
from core.predictors.base import PREDICTORS, Predicted, Predictor
from core.predictors.committees import MEMBERS, Calibrated, Course, generator, learn, normal
from core.predictors.encodings import Encoding, Standardized
from core.predictors.regressors import some
from core.predictors.scales import Scale
from core.spaces import Archs


class MLPSettings(BaseConfig):
    """Settings of the perceptron."""

    loss: Literal["squared", "diff_kendall"] = Field(
        "squared", description="Learn the values, or by DiffKendall their order"
    )
    steepness: float = Field(
        2.0, gt=0, le=100, description="Of DiffKendall's sigmoids; larger is nearer to Kendall's tau"
    )
    width: int = Field(48, ge=2, le=1024, description="Units of each of the two hidden layers")
    steps: int = Field(250, ge=1, le=20_000, description="Steps of Adam, all rows at a time")
    rate: float = Field(0.01, gt=0, le=1, description="Highest learning rate")
    decay: float = Field(0.05, ge=0, le=10, description="Decay of the weights")


@PREDICTORS.register("mlp")
class MLP(Predictor):
    """Five perceptrons with two hidden layers, each without another fifth of the rows; squared loss or DiffKendall.

    Scores that were learned for their order alone are brought to the objective's unit by a straight line.
    """

    label = "Perceptron"
    source = "White et al., 'How powerful are performance predictors in NAS?', NeurIPS 2021; DiffKendall: Zheng et al., NeurIPS 2023"
    Config = MLPSettings

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._encoding = Encoding(self.space, products=False)

    def fit(
        self, rows: Archs, values: NDArray[np.float64], beside: NDArray[np.float64] | None = None
    ) -> None:
        columns = some(self._encoding.fit(rows, beside))
        self._standardized = Standardized(columns)
        self._scale = Scale.of(self.objective, values)
        x = torch.from_numpy(self._standardized(columns)).float()
        y = self._scale.learned(values)
        config, source = self.config, generator(self.seed, "mlp", "weights")
        sizes = (x.shape[1], config.width, config.width, 1)
        self._weights = [
            normal((MEMBERS, i, o), math.sqrt(2 / max(i, 1)) if o > 1 else 0.1 / math.sqrt(i), source)
            for i, o in itertools.pairwise(sizes)
        ]
        self._offsets = [torch.zeros(MEMBERS, 1, o, requires_grad=True) for o in sizes[1:]]
        course = Course(config.loss, config.steepness, config.steps, config.rate, config.decay)
        learn(
            [*self._weights, *self._offsets],
            self._answer,
            x,
            torch.from_numpy(y).float(),
            course=course,
            seed=self.seed,
        )
        self._calibrated = Calibrated.of(self._said(x), y, self.seed)

    def _answer(self, x: Tensor) -> Tensor:
        """(n, d) -> (members, n)."""
        made = x.expand(MEMBERS, *x.shape)
        last = len(self._weights) - 1
        for at, (weights, offset) in enumerate(zip(self._weights, self._offsets, strict=True)):
            made = torch.baddbmm(offset, made, weights)
            made = made if at == last else F.relu(made)
        return made[..., 0]

    @torch.no_grad()
    def _said(self, x: Tensor) -> NDArray[np.float64]:
        said: NDArray[np.float64] = self._answer(x).double().numpy()
        return said

    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        x = torch.from_numpy(self._standardized(some(self._encoding(rows, beside)))).float()
        return self._scale.said(*self._calibrated(self._said(x)))
