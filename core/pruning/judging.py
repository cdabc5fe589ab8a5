"""The training samples by which criteria judge weights, units and blocks."""

from __future__ import annotations

from core.datasets.base import Split
from core.networks.trees import rows_of
from core.pruning.pruners.base import PruningTask
from core.seeding import stream
from core.tasks.base import Batch, task_of

_MOST = 256


def judging_batch(task: PruningTask) -> Batch:
    """A fixed draw of the training samples; how a batch of some of them is taken is the data's task's business."""
    train = task.dataset.train
    rows = stream(task.seed, "pruning", "batch").permutation(len(train))[:_MOST]
    part = Split(rows_of(train.x, rows), train.y[rows], train.ids[rows])
    return task_of(task.dataset).batch(task.dataset, part)
