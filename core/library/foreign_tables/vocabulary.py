"""Words in the names of columns, and units, as the tables of this field use them."""

from __future__ import annotations

import re

LARGE_IS_BETTER = {
    "acc", "accuracy", "top", "top1", "top5", "valacc", "testacc", "bleu", "auc", "map", "iou", "miou", "psnr", "ssim",
    "score", "reward", "throughput", "fps", "precision", "recall", "f1", "r2", "intensity", "utilization",
}  # fmt: off
COSTS = {
    "latency", "energy", "time", "runtime", "duration", "param", "params", "parameters", "mac", "macs", "flop", "flops", "madds", "size", "bytes",
    "memory", "power", "area", "lat", "mem", "ops",
}  # fmt: off
LOSSES = {"loss", "error", "err", "perplexity", "ppl", "rmse", "mae", "mse", "cost", "nll"}
NAMES = (
    "architecture",
    "archstr",
    "arch",
    "subnetwork",
    "config",
    "configid",
    "uniquestr",
    "id",
    "name",
    "number",
    "network",
    "model",
    "modelname",
)
"""Columns that say which row it is, letters only; the likeliest first."""
UNITS = {
    "ms": "ms", "us": "µs", "µs": "µs", "s": "s", "sec": "s", "seconds": "s", "mj": "mJ", "j": "J", "mb": "MB", "kb": "kB",
    "gb": "GB", "w": "W", "mw": "mW", "fps": "1/s", "percent": "%", "pct": "%", "%": "%",
}  # fmt: off
"""As they are written in names and behind values, in small letters, and as we write them."""


def words_of(name: str) -> list[str]:
    """The words of a column's name, in small letters: `valAcc_top1` has three."""
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    return [word for word in re.split(r"[^a-z0-9µ%]+", split) if word]


def is_a_cost(name: str) -> bool:
    """Whether a column called so holds what something costs."""
    return bool(set(words_of(name)) & COSTS)


def is_a_name(name: str) -> bool:
    """Whether a column called so says which row it is."""
    return letters_of(name) in NAMES


def letters_of(name: str) -> str:
    """Its letters alone, in small letters."""
    return re.sub(r"[^a-z]", "", name.lower())
