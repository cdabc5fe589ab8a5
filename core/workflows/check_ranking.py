"""The ranking check: is the order right that a supernet puts its subnets in? Some are trained alone, to see.

Every architecture is trained once before any is trained again, so a check that was stopped half-way says something. What
was trained alone with the same settings before, by whatever run, counts and is not trained again. A published table
may stand in for the trainings.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.executors.choosing import chosen
from core.library import supernets
from core.library.alone import MEASURED
from core.library.alone_part import Trained, Training, earlier, part, places, shared
from core.library.gathered import best_known
from core.library.measuring import by_forward_pass, from_table
from core.library.parts import done_in_parts
from core.library.published import Published, published
from core.library.ranking_check import (
    QUALITY,
    CheckedNet,
    CheckedSubnet,
    RankingRecord,
    Way,
    choose,
    cost_of,
    gaps,
    known_nets,
    learns,
)
from core.library.results import Described
from core.library.supernets import SupernetEntry
from core.library.trainings import OF_THE_SUPERNET, training_of
from core.records import Progress
from core.words import count_of, format_count

if TYPE_CHECKING:
    from torch import nn

    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Ranking check"
WEIGHT_CLASS = "training"
APART = ("seed", "seeds", "processes")
"""What does not make another setting: which seeds, how many, and what changes no number."""
LEAST = 3
"""Fewer subnets have no order to speak of."""


class Request(BaseConfig):
    """Which subnets of which supernet to train alone, and how."""

    supernet: str = Field(description="Name, id or file of the supernet.")
    subnets: int = Field(12, ge=LEAST, le=2000, description="Subnets to train alone, each with every seed.")
    chosen: Way = Field(
        "spread",
        description="Spread over cost, on the front, or near the front, where a search would pick.",
    )
    ids: tuple[str, ...] = Field(
        (), max_length=2000, description="These subnets instead, by their short ids."
    )
    seeds: int = Field(2, ge=1, le=20, description="Trainings of each, from weights of their own.")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="First seed; the others follow it.")
    epochs: int | None = Field(
        None, ge=1, le=2000, description="Passes over the training data; as the supernet if left out."
    )
    learning_rate: float | None = Field(
        None, gt=0, le=1e12, description="Peak learning rate; as the supernet if left out."
    )
    table: str = Field(
        "", description="A published table instead of training: a file, or the id of an imported one."
    )
    columns: tuple[str, ...] = Field(
        (), max_length=20, description="Its columns of accuracies, each like a seed."
    )
    processes: int = Field(1, ge=1, le=64, description="Processes that train; the numbers are the same.")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Check, or go on checking; the artifact is `ranking-check.json`, written anew after every network.

    Raises:
        NotFound, InvalidInput: the supernet, a subnet, the table or its column does not exist; nothing says where the
            front is; or too few subnets are left.
        DataUnavailable: the data set is neither here nor reachable.
        CoreError: training diverged.
    """
    entry = library.supernet(request.supernet)
    yield Progress(0.0, f"Reading the data of {entry.title}.")
    record = RankingRecord.so_far(ledger)
    if record is None:
        dataset = supernets.dataset(entry)
        record = yield from _begun(request, entry, dataset, library)
        record.save(ledger)
    if record.missing:
        yield from _train(request, entry, record, ledger)
        record = RankingRecord.so_far(ledger) or record
    trained = sum(not net.run for net in record.nets)
    held = f"against {record.truth}" if record.truth else f"{count_of(trained, 'network')} trained"
    known = f", {format_count(len(record.nets) - trained)} were there already" * (trained < len(record.nets))
    yield Progress(
        1.0, f"{count_of(len(record.subnets), 'subnet')} checked: {held}{known * (not record.truth)}."
    )


def _begun(
    request: Request, entry: SupernetEntry, dataset: Dataset, library: Library
) -> Generator[Progress, None, RankingRecord]:
    """The record with what the subnets do in the supernet, and the networks that were there already."""
    config, from_card = training_of(
        entry, **request.model_dump(include={"epochs", "learning_rate"}, exclude_none=True)
    )
    cost = cost_of(entry)
    found = (
        published(library.store, request.table, request.columns, supernets.load(entry))
        if request.table
        else None
    )
    ids, said = _chosen(request, entry, found, library, cost)
    if len(ids) < LEAST:
        raise InvalidInput(f"A ranking check needs at least {LEAST} subnets; choose more of them.")
    # Beside trainings measuring is nothing; with a table it is all there is.
    values = yield from _measured(entry, ids, share=0.99 if found else 0.0)
    subnets, front_of = _inside(entry, ids, values, cost, library)
    seeds = tuple(range(request.seed, request.seed + request.seeds))
    key = "" if found else learns(entry, config, dataset.fingerprint)
    record = RankingRecord(
        supernet=entry.supernet_id,
        sha256=entry.sha256,
        learns=key,
        data=Described(title=dataset.title, fingerprint=dataset.fingerprint),
        samples=(dataset.validation.answers, dataset.test.answers),
        training=None if found else Described(**config.model_dump(mode="json", exclude=set(OF_THE_SUPERNET))),
        training_from_card=from_card,
        truth=found.sentence if found else "",
        chosen=said,
        cost=cost,
        front_of=front_of,
        seeds=tuple(range(1, len(found.columns) + 1)) if found else seeds,
        subnets=subnets,
    )
    if found:
        nets = [
            CheckedNet(
                arch_id=arch_id, seed=seed, accuracy=None, test_accuracy=found.accuracies[arch_id][seed - 1]
            )
            for arch_id, seed in record.wanted
        ]
    else:
        there = known_nets(library.store, entry, config, key)
        nets = [there[each] for each in record.wanted if each in there]
    return record.model_copy(update={"nets": tuple(nets)})


