"""How a supernet was trained, for whoever trains a network of it again."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from core.library.supernets import SupernetEntry
from core.training.config import TrainingConfig

OF_THE_SUPERNET = ("strategy", "strategy_config", "seed")
"""What a training of one network does not take over: it has no strategy, and its seed is its own."""


def training_of(entry: SupernetEntry, **changes: Any) -> tuple[TrainingConfig, bool]:
    """How the supernet itself was trained, with these settings changed; and whether its card said so."""
    plain = {n: v for n, v in entry.card.training.items() if n not in OF_THE_SUPERNET}
    try:
        return TrainingConfig.model_validate(plain | changes), bool(plain)
    except ValidationError:
        # A card from elsewhere may describe its training in words of its own.
        return TrainingConfig.model_validate(changes), False
