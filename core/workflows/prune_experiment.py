"""Answer one question about pruning by measuring: tickets, grokking, supermasks; a background run of small parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.library.experiments import ExperimentRecord
from core.library.trainings import training_of
from core.pruning.experiments.base import EXPERIMENTS, Row
from core.pruning.pruners.base import PruningTask
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Experiment"
WEIGHT_CLASS = "training"


class Request(BaseConfig):
    """Which experiment, of which network."""

    experiment: str = Field(description="Registry name of the experiment.")
    config: Settings = Field(default_factory=dict, description="Its own settings.")
    model: str = Field(description="Id of the network whose architecture and data it uses.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of all chance.")

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
    for index, part in enumerate(parts[len(record.parts) :], len(record.parts)):
        rows: list[Row] = []
        for step in experiment.run_part(task, part):
            if isinstance(step, Row):
                rows.append(step)
            else:
                said = f"Part {index + 1} of {len(parts)}: {step.message}"
                yield Progress((index + step.fraction) / len(parts), said, step.metrics)
        # Whole parts only: a part that was stopped is measured again from its start.
        verdict = tuple(experiment.verdict([*record.rows, *rows]))
        record = ExperimentRecord(parts=(*record.parts, tuple(rows)), verdict=verdict)
        record.save(ledger)
    yield Progress(1.0, " ".join(record.verdict) or "Measured.")
