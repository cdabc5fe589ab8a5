"""Pruned networks as they are kept: what a list shows without torch, and loading one.

One run of `prune_models` keeps a network per method and sparsity, masked (the parent's shape, removed entries
zero) with the units that stay, from which the compact network is cut whenever it is wanted; its margins on every
benchmark; and a summary of all of them. Network 0 of a run is the parent itself, of which only margins are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput, NotFound
from core.library.network_id import NetworkId
from core.library.results import Described, Part, Record, Result, result, results
from core.objectives.base import all_names
from core.words import count_of, format_share

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from core.store import RunStore

KIND = "prune_models"
PARENT = 0
QUALITY = "accuracy"
"""The objective that pruned networks are judged by: on every benchmark, and against their parent."""
_STORED_AS = {"size_bytes": "bytes"}
TUNING_EPOCHS = 5
"""Epochs of fine-tuning where nothing else is asked for."""


def stored_as(objective: str) -> str:
    """What a run's summary calls an objective."""
    return _STORED_AS.get(objective, objective)


class PrunedNet(Part):
    """One network of a run, as its record keeps it.

    Attributes:
        index: which one; 0 is the parent.
        method: registry name; "" for the parent.
        label: what a person reads of the method.
        config: its settings that differ from the defaults.
        removes: "weights", "units" or "blocks"; "" for the parent.
        asked: the sparsity asked for.
        sparsity: share of the parent's weights that is gone.
        numbers: measured numbers by name: accuracy and zero_shot (validation), test_accuracy, params, nonzero,
            macs, bytes, latency_ms, nc1, ...; fractions, counts, milliseconds. Missing where not measured.
        stages: a name for each stage of the network that can be downloaded.
        note: what a person should know.
        seconds: what pruning, training and evaluation took.
        tuning_epochs: of fine-tuning; 0 where the method trains by itself.
        surgery: whether units are cut out of the masked network to make the compact one.
        sha256: of the file of its margins.
    """

    index: int
    method: str
    label: str
    config: tuple[tuple[str, Any], ...]
    removes: str
    asked: float
    sparsity: float
    numbers: dict[str, float]
    stages: tuple[str, ...]
    note: str
    seconds: float
    tuning_epochs: int
    surgery: bool
    sha256: str


class FailedMethod(Part):
    """A method of a run that could not prune the parent: its place in the request, and why."""

    number: int
    method: str
    label: str
    reason: str


class PruningRecord(Record):
    """What a run of `prune_models` keeps, written anew after every network.

    Attributes:
        model, model_key: id of the parent, and a key that changes with its weights.
        supernet, arch_id: of the parent.
        seed: of all chance.
        tuning: how pruned networks were fine-tuned, for people.
        probe: fingerprint of the samples they were evaluated on.
        models: the parent (index 0) and the networks made so far, by index.
        failures, done: methods that could not, and all that need not be done again, by their place.
        versions: of the libraries.
        latency_noisy: whether timings of the same network disagreed.
    """

    FILE: ClassVar[str] = "pruned.json"
    model: str
    model_key: str
    supernet: str
    arch_id: str
    seed: int
    tuning: Described
    probe: str
    models: tuple[PrunedNet, ...] = ()
    failures: tuple[FailedMethod, ...] = ()
    done: tuple[int, ...] = ()
    versions: dict[str, str]
    latency_noisy: bool = False

    def with_net(self, net: PrunedNet) -> PruningRecord:
        """With a network, in the place of an older one of the same index."""
        others = [each for each in self.models if each.index != net.index]
        return self.model_copy(update={"models": tuple(sorted([*others, net], key=lambda m: m.index))})

    def finished(self, number: int, failure: FailedMethod | None) -> PruningRecord:
        """With a method that need not be done again, and why it could not where it could not."""
        others = [each for each in self.failures if each.number != number]
        lost = sorted([*others, failure], key=lambda each: each.number) if failure else self.failures
        done = sorted({*self.done, number})
        return self.model_copy(update={"failures": tuple(lost), "done": tuple(done)})


class PrunedModel(PrunedNet):
    """One pruned network, or the parent, as a list shows it: what its run kept of it, and where it comes from.

    Attributes:
        model_id: its id as a network, as text; the parent's own for the parent.
        run_id: where it is kept.
        parent_id: id of the network that was pruned.
        supernet_id, arch_id: of the parent.
        seed: of all chance.
        tuning_rate: peak learning rate of fine-tuning; 0 where an old run does not say it.
    """

    model_id: str
    run_id: str
    parent_id: str
    supernet_id: str
    arch_id: str
    seed: int
    tuning_rate: float

    def objective_value(self, name: str) -> float | None:
        """What was measured of an objective, None if it was not."""
        return self.numbers.get(stored_as(name))

    @property
    def is_parent(self) -> bool:
        return self.index == PARENT

    @property
    def recipe(self) -> str:
        """The method with what differs from the defaults, fine-tuning too: what runs with several seeds share."""
        return self._with(self._changed())

    @property
    def variant(self) -> str:
        """The recipe and its seed, but for seed 0."""
        return self._with([*self._changed(), *([f"seed {self.seed}"] if self.seed else [])])

    @property
    def recipe_key(self) -> tuple[Any, ...]:
        """Equal for networks that differ in their seed and their sparsity alone."""
        return (self.method, self.config, self.tuning_epochs, self.tuning_rate)

    def _changed(self) -> list[str]:
        said = [f"{name} {value}" for name, value in self.config]
        if "zero_shot" in self.numbers and self.tuning_epochs != TUNING_EPOCHS:
            said.append(count_of(self.tuning_epochs, "epoch"))
        return said

    def _with(self, said: list[str]) -> str:
        return f"{self.label} ({', '.join(said)})" if said else self.label

    @property
    def title(self) -> str:
        return self.before if self.is_parent else f"{self.variant}, {format_share(self.asked)} pruned"

    @property
    def before(self) -> str:
        """What the parent's row is called."""
        return "As it was" if NetworkId.parse(self.parent_id).origin == "pruned" else "Not pruned"


