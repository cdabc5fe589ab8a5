"""Answer one question about pruning by measuring: tickets, grokking, supermasks; a background run of small parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.executors.choosing import chosen
from core.library.experiment_part import part, rows_of, shared
from core.library.experiments import ExperimentRecord
from core.library.parts import done_in_parts
from core.library.trainings import training_of
from core.pruning.experiments.base import EXPERIMENTS
from core.pruning.pruners.base import PruningTask
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Experiment"
WEIGHT_CLASS = "training"
APART = ("seed", "processes")
"""What does not make another setting: the seed, and what changes no number."""


class Request(BaseConfig):
    """Which experiment, of which network."""

    experiment: str = Field(description="Registry name of the experiment.")
    config: Settings = Field(default_factory=dict, description="Its own settings.")
    model: str = Field(description="Id of the network whose architecture and data it uses.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of all chance.")
    processes: int = Field(
        1, ge=1, le=64, description="Processes that work off the parts; the numbers are the same."
    )

    @field_validator("experiment")
    @classmethod
    def _exists(cls, name: str) -> str:
        return EXPERIMENTS.info(name).name


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Work off the parts; the artifact is `rows.json`: all rows measured so far and the verdict they give.

    Raises:
        NotFound, InvalidInput: the network does not exist, or does not suit the experiment.
        DataUnavailable: the data set is neither here nor reachable.
        CoreError: training diverged.
    """
    yield Progress(0.0, "Loading the network and its data.")
    experiment = EXPERIMENTS.create(request.experiment, request.config)
    model = library.network(request.model)
    training, _ = training_of(model.entry, seed=request.seed)
    task = PruningTask(model.net, model.dataset, training, request.seed)
    record = ExperimentRecord.so_far(ledger) or ExperimentRecord()
    parts = experiment.parts()
    steps = done_in_parts(
        [part(experiment, task, at, said) for at, said in enumerate(parts) if not record.done(at)],
        chosen(request.processes),
        lambda: shared(experiment, task),
        ledger,
        done=float(sum(map(record.done, range(len(parts))))),
        what="parts",
    )
    for step in steps:
        if isinstance(step, Progress):
            said = f"Part {len(record.parts) + 1} of {len(parts)}: {step.message}"
            yield Progress(step.fraction, said, step.metrics)
            continue
        # Whole parts only: a part that was stopped is measured again from its start.
        record = record.with_part(step.index, rows_of(step.value))
        record = record.model_copy(update={"verdict": tuple(experiment.verdict(record.rows))})
        record.save(ledger)
    yield Progress(1.0, " ".join(record.verdict) or "Measured.")
