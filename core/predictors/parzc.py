"""Learning how to weigh the layers of a zero-cost proxy, inspired by ParZC.

No code of the paper is public. What is taken from its description: what every layer contributes to a proxy as a row of
segments, a mixer over them, a layer of uncertain weights, and DiffKendall as the loss. What is ours: sizes, constants,
five networks instead of one, and that an architecture's own encoding may be mixed in.
"""

from __future__ import annotations

import math
from typing import Any

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

_START = -3.0


class ParZCSettings(BaseConfig):
    """Settings of the mixer."""

    segment: int = Field(4, ge=1, le=64, description="Layers that stand together in one segment")
    width: int = Field(16, ge=2, le=256, description="Numbers that each segment becomes")
    steepness: float = Field(2.0, gt=0, le=100, description="Of DiffKendall's sigmoids")
    encoding: bool = Field(
        True,
        description="Mix the architecture's own encoding in; off: only what is known beside, if anything is",
    )
    steps: int = Field(200, ge=1, le=20_000, description="Steps of Adam, all rows at a time")
    rate: float = Field(0.01, gt=0, le=1, description="Highest learning rate")
    decay: float = Field(0.05, ge=0, le=10, description="Decay of the weights")
    certainty: float = Field(
        1e-3, ge=0, le=1, description="Price of weights that are more certain than a Gaussian of scale 1"
    )


@PREDICTORS.register("parzc")
class ParZC(Predictor):
    """Mixes segments of an architecture's numbers (a proxy's value by layer) and weighs them by uncertain weights; DiffKendall.

    The numbers are what is known beside, and the columns of the encoding.
    """

    label = "Mixer, inspired by ParZC"
    source = "Inspired by Dong et al., 'ParZC: parametric zero-cost proxies for efficient NAS', AAAI 2025"
    Config = ParZCSettings

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._encoding = Encoding(self.space, products=False)

    def fit(
        self, rows: Archs, values: NDArray[np.float64], beside: NDArray[np.float64] | None = None
    ) -> None:
        self._encoding.fit(rows)
        columns = self._columns(rows, beside)
        self._standardized = Standardized(columns)
        self._scale = Scale.of(self.objective, values)
        x, y = torch.from_numpy(self._standardized(columns)).float(), self._scale.learned(values)
        config, source = self.config, generator(self.seed, "parzc", "weights")
        self._source = generator(self.seed, "parzc", "draws")
        segments = max(1, -(-x.shape[1] // config.segment))
        d, s = config.width, segments
        sizes = ((config.segment, d), (s, s), (d, d), (s * d, 1))
        self._embed, self._across, self._within, self._mean = (
            normal((MEMBERS, i, o), 1 / math.sqrt(i), source) for i, o in sizes
        )
        # The deviation of each last weight is the softplus of this.
        self._spread = torch.full((MEMBERS, s * d, 1), _START, requires_grad=True)
        course = Course("diff_kendall", config.steepness, config.steps, config.rate, config.decay)
        weights = [self._embed, self._across, self._within, self._mean, self._spread]
        target = torch.from_numpy(y).float()
        learn(weights, self._drawn, x, target, course=course, seed=self.seed, cost=self._certainty)
        self._calibrated = Calibrated.of(self._said(x), y, self.seed)

    def _columns(self, rows: Archs, beside: NDArray[np.float64] | None) -> NDArray[np.float64]:
        if beside is None:
            return some(self._encoding(rows))
        return np.concatenate([beside, self._encoding(rows)], axis=1) if self.config.encoding else beside

    def _mixed(self, x: Tensor) -> Tensor:
        """(n, layers) -> (members, n, segments * width): along the segments, then within each."""
        size = self.config.segment
        segments = self._across.shape[1]
        x = F.pad(x, (0, segments * size - x.shape[1])).reshape(len(x), segments, size)
        made = torch.einsum("nsi,kid->knsd", x, self._embed)
        made = made + F.gelu(torch.einsum("knsd,kst->kntd", made, self._across))
        made = made + F.gelu(torch.einsum("knsd,kde->knse", made, self._within))
        return made.flatten(2)

    def _drawn(self, x: Tensor) -> Tensor:
        """(members, n) scores with one draw of the uncertain weights."""
        noise = torch.randn(self._mean.shape, generator=self._source)
        return (self._mixed(x) @ (self._mean + F.softplus(self._spread) * noise))[..., 0]

    def _certainty(self) -> Tensor:
        """Divergence of the uncertain weights from a standard Gaussian, priced."""
        spread = F.softplus(self._spread)
        divergence = 0.5 * (spread.square() + self._mean.square() - 1) - spread.log()
        return self.config.certainty * divergence.sum((1, 2)).sum()

    @torch.no_grad()
    def _said(self, x: Tensor) -> NDArray[np.float64]:
        """With the mean of the uncertain weights."""
        said: NDArray[np.float64] = (self._mixed(x) @ self._mean)[..., 0].double().numpy()
        return said

    @torch.no_grad()
    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        x = torch.from_numpy(self._standardized(self._columns(rows, beside))).float()
        mean, deviation = self._calibrated(self._said(x))
        # What the uncertain weights add; the variance of a weighted sum needs no draws.
        variance = (self._mixed(x).square() @ F.softplus(self._spread).square())[..., 0].double().numpy()
        uncertain = (self._calibrated.slope[:, None] ** 2 * variance).mean(axis=0)
        return self._scale.said(mean, np.sqrt(deviation**2 + uncertain))