def _chosen(
    request: Request, entry: SupernetEntry, found: Published | None, library: Library, cost: str
) -> tuple[tuple[str, ...], str]:
    if request.ids:
        ids = tuple(dict.fromkeys(request.ids))
        for arch_id in ids:
            if entry.space.arch_id(entry.space.from_id(arch_id)) != arch_id:
                raise InvalidInput(f"{arch_id!r} is not the id of an architecture of {entry.title}.")
        if found and (gone := [arch_id for arch_id in ids if arch_id not in found.accuracies]):
            raise InvalidInput(f"{found.name} has no row of {gone[0]}.")
        return ids, f"{count_of(len(ids), 'subnet')} chosen by hand"
    table = None if request.chosen == "spread" else best_known(library.store, entry)[1]
    among = list(found.accuracies) if found and len(found.accuracies) < entry.space.size else []
    return choose(
        entry, table, way=request.chosen, n=request.subnets, seed=request.seed, cost=cost, among=among
    )


_Values = dict[str, Mapping[str, float]]


def _measured(
    entry: SupernetEntry, ids: tuple[str, ...], *, share: float
) -> Generator[Progress, None, _Values]:
    """arch_id -> what the subnet does with the supernet's weights; looked up where the whole space is measured."""
    names, found = [*MEASURED], _Values()
    said = f"of {count_of(len(ids), 'subnet')} measured in {entry.title}."
    yield Progress(0.0, f"0 {said}")
    measure = from_table(entry, names) or by_forward_pass(entry, None, names)
    for each in measure([entry.space.from_id(arch_id) for arch_id in ids]):
        found[entry.space.arch_id(each.arch)] = each.values
        yield Progress(share * len(found) / len(ids), f"{format_count(len(found))} {said}")
    return found


def _inside(
    entry: SupernetEntry, ids: tuple[str, ...], values: _Values, cost: str, library: Library
) -> tuple[tuple[CheckedSubnet, ...], str]:
    """What the subnets do with the supernet's weights, and how far below its front they lie.

    They come from the middle of the costs outwards: the time of the first is then that of most.
    """
    counted = supernets.counted(entry, entry.space.from_ids(list(ids)), cost).astype(float)
    costs = dict(zip(ids, counted.tolist(), strict=True))
    table = best_known(library.store, entry)[1]
    quality, costly = [values[i][QUALITY] for i in ids], [costs[i] for i in ids]
    if table is not None and QUALITY in table and cost in table and len(table) > len(ids):
        whole = len(table) == entry.space.size
        of = f"{'all' if whole else 'the'} {count_of(len(table), 'subnet')}{'' if whole else ' that were measured'}"
        below = gaps(quality, costly, table[QUALITY], table[cost])
    else:
        of, below = "the subnets of this check", gaps(quality, costly, quality, costly)
    subnets = [
        CheckedSubnet(
            arch_id=arch_id,
            accuracy=values[arch_id]["accuracy"],
            test_accuracy=values[arch_id]["test_accuracy"],
            cost=costs[arch_id],
            gap=float(gap),
        )
        for arch_id, gap in zip(ids, below, strict=True)
    ]
    subnets.sort(key=lambda each: (each.cost, each.arch_id))
    middle = (len(subnets) - 1) / 2
    order = sorted(range(len(subnets)), key=lambda at: (abs(at - middle), at))
    return tuple(subnets[at] for at in order), of


def _train(
    request: Request, entry: SupernetEntry, record: RankingRecord, ledger: Ledger
) -> Iterator[Progress]:
    dataset, supernet = supernets.dataset(entry), supernets.load(entry)
    config, _ = training_of(
        entry, **request.model_dump(include={"epochs", "learning_rate"}, exclude_none=True)
    )
    mine = [each for each in record.wanted if each not in _before(record)]

    def fresh(arch_id: str, seed: int) -> nn.Sequential:
        from core.networks.chain import fresh_like

        arch = entry.space.from_id(arch_id)
        return fresh_like(supernet.extract(arch, supernet.calibrate_on(arch, dataset)), seed)

    missing = [index for index, each in enumerate(mine) if each in record.missing]
    trainings = [
        Training(
            index=index,
            of=len(mine),
            net=partial(fresh, *mine[index]),
            config=config.model_copy(update={"seed": mine[index][1]}),
            arch_id=mine[index][0],
            supernet_sha256=entry.sha256,
            keep_file=False,
        )
        for index in missing
    ]
    steps = done_in_parts(
        [part(training, dataset) for training in trainings],
        chosen(request.processes),
        lambda: shared(dataset),
        ledger,
        done=float((len(mine) - len(missing)) * config.epochs),
        what="networks",
        places=places(config),
        earlier=earlier,
    )
    for step in steps:
        if isinstance(step, Progress):
            yield step
            continue
        arch_id, seed = mine[step.index]
        found = Trained.read(step.value)
        made = CheckedNet(
            arch_id=arch_id,
            seed=seed,
            accuracy=found.accuracy,
            test_accuracy=found.test_accuracy,
            seconds=found.seconds,
        )
        record = record.with_net(made)
        record.save(ledger)


def _before(record: RankingRecord) -> set[tuple[str, int]]:
    """Networks that this run did not train."""
    return {(net.arch_id, net.seed) for net in record.nets if net.run}
