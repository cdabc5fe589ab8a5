"""Which subnets a training step trains, and against what."""

from core.training.draws import LABELS, Draw, Phase, Term
from core.training.strategies.base import STRATEGIES, Strategy

__all__ = ["LABELS", "STRATEGIES", "Draw", "Phase", "Strategy", "Term"]
