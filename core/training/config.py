"""Settings of a training run; forms and command-line flags are made from these fields. No torch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from core.config import BaseConfig, Settings
from core.training.strategies import STRATEGIES

_ONCE_HERE = frozenset({"shift", "flip"})


class TrainingConfig(BaseConfig):
    """How a supernet is trained."""

    strategy: str = Field("sandwich", description="Which subnets each step trains.")
    strategy_config: Settings = Field(default_factory=dict, description="The strategy's own settings.")
    epochs: int = Field(60, ge=1, le=2000, description="Passes over the training data.")
    batch_size: int = Field(64, ge=2, le=4096, description="Samples per step.")
    optimizer: Literal["sgd", "adamw"] = Field(
        "sgd", description="SGD with Nesterov momentum, or AdamW (for transformers)."
    )
    learning_rate: float = Field(0.1, gt=0, le=1e12, description="Peak learning rate.")
    schedule: Literal["cosine", "exponential"] = Field(
        "cosine",
        title="Learning rate falls",
        description="How the rate falls after its warm-up: as a cosine to zero, or exponentially to a hundredth of the peak.",
    )
    final_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Floor of the learning rate, as a share of the peak (BigNAS: 0.05, exponential).",
    )
    warmup_epochs: float = Field(
        1.0, ge=0, le=100, description="Epochs of linear warm-up at the start of each phase."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="Decay of weights; norms and biases have none.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Label smoothing, for draws that learn from labels."
    )
    clip: float = Field(1.0, ge=0, description="Clip each gradient entry to this size (0: never).")
    clip_norm: float = Field(
        0.0,
        ge=0,
        title="Clip by norm",
        description="Scale all gradients so that their common norm is at most this (0: never).",
    )
    ema: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Averaged weights (EMA)",
        description="Share of a running average of the weights that stays at a step; measured and saved is the average (0: none is kept).",
    )
    mixup: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Mix pairs of samples and of their labels, in shares from Beta(a, a) with this a (0: never). Not for texts and graphs, of which a sum of two is none.",
    )
    augmentation: Settings = Field(
        default_factory=dict,
        description="What is done to training samples; settings of the kind of data, its defaults where left out.",
        json_schema_extra={"form": False},
    )
    seed: int = Field(0, ge=0, description="Decides weights, order, augmentation and draws.")

    @model_validator(mode="before")
    @classmethod
    def _older(cls, settings: Any) -> Any:
        """Settings of release 0.1 name what is done to samples beside the others."""
        if not isinstance(settings, dict) or not settings.keys() & _ONCE_HERE:
            return settings
        moved = {name: value for name, value in settings.items() if name in _ONCE_HERE}
        rest = {name: value for name, value in settings.items() if name not in _ONCE_HERE}
        return {**rest, "augmentation": {**moved, **settings.get("augmentation", {})}}

    @field_validator("strategy")
    @classmethod
    def _exists(cls, name: str) -> str:
        return STRATEGIES.info(name).name
