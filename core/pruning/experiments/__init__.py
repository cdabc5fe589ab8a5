"""Experiments on pruning: a claim from a paper, measured here, with the verdict that the figures give."""

from core.pruning.experiments.base import EXPERIMENTS, Experiment, Row

__all__ = ["EXPERIMENTS", "Experiment", "Row"]
