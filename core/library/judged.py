"""Predictors on measured architectures, as a run of `judge_predictors` keeps them."""

from __future__ import annotations

from typing import ClassVar

from core.library.results import Part, Record

KIND = "judge_predictors"


class JudgedPredictor(Part):
    """One predictor.

    Attributes:
        name, label: of the predictor.
        guesses: for each row, by a fit that had not seen its fold.
        deviations: of a new measurement around each guess; empty where the predictor gives none.
        seconds: of processor time, for all fits and guesses.
        refused: why there is nothing, "" if there is.
    """

    name: str
    label: str
    guesses: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    seconds: float = 0.0
    refused: str = ""


class JudgedRecord(Record):
    """What a run keeps, written anew after every predictor.

    Attributes:
        supernet, sha256: id and file hash.
        run: the search whose measurements were taken; "" for a sample of the supernet's complete table.
        objective: what was learned, and `source`: how its values were obtained.
        beside: counted objectives that were known beforehand.
        arch_ids, values: the rows, and what was measured of them.
        folds: (n,) which fold each row was in.
        seed: of the sample, the folds and the predictors.
        predictors: those judged so far.
        asked: predictors the run was asked for.
    """

    FILE: ClassVar[str] = "judged.json"
    supernet: str
    sha256: str
    run: str
    objective: str
    source: str
    beside: tuple[str, ...]
    arch_ids: tuple[str, ...]
    values: tuple[float, ...]
    folds: tuple[int, ...]
    seed: int
    asked: int
    predictors: tuple[JudgedPredictor, ...] = ()
