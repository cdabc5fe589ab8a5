"""A second of real work, timed, to say how long all of it will take. Runs in a process of its own.

A training is tried phase by phase, with its own data and batches; after that subtrees of its space are walked,
and the time per call, per multiply-accumulate and per number written gives that of the whole walk. Any other
work is begun as it is, without a store to write to, and left after a second.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

from core.config import JsonObject
from core.datasets import DATASETS
from core.datasets.base import Dataset
from core.errors import DataUnavailable, InvalidInput
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import splits_for, walk
from core.evaluation.trie import Trie
from core.evaluation.work import ORDINARY, fitted, walk_parts
from core.jobs.forecast import TABLE, TRAINING, FrameTime, PhaseTime, Trial
from core.jobs.kinds import load_workflow
from core.library import supernets
from core.library.library import Library
from core.objectives.base import FromOutputs, names_of, quick_names
from core.seeding import stream
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.tasks.base import Batch, evaluation_data, task_of
from core.training.loop import SupernetRun
from core.words import count_of, format_share
from core.workflows import evaluate_table, train_supernet

Clock = Callable[[], float]

_SECONDS = 1.0
_LEAST_STEPS, _LEAST_BLOCKS, _MOST_BLOCKS = 2, 4, 12
_BLOCK = 32
_MOST_WALKED = 200_000
_BLOCK_SECONDS = 0.3


def try_work(
    kind: str,
    params: JsonObject,
    library: Library,
    *,
    start: float = 0.0,
    clock: Clock = time.process_time,
) -> Trial:
    """Try a request for about a second.

    Args:
        kind: name of the workflow.
        params: its request.
        library: what there is to work with; nothing is written.
        start: seconds that a worker needs before it can begin.
        clock: seconds that only grow; of this process's computing by default, so that what else the machine has
            to do at the moment changes nothing of what is found.

    Raises:
        DataUnavailable: the data set is not on this machine; a trial fetches nothing.
        CoreError: whatever the work itself would raise.
    """
    if kind == TRAINING:
        return _try_training(train_supernet.Request.model_validate(params), library, start, clock)
    if kind == TABLE:
        return _try_table(evaluate_table.Request.model_validate(params), library, start, clock)
    return _try_other(kind, params, library, start, clock)


def _try_training(request: train_supernet.Request, library: Library, start: float, clock: Clock) -> Trial:
    source = DATASETS.create(request.data.name, request.data.config)
    if not source.is_here():
        raise DataUnavailable(
            f"{source.label} is not on this machine yet; the time is known once it was fetched."
        )
    began = clock()
    supernet, dataset = train_supernet.untrained(request, library)
    # As many epochs as any strategy has phases; how many there will be is no matter of the trial.
    config = request.training.model_copy(update={"epochs": 2000})
    run = SupernetRun(supernet, dataset, config, MemoryLedger())
    prepare = clock() - began
    phases, steps = _phases(run, clock)
    began = clock()
    run.measure()
    run.state()
    after = clock() - began
    # A frame is measured as the subnets after an epoch are.
    speed = after / max(run.works[0].after, 1e-9)
    frames = tuple(
        FrameTime(subnets=each.subnets, exact=each.exact, work=each.work, seconds=speed * each.work)
        for each in run.offers()
    )
    measuring, walked = _whole_space(supernet, dataset, clock)
    subnets = f" and {walked:,} subnets" if walked else ""
    return Trial(
        kind="training",
        start=start,
        prepare=prepare,
        phases=phases,
        steps=run.steps,
        after=after,
        frames=frames,
        space=supernet.space.size,
        measuring=measuring,
        tried=f"{steps:,} steps{subnets}",
    )


def _phases(run: SupernetRun, clock: Clock) -> tuple[tuple[PhaseTime, ...], int]:
    """Seconds per step of each phase, and how many steps were taken."""
    found, taken = [], 0
    batches = _batches(run)
    for index, (phase, length) in enumerate(zip(run.phases, run.lengths, strict=True)):
        run.epoch = sum(run.lengths[:index])
        batch, began = next(batches), clock()
        run.begin_epoch()
        # The first step of a phase carries what is done once: what it begins with, memory, the library's choice of ways.
        run.take_step(0, batch, 0.0)
        first = clock() - began
        seconds: list[float] = []
        while len(seconds) < _LEAST_STEPS or sum(seconds) < _SECONDS / len(run.phases):
            batch = next(batches)  # taking a batch and augmenting it is part of a step
            began = clock()
            run.take_step(len(seconds) % run.steps, batch, 0.0)
            seconds.append(clock() - began)
        assert length
        taken += len(seconds) + 1
        strategy, space = run.session.strategy, run.supernet.space
        work = run.works[sum(run.lengths[:index])].whole
        step = float(np.mean(seconds))
        found.append(
            PhaseTime(
                name=phase.name,
                share=phase.share,
                step=step,
                once=max(0.0, first - step),
                passes=strategy.passes(space, phase),
                begins=strategy.samples_at_start(space, phase) / len(run.dataset.train),
                work=work,
            )
        )
    batch_seconds = _batch_seconds(run, clock)
    return tuple(p.model_copy(update={"step": p.step + batch_seconds}) for p in found), taken


def _batches(run: SupernetRun) -> Iterator[Batch]:
    task, config = task_of(run.dataset), run.config
    for epoch in count():
        yield from task.epoch(
            run.dataset,
            batch_size=config.batch_size,
            seed=config.seed,
            epoch=epoch,
            augmentation=config.augmentation,
        )


def _batch_seconds(run: SupernetRun, clock: Clock) -> float:
    """Seconds to take and augment a batch."""
    batches = _batches(run)
    began = clock()
    n = min(run.steps, 8)
    for _ in range(n):
        next(batches)
    return (clock() - began) / n


def _whole_space(supernet: Supernet, dataset: Dataset, clock: Clock) -> tuple[float | None, int]:
    """Seconds to measure every subnet, from a few subtrees; and how many subnets were measured for it."""
    space = supernet.space
    if space.size > _MOST_WALKED:
        return None, 0
    rows = space.array()
    table = CostTable.of(supernet)
    names = names_of(FromOutputs, quick_names(supernet.task.name))
    splits = splits_for(names)
    whole = supernet.task.whole
    samples = (
        1
        if whole
        else sum(len(dataset.split(name)) for name in splits)
        + (len(dataset.calibration) if supernet.task.calibrates else 0)
    )
    total = walk_parts(supernet, table, rows, samples).sum(0)
    order = Trie.of(supernet, rows).order
    rng = stream(0, "trial")
    starts = rng.integers(0, max(1, len(rows) - _BLOCK), _MOST_BLOCKS + 1)
    blocks = [rows[np.sort(order[at : at + _BLOCK])] for at in starts]
    # Large data would take long; the time of a block grows with its samples as its parts do.
    expected = float(np.mean([(walk_parts(supernet, table, b, samples).sum(0) @ ORDINARY) for b in blocks]))
    share = 1.0 if whole else min(1.0, _BLOCK_SECONDS / expected)
    few = _smaller(dataset, share)
    data = evaluation_data(few, splits)
    used = 1 if whole else len(data.targets)
    parts, seconds = [], []
    for number, block in enumerate(blocks):
        began = clock()
        for _ in walk(supernet, block, names, data):
            pass
        if number:  # the first is to warm up
            parts.append(walk_parts(supernet, table, block, used).sum(0))
            seconds.append(clock() - began)
        if len(seconds) >= _LEAST_BLOCKS and sum(seconds) > _SECONDS:
            break
    speed = fitted(np.array(parts), seconds)
    return float(total @ speed), sum(len(b) for b in blocks[: len(seconds) + 1])


def _try_table(request: evaluate_table.Request, library: Library, start: float, clock: Clock) -> Trial:
    began = clock()
    entry = library.supernet(request.supernet)
    supernet, dataset = supernets.load(entry), supernets.dataset(entry)
    prepare = clock() - began
    measuring, walked = _whole_space(supernet, dataset, clock)
    if measuring is None:
        raise InvalidInput(f"With {count_of(entry.space.size, 'subnet')} a trial would take long itself.")
    return Trial(
        kind="other",
        start=start,
        prepare=prepare,
        work=measuring,
        space=entry.space.size,
        tried=count_of(walked, "subnet"),
    )


def _smaller(dataset: Dataset, share: float) -> Dataset:
    """The first samples of the splits that are measured on."""
    if share == 1.0:
        return dataset
    parts = {name: dataset.split(name) for name in ("calibration", "validation", "test")}
    few = {name: part.first(max(16, round(share * len(part)))) for name, part in parts.items()}
    return dataclasses.replace(
        dataset, calibration=few["calibration"], validation=few["validation"], test=few["test"]
    )


def _try_other(kind: str, params: JsonObject, library: Library, start: float, clock: Clock) -> Trial:
    workflow = load_workflow(kind)
    request = workflow.Request.model_validate(params)
    opened = last = clock()
    began: float | None = None
    first = fraction = 0.0
    reports: list[tuple[float, float]] = []
    steps = workflow.run(request, MemoryLedger(params=params), library)
    for progress in steps:
        now = clock()
        if began is None and progress.fraction > fraction:
            began, first = last, fraction
        last, fraction = now, progress.fraction
        if began is not None:
            reports.append((now, fraction))
            if now - began > _SECONDS or fraction >= 1.0:
                break
    steps.close()
    begun = last if began is None else began
    # The first piece carries what is done only once, as in the time left of a job that runs.
    if len(reports) > 4 and reports[-1][1] > reports[0][1]:
        speed = (reports[-1][0] - reports[0][0]) / (reports[-1][1] - reports[0][1])
        work = (reports[0][0] - begun) + speed * (1 - reports[0][1])
    else:
        work = (last - begun) * (1 - first) / max(fraction - first, 1e-9) if reports else 0.0
    return Trial(
        kind="other",
        start=start,
        prepare=begun - opened,
        work=work,
        tried=f"the first {format_share(fraction - first)} of it" if fraction < 1 else "all of it",
    )
