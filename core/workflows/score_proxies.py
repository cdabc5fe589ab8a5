"""Zero-cost proxies of a sample of subnets, held against what was measured of them; kept every few subnets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.library import supernets
from core.library.measuring import by_forward_pass, from_table
from core.library.proxies import ProxiesRecord, ScoredSubnet
from core.library.results import Described
from core.library.supernets import SupernetEntry
from core.objectives.base import objective, require_choosable
from core.predictors.judging import FOLDS, judge
from core.proxies.base import PROXIES, LayerProxy, Proxy
from core.records import Measurement, Progress
from core.search import ALGORITHMS, Problem
from core.seeding import stream
from core.spaces import Arch

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.library.library import Library
    from core.supernets.base import Supernet
    from core.tasks.base import Batch

LABEL = "Zero-cost proxies"
WEIGHT_CLASS = "measuring"
LEARNED = "parzc"
"""The predictor that learns how to weigh the layers of a proxy."""
LEARNING: Settings = {"encoding": False}
"""Only from the layers: what it knows of an architecture is what the proxy says."""
_EVERY = 5
_SCORING = 0.9


class Request(BaseConfig):
    """Which subnets to score, and how."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    subnets: int = Field(50, ge=8, le=2000, description="Subnets to score, drawn at random")
    proxies: tuple[str, ...] = Field((), description="Which proxies, besides the baselines; empty: all")
    weights: Literal["fresh", "supernet"] = Field(
        "fresh", description="Score untrained networks, as the papers do, or with the supernet's weights"
    )
    samples: int = Field(64, ge=4, le=512, description="Training samples in the batch")
    objective: str = Field("accuracy", description="What the proxies are held against")
    by_layer: str = Field("snip", description="The proxy whose layers a small network learns to weigh")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the sample, the batch and the fresh weights")

    @field_validator("proxies")
    @classmethod
    def _exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(PROXIES.info(name).name for name in names)

    @field_validator("by_layer")
    @classmethod
    def _has_layers(cls, name: str) -> str:
        if not issubclass(PROXIES.get(name), LayerProxy):
            raise InvalidInput(f"{PROXIES.info(name).label} is no sum over layers; choose another one.")
        return name

    @field_validator("objective")
    @classmethod
    def _may_be_chosen_by(cls, name: str) -> str:
        require_choosable(name)
        return name


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Score, or go on scoring; the artifact is `proxies.json`.

    Raises:
        NotFound, InvalidInput: the supernet, a proxy or the objective does not exist, or the space is too small.
        DataUnavailable: the data set is neither here nor reachable.
    """
    entry = library.supernet(request.supernet)
    yield Progress(0.0, f"Reading the data of {entry.title}.")
    archs = drawn(entry, request)
    dataset = supernets.dataset(entry)
    record = ProxiesRecord.so_far(ledger)
    if record is None:
        yield Progress(0.0, f"Measuring {len(archs)} subnets.")
        record = _begun(request, entry, dataset, archs)
    scorer = _Scorer(request, supernets.load(entry), dataset)
    rows = list(record.rows)
    done = next((i for i, row in enumerate(rows) if not row.scores), len(rows))
    for index in range(done, len(rows)):
        scores, layers = scorer.score(archs[index])
        rows[index] = rows[index].model_copy(update={"scores": scores, "layers": layers})
        if (index + 1) % _EVERY == 0 or index + 1 == len(rows):
            record = record.model_copy(update={"rows": tuple(rows), "refused": dict(scorer.refused)})
            record.save(ledger)
        said = f"{index + 1} of {len(rows)} subnets scored by {len(scorer.proxies)} proxies."
        yield Progress(_SCORING * (index + 1) / len(rows), said)
    if not record.learned:
        label = "a small network learns from their layers"
        yield Progress(_SCORING, f"All subnets are scored; {label}.")
        record = _with_guesses(request, entry, record)
        record.save(ledger)
    yield Progress(1.0, f"{len(rows)} subnets scored by {len(rows[0].scores)} proxies.")


def drawn(entry: SupernetEntry, request: Request) -> list[Arch]:
    """The subnets of a request, all different.

    Raises:
        InvalidInput: the space has fewer than eight.
    """
    problem = Problem(entry.space, (objective(request.objective),))
    found = ALGORITHMS.create("random_search", problem=problem, seed=request.seed).ask(request.subnets)
    if len(found) < 8:
        raise InvalidInput(f"{entry.title} has {len(found)} subnets: too few for a rank correlation.")
    return found


def _begun(request: Request, entry: SupernetEntry, dataset: Dataset, archs: Sequence[Arch]) -> ProxiesRecord:
    """The record with what was measured of the subnets, and no score yet."""
    names = [request.objective]
    measure = from_table(entry, names) or by_forward_pass(entry, None, names)
    found: dict[Arch, Measurement] = {m.arch: m for m in measure(archs)}
    measured = [found[arch] for arch in archs]
    return ProxiesRecord(
        supernet=entry.supernet_id,
        sha256=entry.sha256,
        data=Described(title=dataset.title, fingerprint=dataset.fingerprint),
        objective=request.objective,
        source=str(measured[0].how(request.objective)),
        weights=request.weights,
        samples=min(request.samples, len(dataset.train)),
        seed=request.seed,
        asked=request.subnets,
        rows=tuple(
            ScoredSubnet(arch_id=entry.space.arch_id(m.arch), measured=m.values[request.objective], scores={})
            for m in measured
        ),
        by_layer=request.by_layer,
    )


class _Scorer:
    """Every asked proxy and the baselines, on one batch; a proxy that does not apply is refused once."""

    def __init__(self, request: Request, supernet: Supernet, dataset: Dataset) -> None:
        self.request, self.supernet, self.dataset = request, supernet, dataset
        every = {name: PROXIES.create(name) for name in PROXIES.names()}
        self.proxies: dict[str, Proxy] = {
            name: proxy
            for name, proxy in every.items()
            if proxy.baseline or not request.proxies or name in request.proxies
        }
        self.refused: dict[str, str] = {}
        self.batch = self._batch()

    def _batch(self) -> Batch:
        from core.tasks.base import task_of

        task, train = task_of(self.dataset), self.dataset.train
        if task.whole:
            return task.batch(self.dataset, train)
        rows = stream(self.request.seed, "proxies", "batch").permutation(len(train))[: self.request.samples]
        return task.batch(self.dataset, train.rows(np.sort(rows)))

    def score(self, arch: Arch) -> tuple[dict[str, float | None], tuple[float, ...]]:
        """Scores by proxy, and what the layers of one proxy contribute."""
        from core.networks.chain import fresh_like

        supernet, request = self.supernet, self.request
        if request.weights == "fresh":
            # Statistics of a few samples will do: fresh networks forget them.
            statistics = supernet.calibrate(arch, self.batch.inputs, len(self.batch))
            net = fresh_like(supernet.extract(arch, statistics), request.seed)
        else:
            net = supernet.extract(arch, supernet.calibrate_on(arch, self.dataset))
        scores: dict[str, float | None] = {}
        for name, proxy in self.proxies.items():
            if name in self.refused:
                continue
            try:
                found = proxy.score(net, self.batch, request.seed)
            except InvalidInput as error:
                self.refused[name] = str(error)
            else:
                scores[name] = found if np.isfinite(found) else None
        by_layer = PROXIES.create(request.by_layer)
        assert isinstance(by_layer, LayerProxy)
        try:
            layers = tuple(by_layer.layers(net, self.batch, request.seed).values())
        except InvalidInput:
            layers = ()
        return scores, layers


def _with_guesses(request: Request, entry: SupernetEntry, record: ProxiesRecord) -> ProxiesRecord:
    """What a predictor learns from the layers of other subnets, fold by fold."""
    layers = padded([row.layers for row in record.rows])
    said: Mapping[str, object]
    if not layers.shape[1]:
        said = {"no_guess": f"{PROXIES.info(record.by_layer).label} is not defined for these networks."}
    else:
        found = judge(
            LEARNED,
            space=entry.space,
            objective=objective(record.objective),
            rows=entry.space.from_ids([row.arch_id for row in record.rows]),
            values=np.array([row.measured for row in record.rows]),
            beside=layers,
            settings=LEARNING,
            seed=request.seed,
        )
        said = {"guesses": tuple(found.guesses.tolist()), "folds": FOLDS}
    return record.model_copy(update={"learned": LEARNED, **said})


def padded(layers: Sequence[Sequence[float]]) -> np.ndarray:
    """(n, most layers) values by layer on a logarithmic scale, zeros where a network has no such layer."""
    found = np.zeros((len(layers), max((len(row) for row in layers), default=0)))
    for index, row in enumerate(layers):
        found[index, : len(row)] = row
    return np.sign(found) * np.log1p(1e6 * np.abs(found))
