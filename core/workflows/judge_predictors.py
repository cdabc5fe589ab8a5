"""How well predictors order measured architectures, and whether their intervals hold: by folds they did not see."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig
from core.errors import CoreError, InvalidInput
from core.library.gathered import MEASURING
from core.library.judged import JudgedPredictor, JudgedRecord
from core.library.measuring import by_forward_pass, from_table
from core.library.supernets import SupernetEntry, counted
from core.objectives.base import objective, require_choosable
from core.predictors.base import PREDICTORS
from core.predictors.folds import folds_of
from core.predictors.judging import judge
from core.records import Measurement, Progress, Source
from core.search import ALGORITHMS, Problem

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Predictors"
WEIGHT_CLASS = "measuring"
BESIDE = ("macs", "params")
"""Counted objectives that a search knows beforehand."""


class Request(BaseConfig):
    """Which predictors to judge, on what."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    run: str = Field(
        "", max_length=64, description="Id of a search whose measurements are taken; empty: a sample"
    )
    rows: int = Field(
        200, ge=20, le=2000, description="Architectures: drawn at random, or the first of the search"
    )
    predictors: tuple[str, ...] = Field((), description="Which predictors; empty: all")
    objective: str = Field("accuracy", description="What is learned")
    folds: int = Field(5, ge=2, le=20, description="Parts that are guessed from the others in turn")
    beside: bool = Field(True, description="Predictors are told MACs and parameters, as in a search")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the sample, the folds and the predictors")

    @field_validator("predictors")
    @classmethod
    def _exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(PREDICTORS.info(name).name for name in dict.fromkeys(names))

    @field_validator("objective")
    @classmethod
    def _may_be_chosen_by(cls, name: str) -> str:
        require_choosable(name)
        if objective(name).how is Source.COUNTED:
            raise InvalidInput(f"{objective(name).label} is counted exactly; there is nothing to predict.")
        return name


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Judge one predictor after the other; the artifact is `judged.json`.

    Raises:
        NotFound, InvalidInput: the supernet, the search or a predictor does not exist, or has measured too little.
        DataUnavailable: subnets must be measured, and their data are neither here nor reachable.
    """
    entry = library.supernet(request.supernet)
    names = request.predictors or tuple(PREDICTORS.names())
    yield Progress(0.0, "Looking up what was measured.")
    record = JudgedRecord.so_far(ledger) or _begun(request, entry, len(names), library)
    rows, values = entry.space.from_ids(list(record.arch_ids)), np.array(record.values)
    beside = (
        np.stack([counted(entry, rows, n).astype(float) for n in record.beside], 1) if record.beside else None
    )
    for index, name in enumerate(names[len(record.predictors) :], len(record.predictors)):
        label = PREDICTORS.info(name).label
        yield Progress(index / len(names), f"{label}: {request.folds} fits.")
        begun = time.process_time()
        try:
            found = judge(
                name,
                space=entry.space,
                objective=objective(record.objective),
                rows=rows,
                values=values,
                beside=beside,
                folds=request.folds,
                seed=request.seed,
            )
        except CoreError as error:
            judged = JudgedPredictor(name=name, label=label, refused=str(error))
        else:
            judged = JudgedPredictor(
                name=name,
                label=label,
                guesses=tuple(found.guesses.tolist()),
                deviations=() if found.deviations is None else tuple(found.deviations.tolist()),
                seconds=round(time.process_time() - begun, 3),
            )
        record = record.model_copy(update={"predictors": (*record.predictors, judged)})
        record.save(ledger)
    yield Progress(1.0, f"{len(names)} predictors judged on {len(values)} architectures.")


def _begun(request: Request, entry: SupernetEntry, asked: int, library: Library) -> JudgedRecord:
    """The rows, and no predictor yet."""
    measured = _of_search(request, entry, library) if request.run else _sample(request, entry)
    known = [m for m in measured if np.isfinite(m.values.get(request.objective, np.nan))]
    if len(known) < 4 * request.folds:
        raise InvalidInput(
            f"{len(known)} architectures have a value of {objective(request.objective).label}: too few for "
            f"{request.folds} folds of at least four."
        )
    rows = np.array([m.arch for m in known], np.uint8)
    return JudgedRecord(
        supernet=entry.supernet_id,
        sha256=entry.sha256,
        run=request.run,
        objective=request.objective,
        source=str(known[0].how(request.objective)),
        beside=BESIDE if request.beside else (),
        arch_ids=tuple(entry.space.arch_ids(rows)),
        values=tuple(m.values[request.objective] for m in known),
        folds=tuple(folds_of(len(known), request.folds, request.seed).tolist()),
        seed=request.seed,
        asked=asked,
    )


def _of_search(request: Request, entry: SupernetEntry, library: Library) -> list[Measurement]:
    store = library.require_store()
    search = store.get_run(request.run)
    if search.kind not in MEASURING or search.params.get("supernet") != entry.supernet_id:
        raise InvalidInput("This run is no search of this supernet; choose one that is.")
    first: dict[tuple[int, ...], Measurement] = {}
    for _, measurement in store.ledger(request.run).measurements():
        if measurement.how(request.objective).source.may_stand:
            first.setdefault(measurement.arch, measurement)
    return list(first.values())[: request.rows]


def _sample(request: Request, entry: SupernetEntry) -> list[Measurement]:
    names = [request.objective]
    problem = Problem(entry.space, (objective(request.objective),))
    archs = ALGORITHMS.create("random_search", problem=problem, seed=request.seed).ask(request.rows)
    measure = from_table(entry, names) or by_forward_pass(entry, None, names)
    found = {m.arch: m for m in measure(archs)}
    return [found[arch] for arch in archs]