@dataclass(frozen=True)
class Failure:
    """A method that could not prune the parent, and why."""

    run_id: str
    parent_id: str
    method: str
    label: str
    reason: str


def net_file(index: int) -> str:
    """Name of the artifact that holds the masked network with this index."""
    return f"net-{int(index)}.safetensors"


def margins_file(index: int) -> str:
    """Name of the artifact that holds the margins of the network with this index."""
    return f"margins-{int(index)}.safetensors"


def list_pruned(store: RunStore | None, parent_id: str | None = None) -> list[PrunedModel]:
    """Every network that was pruned (from one parent, if named), newest run first. No torch."""
    return [model for kept in _results(store, parent_id) for model in _models(kept)]


def parents(store: RunStore | None, supernet_id: str) -> list[PrunedModel]:
    """Networks of a supernet that were pruned, each once, the last one first."""
    found = {
        m.parent_id: m for m in reversed(list_pruned(store)) if m.is_parent and m.supernet_id == supernet_id
    }
    return list(found.values())[::-1]


def as_points(models: Sequence[PrunedModel]) -> pd.DataFrame:
    """Pruned networks by the objectives of a front: `model_id`, `title` and a column per objective; NaN where
    something was not measured."""
    import pandas as pd

    names = all_names()
    rows = [
        {
            "model_id": m.model_id,
            "title": m.title,
            **objective_values(m),
        }
        for m in models
        if not m.is_parent
    ]
    return pd.DataFrame(rows, columns=["model_id", "title", *names]).astype(dict.fromkeys(names, float))


def objective_values(model: PrunedModel) -> dict[str, float]:
    """What was measured or counted of a pruned network, by objective."""
    stored = {name: model.numbers.get(_STORED_AS.get(name, name)) for name in all_names()}
    return {name: value for name, value in stored.items() if value is not None}


def failures(store: RunStore | None, parent_id: str) -> list[Failure]:
    """Methods that could not prune this parent, newest run first."""
    return [
        Failure(kept.run.run_id, parent_id, lost.method, lost.label, lost.reason)
        for kept in _results(store, parent_id)
        for lost in kept.record.failures
    ]


def describe_pruned(store: RunStore | None, run_id: str, index: int) -> PrunedModel:
    """One pruned network. No torch.

    Raises:
        NotFound: there is no such network.
    """
    kept = result(store, PruningRecord, KIND, run_id)
    for model in _models(kept) if kept else ():
        if model.index == index:
            return model
    raise NotFound("This pruned network is not on this machine; prune it again, or choose another network.")


def require_prunable(store: RunStore | None, model_id: str) -> None:
    """A network may be pruned, and pruned again if whole units or blocks were cut.

    Raises:
        NotFound: there is no such network.
        InvalidInput: single weights of it are held at zero; training it again would revive them.
    """
    which = NetworkId.parse(model_id)
    if which.origin == "pruned" and describe_pruned(store, which.owner, which.number).removes == "weights":
        raise InvalidInput(
            "Single weights of this network are zero, and pruning it again would revive them while fine-tuning. "
            "Prune the network it came from further instead."
        )


def load_masked(
    store: RunStore, run_id: str, index: int
) -> tuple[nn.Sequential, dict[str, NDArray[np.intp]]]:
    """A pruned network with the parent's shapes, eval mode, and the units that stay by group. Loads torch.

    Raises:
        NotFound: there is no such network.
        DamagedArtifact, InvalidInput: its file has changed, or holds something else.
    """
    from core.networks.file import load_net

    net, about = load_net(store.ledger(run_id).artifact(net_file(index)))
    if "kept" not in about:
        raise InvalidInput("This file is not a pruned network.")
    return net, {name: np.asarray(units, np.intp) for name, units in about["kept"].items()}


def load_compact(store: RunStore, run_id: str, index: int) -> nn.Sequential:
    """A pruned network after surgery: what is downloaded. Loads torch.

    Raises:
        NotFound, DamagedArtifact, InvalidInput: see `load_masked`.
    """
    from core.networks.cut import compact

    net, kept = load_masked(store, run_id, index)
    return compact(net, kept) if kept else net


def _results(store: RunStore | None, parent_id: str | None) -> list[Result[PruningRecord]]:
    return results(store, PruningRecord, KIND, None if parent_id is None else {"model": parent_id})


def _models(kept: Result[PruningRecord]) -> list[PrunedModel]:
    record, run_id = kept.record, kept.run.run_id
    return [
        PrunedModel.model_construct(
            model_id=record.model if net.index == PARENT else str(NetworkId.pruned(run_id, net.index)),
            run_id=run_id,
            parent_id=record.model,
            supernet_id=record.supernet,
            arch_id=record.arch_id,
            seed=record.seed,
            tuning_rate=float(getattr(record.tuning, "learning_rate", 0.0)),
            **dict(net),
        )
        for net in record.models
    ]
