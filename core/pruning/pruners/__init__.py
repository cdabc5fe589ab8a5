"""Pruning methods: each a combination of scores, allocation, schedule, masks or surgery, and rewinding."""

from core.pruning.pruners.base import PRUNERS, Pruned, Pruner, PruningTask

__all__ = ["PRUNERS", "Pruned", "Pruner", "PruningTask"]
