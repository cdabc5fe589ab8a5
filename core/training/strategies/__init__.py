"""Which subnets a training step trains, and against what."""

from core.training.strategies.base import STRATEGIES, Draw, Phase, Strategy, Target

__all__ = ["STRATEGIES", "Draw", "Phase", "Strategy", "Target"]
