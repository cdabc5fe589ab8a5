"""Latency of every subnet of a supernet on this machine: some timed, the others predicted, the front all timed.

First a planned sample of whole subnets is timed and a model fitted to it. Then whatever could be on the front of
latency and accuracy, given how far predictions of unseen subnets are off, is timed as well, until no subnet that was
not timed could be there (with a stated confidence); those near the front are timed once more against each other. In
every batch a few anchors are timed along: they put all batches on one scale and show whether the machine moved.

A batch is kept as soon as it is done, so a run that was cut repeats one batch at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from core.config import BaseConfig
from core.device import chosen_device
from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.evaluation.latency.campaign import Campaign, Limits, MakeRace, Settled, State
from core.evaluation.latency.device import this_device
from core.evaluation.latency.plan import anchors_of, default_size, plan_sample
from core.evaluation.latency.profile import FILE, Anchors, Device, LatencyProfile, Protocol, Timings, now
from core.library import supernets
from core.library.latency import LatencyRecord, identity_of, quality_in
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.objectives.timing import RUNS, Race
from core.records import Progress
from core.spaces import Arch
from core.words import count_of, format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Latency"
WEIGHT_CLASS = "measuring"


class Request(BaseConfig):
    """Whose subnets to time, and how."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    name: str = Field("", max_length=60, description="What the machine is called; its processor if left out")
    threads: int = Field(1, ge=1, le=256, description="Threads that one answer may use")
    batch: int = Field(1, ge=1, le=1024, description="Samples of one answer")
    on_device: bool = Field(
        False, description="By torch on the device that is set, not by onnxruntime on the processor"
    )
    subnets: int | None = Field(
        None,
        ge=16,
        le=20_000,
        description="Subnets of the sample; as many as the predictor needs if left out",
    )
    most: int = Field(2000, ge=16, le=100_000, description="Subnets timed at most, the sample among them")
    confidence: float = Field(
        0.95, ge=0.5, le=0.999, description="That no subnet which was not timed is on the front"
    )
    agreement: float = Field(
        0.99, ge=0.5, le=1.0, description="Rank correlation of two halves of the rounds that is enough"
    )
    seconds: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="Seconds of timing the sample at most; a quarter of it per later batch",
    )
    seed: int = Field(0, ge=0, description="Of the sample and of the visiting order")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Time, predict, settle the front; the artifacts are `profile.json` and `latency.json`.

    Raises:
        NotFound: the supernet does not exist.
        InvalidInput: the machine or the supernet is another one than when the run was cut.
        CoreError: ONNX cannot express the supernet.
    """
    entry = library.supernet(request.supernet)
    device = _timing(request)
    yield Progress(0.0, f"Preparing {entry.title}.")
    campaign = prepared(request, entry, device, ledger)
    began = campaign.clock()
    settled = yield from campaign.run()
    record = _record(campaign, entry, settled, campaign.clock() - began)
    ledger.save_artifact(FILE, record.profile.encode(), "application/json")
    record.save(ledger)
    yield Progress(1.0, _summary(record, entry), {"timed": len(record.profile.timings.ms)})


def _timing(request: Request) -> Device:
    """What will time, as the profile describes it."""
    if not request.on_device:
        return this_device(name=request.name, threads=request.threads, batch=request.batch)
    from core.evaluation.latency.on_device import described

    found = described(chosen_device(), name=request.name, batch=request.batch)
    return found.model_copy(update={"threads": request.threads})


def prepared(request: Request, entry: SupernetEntry, device: Device, ledger: Ledger) -> Campaign:
    """What a run will do, with what it knows already. Loads torch."""
    if request.on_device:
        file, race = racing_on_device(entry, batch=request.batch, seed=request.seed)
    else:
        file, race = racing(entry, threads=request.threads, batch=request.batch, seed=request.seed)
    costs = CostTable.of(supernets.load(entry))
    size = min(request.subnets or default_size(costs), request.most)
    rows = plan_sample(costs, size, request.seed)
    sample = costs.space.arch_ids(rows)
    anchors = tuple(sample[i] for i in anchors_of(costs.total("macs", rows)))
    fresh = State(device=device, layout=identity_of(entry).layout, anchors=anchors)
    return Campaign(
        costs=costs,
        sample=sample,
        quality=quality_in(entry),
        limits=Limits(
            most=request.most,
            confidence=request.confidence,
            agreement=request.agreement,
            seconds=request.seconds,
        ),
        file=file,
        race=race,
        ledger=ledger,
        state=_resumed(ledger, fresh),
    )


def racing(
    entry: SupernetEntry, *, threads: int, batch: int, seed: int = 0
) -> tuple[Callable[[Arch], bytes], MakeRace]:
    """What exports a supernet's subnets for timing, and what times them. Loads torch.

    Raises:
        DataUnavailable: a graph's subnets are timed on the graph, which is not here.
    """
    from core.export.onnx_parts import OnnxParts

    supernet = supernets.load(entry)
    parts = OnnxParts(supernet)
    whole = supernet.task.whole
    sample = supernets.dataset(entry).calibration.first(1).arrays() if whole else parts.sample(batch)
    return parts.file, lambda: Race((), sample, threads=threads, seed=seed)


def racing_on_device(
    entry: SupernetEntry, *, batch: int, seed: int = 0
) -> tuple[Callable[[Arch], bytes], MakeRace]:
    """As `racing`, by torch on the device that is set; weights stay what they are, statistics are of random samples."""
    import torch

    from core.evaluation.latency.on_device import DeviceRace
    from core.networks.file import dump_net
    from core.networks.trees import leaves, rows_of

    supernet, device = supernets.load(entry), chosen_device()
    whole = supernet.task.whole
    given = supernet.task.random_inputs(supernet.config, 16, torch.Generator().manual_seed(seed))
    picked = given if whole else rows_of(given, torch.arange(batch) % 16)
    shape = supernet.config.input_shape

    def file(arch: Arch) -> bytes:
        return dump_net(supernet.extract(arch, supernet.calibrate(arch, given)), shape, {})

    return file, lambda: DeviceRace(device, [leaf.numpy() for leaf in leaves(picked)], seed=seed)


def _resumed(ledger: Ledger, fresh: State) -> State:
    stored = ledger.latest_checkpoint()
    if stored is None:
        return fresh
    try:
        state = State.model_validate_json(stored)
    except ValidationError as error:
        raise InvalidInput("What this run had kept cannot be read; start it again as a new run.") from error
    if state.model_copy(update={"batches": ()}) != fresh:
        raise InvalidInput(
            "The machine, its onnxruntime or the supernet is another one than when this run was interrupted: "
            "start it again as a new run."
        )
    return state


def _record(
    campaign: Campaign, entry: SupernetEntry, settled: Settled | None, seconds: float
) -> LatencyRecord:
    state, known = campaign.state, campaign.state.known
    first, last = state.batches[0], state.batches[-1]
    profile = LatencyProfile(
        supernet=identity_of(entry),
        device=state.device,
        protocol=Protocol(
            rounds=min(b.rounds for b in state.batches),
            runs=RUNS,
            agreement=first.agreement,
            agreed=all(b.agreed for b in state.batches),
            seconds=max(seconds, sum(b.seconds for b in state.batches)),
        ),
        planned=len(known),
        timings=Timings(
            arch_ids=tuple(known),
            ms=tuple(ms for ms, _ in known.values()),
            spread=tuple(spread for _, spread in known.values()),
        ),
        anchors=Anchors(arch_ids=state.anchors, start=first.anchors, end=last.anchors),
        date=now(),
    )
    sampled = len(campaign.sample)
    return LatencyRecord.of(profile, campaign.costs, sampled=sampled, settled=settled, like=campaign.model)


def _summary(record: LatencyRecord, entry: SupernetEntry) -> str:
    n, size = len(record.profile.timings.ms), entry.space.size
    found = (
        f"{n:,} of {count_of(size, 'subnet')} timed; the others are predicted with a median error of "
        f"{format_share(record.validation.median_error, 1)}"
    )
    settled = record.settled
    if settled is None:
        return f"{found}. There is no table of their accuracy yet, so no front was settled."
    label = objective(settled.objective).label.lower()
    if settled.reached:
        return f"{found}. The front of latency and {label} consists of timed subnets."
    return (
        f"{found}. Not all that could be on the front of latency and {label} were timed: allow more of them."
    )
