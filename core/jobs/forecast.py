"""What a trial of work found, and how long the whole will take: said before anything is started. No torch.

A trial is a second of the real work on this machine (core.jobs.trying). From the times of its parts follows the
forecast for any number of epochs, so that changing that number asks for no new trial.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from core.config import JsonObject
from core.training.budget import Allowance, Priced, allowances
from core.training.draws import Phase
from core.training.film import Offer, chosen
from core.training.strategies.base import epochs_of

TRAINING, TABLE = "train_supernet", "evaluate_table"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PhaseTime(_Record):
    """One phase of a training, as tried."""

    name: str
    share: float = Field(description="Of all epochs, as the strategy says.")
    step: float = Field(description="Seconds per step.")
    once: float = Field(0.0, description="Seconds of what the phase begins with.")
    passes: float = Field(description="Forward passes with a gradient per step.")
    begins: float = Field(
        0.0, description="Of what the phase begins with, counted in those of one subnet over one epoch."
    )
    work: float = Field(
        0.0, description="Counted work of an epoch, which decides how long its film may take."
    )


class FrameTime(_Record):
    """What one frame of a training's film may show, as tried; see `core.training.film`."""

    subnets: int
    exact: bool
    work: float = Field(description="Counted work.")
    seconds: float = Field(description="On this machine.")


class Trial(_Record):
    """What a trial found; seconds of computing on this machine, which it takes where nothing else is to be done."""

    kind: Literal["training", "other"]
    start: float = Field(description="Until a worker's libraries are there.")
    prepare: float = Field(description="Reading data and building networks.")
    work: float = Field(0.0, description="The work itself, for kinds without epochs.")
    phases: tuple[PhaseTime, ...] = ()
    steps: int = Field(0, description="Of an epoch.")
    after: float = Field(0.0, description="Measuring and saving after an epoch.")
    frames: tuple[FrameTime, ...] = Field((), description="What its film could show, the better first.")
    space: int = Field(0, description="Subnets of the space.")
    measuring: float | None = Field(
        None, description="Measuring the whole space; None where it is too large."
    )
    tried: str = Field(description='What was tried: "24 steps and 128 subnets".')


class Part(_Record):
    """One part of a forecast."""

    what: str
    seconds: float


class Forecast(_Record):
    """How long work will take.

    Attributes:
        parts: what is started by the button.
        later: what is usually done afterwards; not counted.
        tried: how it was found.
    """

    parts: tuple[Part, ...]
    later: tuple[Part, ...] = ()
    tried: str = ""

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)


def of_training(trial: Trial, epochs: int) -> Forecast:
    """The forecast for a training of so many epochs.

    Raises:
        InvalidInput: there are fewer epochs than phases.
    """
    lengths = epochs_of([Phase(each.name, each.share) for each in trial.phases], epochs)
    steps = sum(
        each.once + n * trial.steps * each.step for each, n in zip(trial.phases, lengths, strict=True)
    )
    parts = (
        Part(what="starting", seconds=trial.start + trial.prepare),
        Part(what="training", seconds=steps),
        Part(what="measuring after each epoch", seconds=epochs * trial.after + _film(trial, lengths)),
    )
    later: tuple[Part, ...] = ()
    if trial.measuring is not None:
        what = f"measuring all {trial.space:,} subnets"
        later = (Part(what=what, seconds=trial.start + trial.prepare + trial.measuring),)
    return Forecast(parts=parts, later=later, tried=trial.tried)


def _film(trial: Trial, lengths: Sequence[int]) -> float:
    """Seconds that the frames of the film of a training take."""
    total = sum(n * each.work for each, n in zip(trial.phases, lengths, strict=True))
    offers = {Offer(each.subnets, each.exact, each.work): each.seconds for each in trial.frames}
    offer, epochs = chosen(offers, total, sum(lengths))
    return len(epochs) * offers[offer] if offer is not None else 0.0


_WATCHED = 1.5
"""Measuring after an epoch, in a training that is watched for a comparison, by what it is in one that is not."""
_APART = 2.0
"""Measuring a subnet among few that are spread, by what it is among all of the space, which share more."""


def epochs_of_methods(trials: Sequence[Trial], epochs: int, budget: str) -> tuple[Allowance, ...]:
    """What each method of a comparison may use, as `compare_trainings` will find it.

    Raises:
        InvalidInput: there are fewer epochs than a method has phases.
    """
    prices = [[Priced(Phase(p.name, p.share), p.passes, p.begins) for p in trial.phases] for trial in trials]
    return allowances(prices, epochs, budget)


def of_comparison(trials: Sequence[Trial], epochs: int, *, budget: str, seeds: int, subnets: int) -> Forecast:
    """The forecast for a comparison of trainings.

    Args:
        trials: of a training of each method.
        epochs: of the first.
        budget: "steps" or "passes".
        seeds: of each method.
        subnets: measured of every supernet.

    Raises:
        InvalidInput: there are fewer epochs than a method has phases.
    """
    training = after = measuring = prepare = 0.0
    for trial, allowed in zip(trials, epochs_of_methods(trials, epochs, budget), strict=True):
        whole = of_training(trial, allowed.epochs)
        training += whole.parts[1].seconds
        after += _WATCHED * allowed.epochs * trial.after  # no film is made
        prepare += trial.prepare
        if trial.measuring is not None and trial.space:
            measuring += min(1.0, _APART * subnets / trial.space) * trial.measuring
    parts = (
        Part(what="starting", seconds=trials[0].start + seeds * prepare),
        Part(what="training", seconds=seeds * training),
        Part(what="measuring after each epoch", seconds=seeds * after),
        Part(what="measuring subnets at the end", seconds=seeds * measuring),
    )
    return Forecast(parts=parts, tried=" and ".join(dict.fromkeys(trial.tried for trial in trials)))


def of_work(trial: Trial, times: int = 1) -> Forecast:
    """The forecast for work that is done so many times, each in a worker of its own."""
    parts = (
        Part(what="starting", seconds=times * (trial.start + trial.prepare)),
        Part(what="work", seconds=times * trial.work),
    )
    return Forecast(parts=parts, tried=trial.tried)


def of_race(trials: Sequence[Trial], seeds: int) -> Forecast:
    """The forecast for work of several settings, each with so many seeds, one after another."""
    each = [of_work(trial, seeds) for trial in trials]
    names = [part.what for part in each[0].parts] if each else []
    parts = tuple(
        Part(what=name, seconds=sum(found.parts[index].seconds for found in each))
        for index, name in enumerate(names)
    )
    return Forecast(parts=parts, tried=" and ".join(dict.fromkeys(trial.tried for trial in trials)))


def trial_params(kind: str, params: JsonObject) -> JsonObject:
    """What of a request decides how long it takes, so that a trial serves every request that is equal in it."""
    left_out = {"title", "seed", "command"}
    kept = {name: value for name, value in params.items() if name not in left_out}
    if kind == TRAINING:
        schedule = {
            "epochs",
            "seed",
            "learning_rate",
            "final_share",
            "warmup_epochs",
            "weight_decay",
            "momentum",
        }
        training = cast(Mapping[str, JsonValue], params["training"])
        kept["training"] = {n: v for n, v in training.items() if n not in schedule}
    return kept


def busy() -> float:
    """How many times longer work takes now than where the machine has nothing else to do; at least 1."""
    if not hasattr(os, "getloadavg"):
        return 1.0
    return max(1.0, (os.getloadavg()[0] + 1) / (os.cpu_count() or 1))
