"""A graph: features of nodes and edges between them; the samples are nodes, and the graph travels whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from core.config import BaseConfig, JsonObject
from core.datasets.base import Dataset, Split
from core.datasets.graphs import GraphSplit, with_first
from core.errors import InvalidInput
from core.networks.limits import MOST_CLASSES
from core.networks.trees import as_tensors
from core.seeding import stream
from core.tasks.base import Batch, EvaluationData, InputConfig, Task, batch_rows
from core.tasks.registry import TASKS

MOST_FEATURES = 100_000
MOST_NODES = 10_000_000
MOST_EDGES = 100_000_000


class GraphConfig(InputConfig):
    """What every family for graphs needs to know of its data; filled in from the data set.

    Attributes:
        input_shape: features of a node.
        nodes, edges: of the graph it is trained on; costs are counted for it.
    """

    input_shape: tuple[int] = (4,)
    nodes: int = 40
    edges: int = 120

    @model_validator(mode="after")
    def _possible(self) -> GraphConfig:
        # Also read from strangers' files: what passes here must build and run in bounded memory.
        if not 1 <= self.input_shape[0] <= MOST_FEATURES:
            raise ValueError(f"a node has 1 to {MOST_FEATURES:,} features")
        if not (1 <= self.nodes <= MOST_NODES and 0 <= self.edges <= MOST_EDGES):
            raise ValueError("a graph has 1 to 10 million nodes and at most 100 million edges")
        if not 1 <= self.classes <= MOST_CLASSES:
            raise ValueError(f"there are 1 to {MOST_CLASSES:,} classes")
        return self


@TASKS.register("graph")
class GraphTask(Task):
    """One graph: features (n, f) of its nodes and edges (2, e); some nodes have a class."""

    label = "Graphs"
    sample = "node"
    samples = "nodes"
    whole = True
    passes = "the whole graph"
    Inputs = GraphConfig
    fixed = ("classes", "input_shape")
    inputs = ("features", "edges")
    usage = (
        "python predict.py test.npz        # arrays x, edges, y; prints one JSON line: accuracy, correct, n",
    )
    takes = "It takes a pair: features of all nodes and edges (2, e), each in both directions."

    class Augmentation(BaseConfig):
        """What may be done to the graph in training."""

        drop_edges: float = Field(0.0, ge=0, le=0.9, description="Leave out each edge with this probability.")
        drop_features: float = Field(
            0.0, ge=0, le=0.9, description="Set each feature to zero with this probability."
        )

    def epoch(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        seed: int,
        epoch: int,
        augmentation: JsonObject,
        order: NDArray[np.int64] | None = None,
    ) -> Iterator[Batch]:
        drops = self.augmentation(augmentation)
        rng = stream(seed, "augmentation", epoch)
        train = dataset.train
        for picked in batch_rows(train, batch_size, seed, epoch, order):
            features, edges = with_first(train.x, picked)
            if drops.drop_edges:
                edges = edges[:, rng.random(edges.shape[1]) >= drops.drop_edges]
            if drops.drop_features:
                kept = rng.random(features.shape) >= drops.drop_features
                features = features * kept.astype(np.float32) / np.float32(1 - drops.drop_features)
            yield Batch(
                (torch.from_numpy(features), torch.from_numpy(edges)),
                torch.from_numpy(train.y[picked]),
                torch.from_numpy(train.ids[picked]),
            )

    def evaluation(self, dataset: Dataset, parts: Mapping[str, Split]) -> EvaluationData:
        every = [dataset.calibration, *parts.values()]
        ids = np.concatenate([part.ids for part in every])
        if len(np.unique(ids)) != len(ids):
            raise InvalidInput("A node of a graph cannot be in two of the splits that are measured together.")
        # Any split holds the whole graph and knows where it put the node of each id.
        first = dataset.calibration
        assert isinstance(first, GraphSplit)
        inputs = as_tensors(with_first(first.x, first.places()[ids]))
        start, spans = len(first), {}
        for name, part in parts.items():
            spans[name] = slice(start, start + len(part))
            start += len(part)
        targets = torch.from_numpy(np.concatenate([part.y for part in every]))
        return EvaluationData(inputs, targets, len(first), spans)

    def random_inputs(self, config: InputConfig, n: int, generator: torch.Generator) -> Any:
        assert isinstance(config, GraphConfig)
        return random_graph(config.input_shape[0], n, generator)

    def describe_input(self, shape: tuple[int, ...]) -> str:
        return f"features (nodes, {shape[0]}) and edges (2, edges), from and to; both directions of each edge"


def random_graph(features: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """n nodes with random features, each with about three random neighbors, in both directions."""
    x = torch.rand((n, features), generator=generator)
    pairs = torch.randint(0, n, (2, 2 * n), generator=generator)
    pairs = pairs[:, pairs[0] < pairs[1]]
    return x, torch.cat([pairs, pairs.flip(0)], 1)
