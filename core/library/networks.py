"""The networks that can be compared, each by one short id.

    subnet:digits-cnn:311131113111     a subnet, cut out of its supernet and calibrated
    alone:RUN:0                        the first network of a stand-alone training run
    pruned:RUN:3                       the third network of a pruning run, after surgery

An id is all that a link, a session or a stored run keeps. Describing a model needs no torch; loading one
gives an `nn.Sequential` of plain layers whose children are its stages. Loaded models are shared between
sessions and kept a while: nobody writes into them.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.errors import InvalidInput, NotFound
from core.library import supernets
from core.library.supernets import SupernetEntry

if TYPE_CHECKING:
    from torch import nn

    from core.datasets.base import Dataset
    from core.store import RunStore

_PART = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_KEPT = 64
MOST_MODELS = 8
"""More are not compared at once: a chart of nine is not read."""


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model without loading it.

    Attributes:
        model_id: permanent, see the module's text.
        title: what a person reads.
        short: the same in a few characters, for axes.
        supernet_id: the supernet it comes from, or whose architecture it has.
        arch_id: its architecture.
        origin: "subnet", "alone" or "pruned".
        seed: of its own training; of the supernet's training for a subnet.
        stages: a name for each stage where they are not those of the architecture.
    """

    model_id: str
    title: str
    short: str
    supernet_id: str
    arch_id: str
    origin: str
    seed: int
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded network.

    Attributes:
        info: what it is.
        net: stages as children, eval mode, no gradients; takes pixels in [0, 1], returns logits.
        labels: a name for each stage.
        key: changes whenever weights or architecture do; part of every cache key.
        entry: the supernet it belongs to.
    """

    info: ModelInfo
    net: nn.Sequential
    labels: tuple[str, ...]
    key: str
    entry: SupernetEntry

    @property
    def dataset(self) -> Dataset:
        """The data its supernet was trained on.

        Raises:
            DataUnavailable, InvalidInput: see `supernets.dataset`.
        """
        return supernets.dataset(self.entry)


def subnet_id(entry: SupernetEntry, arch_id: str) -> str:
    """The model id of a subnet."""
    return f"subnet:{entry.supernet_id}:{arch_id}"


def is_model_id(text: str) -> bool:
    """Whether a text has the form of a model id; says nothing about whether there is such a model."""
    origin, _, rest = text.partition(":")
    parts = rest.split(":")
    return origin in _ORIGINS and len(parts) == 2 and all(_PART.fullmatch(p) for p in parts)


def describe(store: RunStore | None, model_id: str) -> ModelInfo:
    """What a model is, without loading it.

    Raises:
        NotFound: there is no such supernet, run or architecture.
        InvalidInput: the text is no model id.
    """
    origin, first, second = _parse(model_id)
    return _ORIGINS[origin][0](store, model_id, first, second)


def load_model(store: RunStore | None, model_id: str) -> Model:
    """A model ready to be run. Loads torch.

    Raises:
        NotFound, InvalidInput: as `describe`.
        DataUnavailable: a subnet's BatchNorm statistics need the supernet's data, which are not here.
    """
    from core.runtime import heavy_imports

    heavy_imports()
    info = describe(store, model_id)
    entry = supernets.find(store, info.supernet_id)
    key = hashlib.sha256(f"{entry.sha256}/{model_id}".encode()).hexdigest()
    with _lock:
        if key in _models:
            _models.move_to_end(key)
            return _models[key]
    net = _ORIGINS[info.origin][1](store, info, entry)
    rows = supernets.stage_rows(entry, entry.space.from_id(info.arch_id))
    labels = info.stages or tuple(str(row["label"]) for row in rows)
    model = Model(info, net, labels, key, entry)
    with _lock:
        _models[key] = model
        while len(_models) > _KEPT:
            _models.popitem(last=False)
    return model


_models: OrderedDict[str, Model] = OrderedDict()
_lock = threading.Lock()


def _parse(model_id: str) -> tuple[str, str, str]:
    if not is_model_id(model_id):
        raise InvalidInput(
            f"{model_id[:80]!r} names no model; a model is subnet:SUPERNET:ARCHITECTURE, alone:RUN:NUMBER or pruned:RUN:NUMBER."
        )
    origin, first, second = model_id.split(":")
    return origin, first, second


def _describe_subnet(store: RunStore | None, model_id: str, supernet_id: str, arch_id: str) -> ModelInfo:
    entry = supernets.find(store, supernet_id)
    arch = entry.space.from_id(arch_id)
    if entry.space.arch_id(arch) != arch_id:
        raise InvalidInput(f"{arch_id!r} is not the id of an architecture of {entry.title}.")
    names = dict(zip(entry.space.ends or (), ("smallest", "largest"), strict=False))
    named = f" ({names[arch]})" if arch in names else ""
    return ModelInfo(
        model_id, f"{entry.title} {arch_id}{named}", arch_id, entry.supernet_id, arch_id, "subnet",
        entry.card.seed or 0,
    )  # fmt: skip


def _load_subnet(store: RunStore | None, info: ModelInfo, entry: SupernetEntry) -> nn.Sequential:
    supernet, arch = supernets.load(entry), entry.space.from_id(info.arch_id)
    return supernet.extract(arch, supernet.calibrate_on(arch, supernets.dataset(entry)))


def _describe_alone(store: RunStore | None, model_id: str, run_id: str, number: str) -> ModelInfo:
    from core.library.alone import list_alone

    for kept in list_alone(store):
        if kept.run_id == run_id and str(kept.index) == number:
            title = f"{kept.arch_id} trained alone, seed {kept.seed}"
            return ModelInfo(
                model_id,
                title,
                f"alone, seed {kept.seed}",
                kept.supernet_id,
                kept.arch_id,
                "alone",
                kept.seed,
            )
    raise NotFound(
        "This stand-alone network is not on this machine; train it again, or choose another model."
    )


def _load_alone(store: RunStore | None, info: ModelInfo, entry: SupernetEntry) -> nn.Sequential:
    from core.library.alone import load_alone

    if store is None:
        raise NotFound("Networks trained alone are kept in the store, which cannot be opened.")
    _, run_id, number = _parse(info.model_id)
    return load_alone(store, run_id, int(number))


def _describe_pruned(store: RunStore | None, model_id: str, run_id: str, number: str) -> ModelInfo:
    from core.library.pruned import PARENT, describe_pruned

    if not number.isdecimal() or int(number) == PARENT:
        raise NotFound("A pruned network is named by its run and a number from 1.")
    found = describe_pruned(store, run_id, int(number))
    short = f"{found.label}, {found.asked:.0%}"
    return ModelInfo(
        model_id, f"{found.arch_id}: {found.title}", short, found.supernet_id, found.arch_id, "pruned", found.seed, found.stages,
    )  # fmt: skip


def _load_pruned(store: RunStore | None, info: ModelInfo, entry: SupernetEntry) -> nn.Sequential:
    from core.library.pruned import load_compact

    if store is None:
        raise NotFound("Pruned networks are kept in the store, which cannot be opened.")
    _, run_id, number = _parse(info.model_id)
    return load_compact(store, run_id, int(number))


_Describe = Callable[["RunStore | None", str, str, str], ModelInfo]
_Load = Callable[["RunStore | None", ModelInfo, SupernetEntry], "nn.Sequential"]
_ORIGINS: Mapping[str, tuple[_Describe, _Load]] = {
    "subnet": (_describe_subnet, _load_subnet),
    "alone": (_describe_alone, _load_alone),
    "pruned": (_describe_pruned, _load_pruned),
}


def suggestions(store: RunStore | None, entry: SupernetEntry) -> list[ModelInfo]:
    """Models of a supernet worth a first look: its ends, its best, its knee, and what was trained alone.

    Reads the complete table where there is one; never loads torch.
    """
    space = entry.space
    notable: dict[str, list[str]] = {}
    for end, word in zip(space.ends or (), ("smallest", "largest"), strict=False):
        notable[space.arch_id(end)] = [word]
    if not notable:
        notable[space.arch_id(entry.reference)] = []
    table = supernets.table(entry)
    if table is not None and {"accuracy", "macs"} <= set(table.columns):
        from core.library.fronts import front

        # Of equally accurate subnets the cheapest: the table is walked in the order of its cost.
        ordered = table.sort_values("macs", kind="stable")
        best = ordered["arch_id"].to_numpy()[ordered["accuracy"].to_numpy().argmax()]
        notable.setdefault(str(best), []).append("most accurate")
        for knee in front(table, ("macs", "accuracy")).knees.values():
            if "knee" not in (words := notable.setdefault(knee, [])):
                words.append("knee")
    found = [describe(store, subnet_id(entry, arch_id)) for arch_id in notable]
    named = [
        replace(info, title=f"{entry.title} {info.arch_id} ({', '.join(words)})" if words else info.title)
        for info, words in zip(found, notable.values(), strict=True)
    ]
    if store is None:
        return named
    from core.library.alone import list_alone

    alone = [k for k in list_alone(store) if k.supernet_id == entry.supernet_id]
    return named + [describe(store, f"alone:{k.run_id}:{k.index}") for k in alone]
