"""Experiments on pruning: a claim from a paper, measured here, with the verdict that the figures give."""

from core.pruning.experiments.base import EXPERIMENTS, Experiment, Row, create_experiment

__all__ = ["EXPERIMENTS", "Experiment", "Row", "create_experiment"]
