"""A similarity matrix of many networks: which ones, where they are compared, and how it is measured and kept.

Every network runs once. The activations of all places asked for are held until the end, at most `MOST_BYTES` of them
(a larger matrix is refused with a sentence before anything runs); beside them stands what the measure prepares of one
place, at most 8 MB per network for measures of all pairs of 1,000 samples: together below 1.2 GB for 40 networks.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.errors import CoreError, InvalidInput
from core.library.activations import ProbeChoice, all_activations, layers, logits, probe_of
from core.library.network_id import NetworkId
from core.library.networks import Model, ModelInfo, load_model
from core.library.results import Part, Record
from core.similarity.base import MEASURES
from core.similarity.many import PairMatrix, all_pairs

if TYPE_CHECKING:
    from core.datasets.probe import Probe
    from core.networks.capture import LayerInfo
    from core.store import RunStore

KIND = "compare_many"
MOST_NETWORKS = 40
"""More rows are not read, and their names no longer fit."""
MOST_BYTES = 800_000_000
_CAPTURE_SHARE = 0.7


class MatrixChoice(BaseConfig):
    """Which networks are compared, at which place, and how."""

    networks: tuple[str, ...] = Field(
        min_length=2, max_length=MOST_NETWORKS, description="Ids of the networks, in the order chosen."
    )
    place: str = Field(
        "depth",
        pattern="^(depth|name|all)$",
        description="One stage by depth, one by its name, or all of them.",
    )
    depth: float = Field(
        1.0, ge=0, le=1, description="Which stage by depth: 0 the first, 1 the last before the answer."
    )
    name: str = Field("", max_length=80, description="Which stage by name.")
    measure: str = Field("cka", description="Registry name of a measure.")
    config: Settings = Field(default_factory=dict, description="The measure's settings.")
    pooling: str = Field(
        "pooled", pattern="^(pooled|flattened|positions)$", description="How maps become units."
    )
    probe: ProbeChoice = Field(default_factory=ProbeChoice, description="Samples compared on.")

    @field_validator("networks")
    @classmethod
    def _each_once(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        for each in ids:
            NetworkId.parse(each)
        if len(set(ids)) != len(ids):
            raise InvalidInput("Each network stands in a matrix once.")
        return ids


@dataclass(frozen=True, eq=False)
class Matrix:
    """The answer.

    Attributes:
        model_ids, titles, shorts: of the networks compared, in the order chosen.
        places: labels of the stages compared, per network; several where a mean over stages was asked for.
        values: (n, n), row A against column B; NaN where there is no value.
        reasons: (row, column) -> why there is none.
        left_out: id -> why it is no row.
        samples: how many, and which, for people.
    """

    model_ids: tuple[str, ...]
    titles: tuple[str, ...]
    shorts: tuple[str, ...]
    places: tuple[tuple[str, ...], ...]
    values: NDArray[np.float64]
    reasons: dict[tuple[int, int], str]
    left_out: dict[str, str]
    samples: str


class Reason(Part):
    """Why one pair has no value."""

    row: int
    column: int
    why: str


class MatrixRecord(Record):
    """What a run of `compare_many` keeps; fields as of `Matrix`, None for a missing value."""

    FILE: ClassVar[str] = "matrix.json"
    model_ids: tuple[str, ...]
    titles: tuple[str, ...]
    shorts: tuple[str, ...]
    places: tuple[tuple[str, ...], ...]
    values: tuple[tuple[float | None, ...], ...]
    reasons: tuple[Reason, ...] = ()
    left_out: dict[str, str]
    samples: str

    @classmethod
    def of(cls, found: Matrix) -> MatrixRecord:
        """From arrays."""
        return cls(
            model_ids=found.model_ids,
            titles=found.titles,
            shorts=found.shorts,
            places=found.places,
            values=tuple(
                tuple(v if math.isfinite(v) else None for v in row) for row in found.values.tolist()
            ),
            reasons=tuple(Reason(row=i, column=j, why=why) for (i, j), why in found.reasons.items()),
            left_out=found.left_out,
            samples=found.samples,
        )

    @property
    def matrix(self) -> Matrix:
        """As arrays."""
        values = [[math.nan if v is None else v for v in row] for row in self.values]
        return Matrix(
            model_ids=self.model_ids,
            titles=self.titles,
            shorts=self.shorts,
            places=self.places,
            values=np.array(values, dtype=np.float64).reshape(len(values), -1),
            reasons={(r.row, r.column): r.why for r in self.reasons},
            left_out=self.left_out,
            samples=self.samples,
        )


def measure_matrix(store: RunStore | None, choice: MatrixChoice) -> Iterator[float | Matrix]:
    """Load, run and compare the networks; yields the share done, at last the matrix.

    A network that cannot be loaded, or was trained on other data than the first one, is left out with its reason.

    Raises:
        NotFound, InvalidInput: the measure or a setting does not exist; fewer than two networks can be compared;
            their activations would not fit into memory.
        DataUnavailable: the data are not here.
    """
    measure = MEASURES.create(choice.measure, dict(choice.config))
    models, probe, left_out = yield from _loaded(store, choice)
    if len(models) < 2 or probe is None:
        reason = f" {next(iter(left_out.values()))}" if left_out else ""
        raise InvalidInput(f"A matrix needs at least two networks that can be compared; choose more.{reason}")
    of_outputs = measure.of == "outputs"
    chosen = [[] if of_outputs else _places(layers(model), choice) for model in models]
    count = min(len(stages) for stages in chosen) if choice.place == "all" and not of_outputs else 1
    wanted = _aligned(chosen, count)
    _require_room(wanted, len(probe), choice.pooling)
    held: list[list[NDArray[np.float32]]] = []
    for k, model in enumerate(models):
        held.append(
            [logits(model, probe)] if of_outputs else _captured(model, probe, wanted[k], choice.pooling)
        )
        yield _CAPTURE_SHARE * (len(models) + k + 1) / (2 * len(models))

    def features(network: int, place: int) -> NDArray[np.float32] | None:
        return held[network][place] if held[network] else None

    for step in all_pairs(features, len(models), count, measure):
        if isinstance(step, PairMatrix):
            yield Matrix(
                model_ids=tuple(m.info.model_id for m in models),
                titles=tuple(m.info.title for m in models),
                shorts=tuple(_short(m.info) for m in models),
                places=tuple(tuple(p.label for p in each) for each in wanted),
                values=step.values,
                reasons=dict(step.reasons),
                left_out=left_out,
                samples=f"{len(probe):,} {probe.split} samples of {probe.title}",
            )
        else:
            yield _CAPTURE_SHARE + (1 - _CAPTURE_SHARE) * step


def _loaded(
    store: RunStore | None, choice: MatrixChoice
) -> Generator[float, None, tuple[list[Model], Probe | None, dict[str, str]]]:
    """The networks that can be compared, their probe, and why the others cannot; yields the share done."""
    models: list[Model] = []
    left_out: dict[str, str] = {}
    probe: Probe | None = None
    for index, network_id in enumerate(choice.networks):
        try:
            model = load_model(store, network_id)
            own = probe_of(model, choice.probe)
            if probe is not None and own.fingerprint != probe.fingerprint:
                raise InvalidInput(
                    f"{model.info.title} was trained on other data ({own.title}) than the first one ({probe.title})."
                )
            probe = probe or own
            models.append(model)
        except CoreError as error:
            left_out[network_id] = str(error)
        yield _CAPTURE_SHARE * (index + 1) / (2 * len(choice.networks))
    return models, probe, left_out


def _short(info: ModelInfo) -> str:
    """What tells a network from others of other architectures and seeds."""
    if info.origin in ("alone", "tuned"):
        return f"{info.arch_id} {info.short}"
    return f"{info.short}, seed {info.seed}" if info.origin == "pruned" else info.short


def _captured(
    model: Model, probe: Probe, stages: Sequence[LayerInfo], pooling: str
) -> list[NDArray[np.float32]]:
    found = all_activations(model, probe, [stage.layer_id for stage in stages], pooling)
    return [found[stage.layer_id] for stage in stages]


def _places(stages: Sequence[LayerInfo], choice: MatrixChoice) -> list[LayerInfo]:
    """The stages of one network that a choice means; the last stage is the answer."""
    if choice.place == "all":
        return list(stages)
    if choice.place == "name":
        return [stage for stage in stages if stage.label == choice.name][:1]
    return [stages[round(choice.depth * max(len(stages) - 2, 0))]]


def _aligned(chosen: Sequence[Sequence[LayerInfo]], count: int) -> list[list[LayerInfo]]:
    """Equally many places of every network: the k-th of each lies at the same share of its depth."""
    shares = [k / max(count - 1, 1) for k in range(count)]
    return [[stages[round(s * (len(stages) - 1))] for s in shares] if stages else [] for stages in chosen]


def _require_room(wanted: Sequence[Sequence[LayerInfo]], n: int, pooling: str) -> None:
    sizes = [
        stage.units if pooling == "pooled" else math.prod(stage.shape)
        for stages in wanted
        for stage in stages
    ]
    needed = 4 * n * sum(sizes)
    if needed > MOST_BYTES:
        raise InvalidInput(
            f"The activations of these networks would take {needed / 1e9:.1f} GB; at most {MOST_BYTES / 1e9:.1f} GB are "
            "held. Choose pooled features, one stage, fewer samples or fewer networks."
        )
