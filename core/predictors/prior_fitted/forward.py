"""What the trained network answers, in NumPy: asking it loads no torch, and its weights are a file of half a megabyte."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from core.predictors.prior_fitted.bars import moments
from core.settings import ASSETS

FILE = ASSETS / "predictors" / "prior_fitted.safetensors"
_HEADS = 4
_SMALL = 1e-5
_ASKED_AT_ONCE = 512

Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Weights:
    """The network as a file holds it.

    Attributes:
        tensors: by name, as `network.PriorFitted` calls them.
        borders: of the bars.
        depth: layers.
        features: columns of a row.
        most: rows of the longest context it was trained on.
        heads: of its attention.
    """

    tensors: dict[str, Numbers]
    borders: NDArray[np.float64]
    depth: int
    features: int
    most: int
    heads: int = _HEADS

    @classmethod
    def of(cls, tensors: dict[str, NDArray[np.float16]], most: int) -> Weights:
        """From tensors by name, the borders among them."""
        known = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
        borders = known.pop("borders").astype(float)
        depth = len({name.split(".")[1] for name in known if name.startswith("layers.")})
        return cls(known, borders, depth, known["row.weight"].shape[1], most)


@lru_cache(maxsize=1)
def shipped(path: Path = FILE) -> Weights:
    """The weights that the project ships."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        most = int(json.loads(file.metadata()["about"])["recipe"]["most"])
    return Weights.of(tensors, most)


def predict(
    weights: Weights, known: NDArray[np.float64], values: NDArray[np.float64], asked: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(m,) means and (m,) variances of the values of further rows, in standardized units.

    Args:
        weights: the network.
        known: (n, features) rows of the context.
        values: (n,) their standardized values.
        asked: (m, features) rows.
    """
    return moments(logits(weights, known, values, asked), weights.borders)


def logits(
    weights: Weights, known: NDArray[np.float64], values: NDArray[np.float64], asked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(m, bars) what `network.PriorFitted` gives for one data set."""
    t = weights.tensors
    x = _linear(t, "row", known) + _linear(t, "value", np.asarray(values)[:, None])
    context = []
    for layer in range(weights.depth):
        keys = _normed(t, f"layers.{layer}.norm1", x)
        context.append(_split(_linear(t, f"layers.{layer}.mixed", keys), weights.heads))
        x = _layer(weights, layer, x, context[-1], own=False)
    parts = []
    for start in range(0, len(asked), _ASKED_AT_ONCE):
        x = _linear(t, "row", asked[start : start + _ASKED_AT_ONCE])
        for layer in range(weights.depth):
            x = _layer(weights, layer, x, context[layer], own=True)
        parts.append(_linear(t, "answer", _normed(t, "norm", x)))
    return np.concatenate(parts).astype(float) if parts else np.zeros((0, len(weights.borders) - 1))


def _layer(
    weights: Weights, layer: int, x: Numbers, context: tuple[Numbers, Numbers, Numbers], *, own: bool
) -> Numbers:
    t, at = weights.tensors, f"layers.{layer}"
    q, k, v = _split(_linear(t, f"{at}.mixed", _normed(t, f"{at}.norm1", x)), weights.heads)
    size = np.float32(np.sqrt(q.shape[-1]))
    scores = q @ context[1].swapaxes(-1, -2) / size
    if own:
        scores = np.concatenate([scores, (q * k).sum(-1, keepdims=True) / size], -1)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    mixed = shares[..., :-1] @ context[2] + shares[..., -1:] * v if own else shares @ context[2]
    x = x + _linear(t, f"{at}.joined", mixed.swapaxes(0, 1).reshape(len(x), -1))
    wide = _linear(t, f"{at}.wide", _normed(t, f"{at}.norm2", x))
    return x + _linear(t, f"{at}.narrow", _gelu(wide))


def _split(mixed: Numbers, heads: int) -> tuple[Numbers, Numbers, Numbers]:
    """Queries, keys and values as (heads, rows, width of a head)."""
    q, k, v = np.split(mixed.reshape(len(mixed), 3, heads, -1).transpose(1, 2, 0, 3), 3)
    return q[0], k[0], v[0]


def _linear(t: dict[str, Numbers], name: str, x: NDArray[np.floating]) -> Numbers:
    made: Numbers = np.asarray(x, np.float32) @ t[f"{name}.weight"].T + t[f"{name}.bias"]
    return made


def _normed(t: dict[str, Numbers], name: str, x: Numbers) -> Numbers:
    moved = x - x.mean(-1, keepdims=True)
    scaled = moved / np.sqrt(np.square(moved).mean(-1, keepdims=True) + np.float32(_SMALL))
    made: Numbers = scaled * t[f"{name}.weight"] + t[f"{name}.bias"]
    return made


def _gelu(x: Numbers) -> Numbers:
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    made: Numbers = np.float32(0.5) * x * (1 + np.tanh(inner))
    return made
