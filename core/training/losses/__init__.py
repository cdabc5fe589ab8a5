"""What a draw minimizes: one file per loss."""

from core.training.losses.base import LOSSES

__all__ = ["LOSSES"]
