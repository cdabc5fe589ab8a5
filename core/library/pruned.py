"""Pruned networks as they are kept: what a list shows without torch, and loading one.

One run of `prune_models` keeps a network per method and sparsity, masked (the parent's shape, removed entries
zero) with the units that stay, from which the compact network is cut whenever it is wanted; its margins on every
benchmark; and a summary of all of them. Network 0 of a run is the parent itself, of which only margins are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.library.carried import Carried

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from core.store import Ledger, RunStore

KIND = "prune_models"
SUMMARY_FILE = "pruned.json"
FORMAT = 1
PARENT = 0
TUNING_EPOCHS = 5
"""Epochs of fine-tuning where nothing else is asked for."""


@dataclass(frozen=True, eq=False)
class PrunedModel:
    """One pruned network, or the parent, as a list shows it.

    Attributes:
        model_id: "pruned:<run_id>:<index>"; the parent's own id for the parent.
        run_id, index: where it is kept.
        parent_id: id of the network that was pruned.
        supernet_id, arch_id: of the parent.
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
        seed: of all chance.
        tuning_epochs: of fine-tuning; 0 where the method trains by itself.
        surgery: whether units are cut out of the masked network to make the compact one.
        sha256: of the file of its margins.
    """

    model_id: str
    run_id: str
    index: int
    parent_id: str
    supernet_id: str
    arch_id: str
    method: str
    label: str
    config: tuple[tuple[str, Any], ...]
    removes: str
    asked: float
    sparsity: float
    numbers: Mapping[str, float]
    stages: tuple[str, ...]
    note: str
    seconds: float
    seed: int
    tuning_epochs: int
    surgery: bool
    sha256: str

    @property
    def is_parent(self) -> bool:
        return self.index == PARENT

    @property
    def variant(self) -> str:
        """The method with what differs from the defaults, seed and fine-tuning too: what distinguishes rows."""
        said = [f"{name} {value}" for name, value in self.config]
        if "zero_shot" in self.numbers and self.tuning_epochs != TUNING_EPOCHS:
            said.append(f"{self.tuning_epochs} epoch{'s' * (self.tuning_epochs != 1)}")
        if self.seed:
            said.append(f"seed {self.seed}")
        return f"{self.label} ({', '.join(said)})" if said else self.label

    @property
    def title(self) -> str:
        return self.before if self.is_parent else f"{self.variant}, {self.asked:.0%} pruned"

    @property
    def before(self) -> str:
        """What the parent's row is called."""
        return "As it was" if self.parent_id.startswith("pruned:") else "Not pruned"


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
    found: list[PrunedModel] = []
    for run in store.list_runs(kind=KIND) if store is not None else []:
        assert store is not None
        if parent_id in (None, run.params.get("model")):
            found += _models_of(store, run.run_id)
    return found


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

    names = {"accuracy": "accuracy", "test_accuracy": "test_accuracy", "macs": "macs", "params": "params",
             "size_bytes": "bytes", "latency_ms": "latency_ms"}  # fmt: skip
    rows = [
        {"model_id": m.model_id, "title": m.title, **{to: m.numbers.get(name) for to, name in names.items()}}
        for m in models
        if not m.is_parent
    ]
    return pd.DataFrame(rows, columns=["model_id", "title", *names]).astype(dict.fromkeys(names, float))


def failures(store: RunStore | None, parent_id: str) -> list[Failure]:
    """Methods that could not prune this parent, newest run first."""
    found: list[Failure] = []
    for run in store.list_runs(kind=KIND) if store is not None else []:
        assert store is not None
        if run.params.get("model") == parent_id and (summary := _summary_of(store, run.run_id)):
            found += [
                Failure(run.run_id, parent_id, str(f["method"]), str(f["label"]), str(f["reason"]))
                for f in summary["failures"]
            ]
    return found


def describe_pruned(store: RunStore | None, run_id: str, index: int) -> PrunedModel:
    """One pruned network. No torch.

    Raises:
        NotFound: there is no such network.
    """
    if store is not None and store.get_run(run_id).kind == KIND:
        for model in _models_of(store, run_id):
            if model.index == index:
                return model
    raise NotFound("This pruned network is not on this machine; prune it again, or choose another model.")


def require_prunable(store: RunStore | None, model_id: str) -> None:
    """A network may be pruned, and pruned again if whole units or blocks were cut.

    Raises:
        NotFound: there is no such network.
        InvalidInput: single weights of it are held at zero; training it again would revive them.
    """
    origin, _, rest = model_id.partition(":")
    if origin != "pruned":
        return
    run_id, _, number = rest.partition(":")
    if describe_pruned(store, run_id, int(number) if number.isdecimal() else PARENT).removes == "weights":
        raise InvalidInput(
            "Single weights of this network are zero, and pruning it again would revive them while fine-tuning. "
            "Prune the network it came from further instead."
        )


def load_masked(store: RunStore, run_id: str, index: int) -> tuple[nn.Sequential, dict[str, Any]]:
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


def read_summary(ledger: Ledger) -> dict[str, Any] | None:
    """The summary a run has written so far, None before the first network."""
    try:
        summary: dict[str, Any] = json.loads(ledger.artifact(SUMMARY_FILE))
    except NotFound:
        return None
    return summary


def _models_of(store: RunStore, run_id: str) -> list[PrunedModel]:
    summary = _summary_of(store, run_id)
    return [_model(run_id, summary, row) for row in summary["models"]] if summary else []


def _summary_of(store: RunStore, run_id: str) -> Mapping[str, Any] | None:
    ledger = store.ledger(run_id)
    sha256 = {artifact.name: artifact.sha256 for artifact in ledger.artifacts()}.get(SUMMARY_FILE)
    if sha256 is None:
        return None
    try:
        return _read(sha256, Carried(ledger))
    except DamagedArtifact:
        # The check command names it; a list goes on without it.
        return None


@lru_cache(maxsize=256)
def _read(sha256: str, hidden: Carried[Ledger]) -> Mapping[str, Any]:
    summary: Mapping[str, Any] = json.loads(hidden.value.artifact(SUMMARY_FILE))
    return summary


def _model(run_id: str, summary: Mapping[str, Any], row: Mapping[str, Any]) -> PrunedModel:
    index, parent = int(row["index"]), str(summary["model"])
    return PrunedModel(
        model_id=parent if index == PARENT else f"pruned:{run_id}:{index}",
        run_id=run_id,
        index=index,
        parent_id=parent,
        supernet_id=str(summary["supernet"]),
        arch_id=str(summary["arch_id"]),
        method=str(row["method"]),
        label=str(row["label"]),
        config=tuple((str(name), value) for name, value in row["config"]),
        removes=str(row["removes"]),
        asked=float(row["asked"]),
        sparsity=float(row["sparsity"]),
        numbers={str(k): float(v) for k, v in row["numbers"].items()},
        stages=tuple(str(name) for name in row["stages"]),
        note=str(row["note"]),
        seconds=float(row["seconds"]),
        seed=int(summary["seed"]),
        tuning_epochs=int(row["tuning_epochs"]),
        surgery=bool(row["surgery"]),
        sha256=str(row["sha256"]),
    )
