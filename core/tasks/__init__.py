"""What kinds of data there are: what a sample is, how batches are taken, how outputs become predictions."""

from core.tasks.registry import TASKS

__all__ = ["TASKS"]
