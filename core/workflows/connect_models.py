"""Mix the weights of two models: loss along the line between them, before and after matching their units.

A job of seconds: the curve for every kind of matching, the same stage by stage, and, with a third model, the
plane through all three. Each finished part is checkpointed; a resumed run goes on with the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from core.config import BaseConfig
from core.library.activations import ProbeChoice, common_probe
from core.library.mixing import MixingRecord
from core.records import Progress
from core.words import format_share

if TYPE_CHECKING:
    from torch import nn

    from core.geometry.connectivity import Judge
    from core.ledger import Ledger
    from core.library.library import Library
    from core.library.networks import Model

LABEL = "Mixing"
WEIGHT_CLASS = "light"
Matching = Literal["none", "weights", "activations"]
MATCHINGS: dict[str, str] = {
    "none": "as they are",
    "weights": "units matched by weights",
    "activations": "units matched by activations",
}
"""Matching -> what a person reads."""
_STAGE_POINTS = 5


class Request(BaseConfig):
    """Which networks to mix, and how."""

    a: str = Field(description="Network at the start of the line.")
    b: str = Field(description="Network at its end.")
    c: str | None = Field(None, description="Third network, for the plane through all three.")
    points: int = Field(21, ge=5, le=101, description="Points on the line, both ends included.")
    matchings: tuple[Matching, ...] = Field(
        ("none", "weights", "activations"), min_length=1, description="How B's units are ordered first."
    )
    side: int = Field(15, ge=5, le=41, description="Points along each side of the plane.")
    probe: ProbeChoice = Field(default_factory=ProbeChoice, description="Images to judge on.")
    seed: int = Field(0, ge=0, description="Order in which weight matching visits the units.")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Measure curves, stage curves and the plane; the artifact is `connectivity.json`.

    Raises:
        NotFound, InvalidInput: a model does not exist, or the networks have different shapes.
        DataUnavailable: the data are not here.
    """
    from core.geometry.alignment import require_same_shape

    yield Progress(0.0, "Loading the networks.")
    models = [library.network(m) for m in (request.a, request.b, request.c) if m is not None]
    for other in models[1:]:
        require_same_shape(models[0].net, other.net)
    kept = ledger.latest_checkpoint()
    done: dict[str, Any] = json.loads(kept) if kept else {"curves": {}, "stages": {}}
    parts = _parts(request)
    judge = _judge(models, request)
    for index, part in enumerate(parts):
        kind, _, name = part.partition(":")
        if (name in done.get(kind, {})) if name else kind in done:
            continue
        result: Any = None
        for fraction, message, so_far in _measure(kind, name, models, request, judge):
            result = so_far
            yield Progress((index + fraction) / len(parts), message)
        if name:
            done[kind][name] = result
        else:
            done[kind] = result
        ledger.checkpoint(json.dumps(done).encode(), fraction=(index + 1) / len(parts))
    record = MixingRecord(
        **done,
        models=tuple(m.info.title for m in models),
        labels=models[0].labels,
        n=len(judge.labels),
        split=request.probe.split,
    )
    record.save(ledger)
    yield Progress(1.0, _sentence(record))


def _parts(request: Request) -> list[str]:
    found = [f"curves:{m}" for m in request.matchings] + [f"stages:{m}" for m in request.matchings]
    return found + (["plane"] if request.c is not None else [])


def _judge(models: list[Model], request: Request) -> Judge:
    from core.geometry.connectivity import Judge

    probe = common_probe(models[0], models[-1], request.probe)
    return Judge.of(probe.x, probe.y, models[0].dataset.calibration.x)


_Step = tuple[float, str, Any]


def _measure(kind: str, name: str, models: list[Model], request: Request, judge: Judge) -> Iterator[_Step]:
    from core.geometry.connectivity import curve, plane, stage_parameters

    a, b = models[0].net, models[1].net
    if kind == "plane":
        for rows, found in plane(a, b, models[2].net, judge, side=request.side):
            yield rows / request.side, f"Plane: row {rows} of {request.side}.", found.to_json()
        return
    b = matched(a, b, name, judge, request.seed)
    if kind == "curves":
        for found_curve in curve(a, b, judge, points=request.points):
            share = len(found_curve.t) / request.points
            yield share, f"Line, {MATCHINGS[name]}: {format_share(share)}.", found_curve.to_json()
        return
    stages: dict[str, Any] = {}
    for index in range(len(a)):
        for part in curve(a, b, judge, points=_STAGE_POINTS, only=stage_parameters(index)):
            stages[str(index)] = part.barrier
        yield (index + 1) / len(a), f"Stage {index + 1} of {len(a)}, {MATCHINGS[name]}.", stages


def matched(a: nn.Sequential, b: nn.Sequential, matching: str, judge: Judge, seed: int) -> nn.Sequential:
    """B with its units in the order that a matching asks for; a new network, or B itself for "none"."""
    from core.geometry.alignment import match_activations, match_weights
    from core.networks.units import permute

    if matching == "none":
        return b
    if matching == "weights":
        return permute(b, match_weights(a, b, seed=seed))
    return permute(b, match_activations(a, b, judge.calibration.numpy()))


def _sentence(record: MixingRecord) -> str:
    barriers = [f"{MATCHINGS[name]} {curve.barrier:.3f}" for name, curve in record.curves.items()]
    return f"Barrier of the loss, in nats: {', '.join(barriers)}."
