"""Training of the prior-fitted network, from nothing but its prior.

    python -m core.predictors.prior_fitted.training assets/predictors/prior_fitted.safetensors

writes the file that the project ships; how long that took stands in it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from torch import Tensor

from core.predictors.prior_fitted.bars import borders_of
from core.predictors.prior_fitted.encoding import prepare, spread_out, standard
from core.predictors.prior_fitted.network import PriorFitted, log_density
from core.predictors.prior_fitted.prior import FEATURES, Drawn, Prior, nas_shaped, smooth_line
from core.seeding import stream, torch_drawing

PRIORS: dict[str, tuple[Prior, int]] = {"nas_shaped": (nas_shaped, FEATURES), "smooth_line": (smooth_line, 1)}
"""Name -> how a data set is drawn, and how many columns a network for it reads."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights.

    Attributes:
        prior: one of `PRIORS`.
        steps: of AdamW, one cycle of the learning rate.
        batch: data sets per step.
        fewest, most: rows of the context, drawn on a logarithmic scale for every step.
        asked: further rows of each data set, whose values are to be guessed.
        bars, width, depth: of the network.
        rate: highest learning rate.
        standardized: whether values are seen in units of their context; not where the prior's own scale is the truth.
        seed: of all chance.
    """

    prior: str = "nas_shaped"
    steps: int = 4000
    batch: int = 16
    fewest: int = 4
    most: int = 160
    asked: int = 40
    bars: int = 64
    width: int = 64
    depth: int = 6
    rate: float = 1e-3
    standardized: bool = True
    seed: int = 0


def train(recipe: Recipe, *, every: int = 0) -> tuple[PriorFitted, Tensor]:
    """The trained network in eval mode, and the borders of its bars; the same recipe gives the same weights.

    Args:
        recipe: see there.
        every: print the mean loss after so many steps; 0 for silence.
    """
    prior, features = PRIORS[recipe.prior]
    borders = torch.from_numpy(_borders(recipe, prior)).float()
    with torch_drawing(recipe.seed, "prior fitted", "weights"):
        net = PriorFitted(features, recipe.bars, width=recipe.width, depth=recipe.depth)
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.rate, total_steps=recipe.steps, pct_start=0.1
    )
    told: list[float] = []
    for step in range(recipe.steps):
        known, values, asked, targets = draw(recipe, step)
        loss = -log_density(net(known, values, asked), borders, targets).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        told.append(loss.item())
        if every and (step + 1) % every == 0:
            print(f"step {step + 1}: {np.mean(told[-every:]):.4f}", flush=True)
    return net.eval().requires_grad_(False), borders


def draw(recipe: Recipe, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One batch: rows of the context, their values, further rows, and the values to guess."""
    prior, features = PRIORS[recipe.prior]
    rng = stream(recipe.seed, "prior fitted", "data", step)
    n = int(np.exp(rng.uniform(np.log(recipe.fewest), np.log(recipe.most + 1))))
    found = [_prepared(recipe, prior(rng, n + recipe.asked), n, features) for _ in range(recipe.batch)]
    x = torch.from_numpy(np.stack([each[0] for each in found])).float()
    y = torch.from_numpy(np.stack([each[1] for each in found])).float()
    return x[:, :n], y[:, :n], x[:, n:], y[:, n:]


def _prepared(recipe: Recipe, drawn: Drawn, n: int, features: int) -> Drawn:
    if recipe.standardized:
        return prepare(*drawn, n, features)
    return spread_out(drawn[0], features), drawn[1]


def _borders(recipe: Recipe, prior: Prior) -> np.ndarray:
    """From values standardized by few others, as they are met."""
    values = []
    for index in range(400):
        rng = stream(recipe.seed, "prior fitted", "borders", index)
        n = int(rng.integers(recipe.fewest, recipe.most))
        _, y = prior(rng, n + recipe.asked)
        center, scale = standard(y[:n]) if recipe.standardized else (0.0, 1.0)
        values.append((y[n:] - center) / scale)
    return borders_of(np.concatenate(values), recipe.bars)


def packed(net: PriorFitted, borders: Tensor, recipe: Recipe, seconds: float) -> bytes:
    """The file: weights in half precision, the borders, and how they came about."""
    tensors = {name: tensor.numpy().astype(np.float16) for name, tensor in net.state_dict().items()}
    about = {"recipe": asdict(recipe), "torch": torch.__version__, "seconds": round(seconds)}
    # One entry: several would stand in another order every time.
    return bytes(save({**tensors, "borders": borders.numpy()}, {"about": json.dumps(about)}))


def main() -> None:
    """Train by the recipe and write the file."""
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m core.predictors.prior_fitted.training FILE")
    torch.set_num_threads(1)
    begun, recipe = time.process_time(), Recipe()
    net, borders = train(recipe, every=200)
    data = packed(net, borders, recipe, time.process_time() - begun)
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    print(f"{target}: {len(data):,} bytes, {time.process_time() - begun:.0f} s of processor time")


if __name__ == "__main__":
    main()
