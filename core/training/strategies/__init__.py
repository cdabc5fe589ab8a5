"""Which subnets a training step trains, and against what."""

from core.training.strategies.base import LABELS, STRATEGIES, Draw, Phase, Strategy, Term

__all__ = ["LABELS", "STRATEGIES", "Draw", "Phase", "Strategy", "Term"]
