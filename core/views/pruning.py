"""What the Pruning page shows: all pruned networks of one parent, on the same samples. No torch.

Everything here is read from what the runs measured and kept; views are functions of the page's selection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.attacks import ATTACKS
from core.cache import Cache, kept, place_of
from core.datasets.probe import Probe
from core.errors import DamagedArtifact, InvalidInput
from core.evaluation.corruption_error import mean_corruption_error
from core.library import pruned, supernets
from core.library.benchmarks import (
    CLEAN,
    StoredMargins,
    corruption_names,
    evaluation_probe,
    load_margins,
)
from core.library.evaluated import KIND, EvaluatedRecord
from core.library.pruned import Failure, PrunedModel, failures, list_pruned, margins_file, stored_as
from core.library.results import results
from core.library.supernets import SupernetEntry
from core.objectives.base import all_names

if TYPE_CHECKING:
    import pandas as pd

    from core.store import RunStore

Metrics = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class PruningView:
    """All that was measured of one parent and its pruned networks.

    Attributes:
        entry: the parent's supernet.
        parent: the network that was pruned.
        models: parent first, then by method and sparsity.
        probe: the samples; every array of a benchmark has their order.
        margins: model id -> benchmark -> name -> (n,).
        failures: methods that could not prune it.
        key: changes whenever any of this does.
    """

    entry: SupernetEntry
    parent: PrunedModel
    models: tuple[PrunedModel, ...]
    probe: Probe
    margins: Mapping[str, Mapping[str, Metrics]]
    failures: tuple[Failure, ...]
    key: str

    @property
    def pruned(self) -> tuple[PrunedModel, ...]:
        return self.models[1:]

    @property
    def recipes(self) -> tuple[str, ...]:
        """Methods with their settings, in the order of the rows."""
        return tuple(dict.fromkeys(m.recipe for m in self.pruned))

    def model(self, model_id: str) -> PrunedModel | None:
        """The network of an id, None if it is not among them."""
        return next((m for m in self.models if m.model_id == model_id), None)

    def of(self, model_id: str, benchmark: str) -> Metrics | None:
        """A network's margins on a benchmark, None where it was not evaluated."""
        return self.margins.get(model_id, {}).get(benchmark)

    def correct(self, model_id: str, benchmark: str) -> NDArray[np.bool_] | None:
        """(n,) which samples it gets right."""
        found = self.of(model_id, benchmark)
        return None if found is None else np.asarray(found["margin"] > 0)

    def accuracy(self, model_id: str, benchmark: str) -> float:
        """Share of the samples it gets right; NaN where it was not evaluated."""
        found = self.correct(model_id, benchmark)
        return math.nan if found is None else float(found.mean())


def pruning_view(store: RunStore | None, parent_id: str) -> PruningView | None:
    """What there is of a parent; None before anything of it was pruned.

    Of networks that were pruned alike (method, settings, sparsity, seed, fine-tuning) the newest counts.

    Raises:
        NotFound, DataUnavailable, InvalidInput: the supernet or its data are not here.
    """
    newest: dict[tuple[Any, ...], PrunedModel] = {}
    parent = None
    for model in list_pruned(store, parent_id):
        if model.is_parent:
            parent = parent or model
        else:
            newest.setdefault((model.recipe_key, model.asked, model.seed), model)
    if store is None or parent is None:
        return None
    rows = sorted(newest.values(), key=lambda m: (m.label, m.recipe_key, m.seed, m.asked))
    entry = supernets.find(store, parent.supernet_id)
    probe = evaluation_probe(entry)
    margins: dict[str, dict[str, Metrics]] = {}
    of_runs = store.kept.of_kind(pruned.KIND)
    files = {m.run_id: _Files(store, of_runs.get(m.run_id, {})) for m in (parent, *rows)}
    for model in (parent, *rows):
        _add(margins, model.model_id, files[model.run_id].margins(margins_file(model.index)), probe)
    _add_evaluated(margins, store, parent_id, probe)
    models = tuple(m for m in (parent, *rows) if m.is_parent or m.model_id in margins)
    lost = tuple(failures(store, parent_id))
    key = "/".join(
        [
            place_of(store),
            *(m.sha256[:12] for m in models),
            *(str(len(margins.get(m.model_id, {}))) for m in models),
        ]
    )
    return PruningView(entry, parent, models, probe, margins, lost, key)


def _add_evaluated(
    margins: dict[str, dict[str, Metrics]], store: RunStore, parent_id: str, probe: Probe
) -> None:
    """What `evaluate_pruned` measured later; the newest first, so it is never overwritten."""
    for evaluated in results(store, EvaluatedRecord, KIND, {"parent": parent_id}):
        files = _Files(store, evaluated.files)
        for model_id, name in evaluated.record.files.items():
            _add(margins, model_id, files.margins(name), probe)


def _add(
    margins: dict[str, dict[str, Metrics]], model_id: str, found: StoredMargins | None, probe: Probe
) -> None:
    if found is None or found.fingerprint != probe.fingerprint:
        return
    mine = margins.setdefault(model_id, {})
    for benchmark, values in found.values.items():
        mine.setdefault(benchmark, values)


@dataclass(frozen=True, eq=False)
class _Files:
    """The files of one run: name -> hash."""

    store: RunStore
    sha256: Mapping[str, str]

    def margins(self, name: str) -> StoredMargins | None:
        """The margins in a file; None where it is missing or damaged: the page goes on without this network."""
        sha256 = self.sha256.get(name)
        if sha256 is None:
            return None
        try:
            return _margins.get(sha256, lambda: load_margins(self.store.kept.content(sha256)))
        except (DamagedArtifact, InvalidInput):
            return None


_margins: Cache[StoredMargins] = Cache(1024)


# --- the views ---------------------------------------------------------------------------------------


def columns(view: PruningView, severity: int) -> list[str]:
    """Benchmarks of one severity that any network was evaluated on, clean first."""
    names = [
        CLEAN,
        *(f"{n}@{severity}" for n in corruption_names(view.entry.task)),
        *(f"{n}@{severity}" for n in ATTACKS.names()),
    ]
    return [name for name in names if any(name in each for each in view.margins.values())]


def missing(
    view: PruningView, models: Sequence[PrunedModel], severity: int, attacks: Sequence[str]
) -> list[str]:
    """Ids of networks (parent included) that lack a benchmark of this severity."""
    task = view.entry.task
    wanted = [
        f"{n}@{severity}"
        for n in (
            *corruption_names(task, letters=bool(view.probe.tokenizer)),
            *(attacks if task == "image" else ()),
        )
    ]
    return [m.model_id for m in models if any(view.of(m.model_id, b) is None for b in wanted)]


@dataclass(frozen=True, eq=False)
class Table:
    """Accuracy of networks (rows) on benchmarks (columns).

    Attributes:
        models: rows.
        benchmarks: columns.
        accuracy: (rows, columns) fractions, NaN where not evaluated.
        error: (rows,) mean corruption error relative to the parent, 1 for the parent; NaN if not comparable.
        note: corruptions that could not be compared, "" for none.
    """

    models: tuple[PrunedModel, ...]
    benchmarks: tuple[str, ...]
    accuracy: NDArray[np.float64]
    error: NDArray[np.float64]
    note: str


@kept(32, key=lambda view, models, severity: (view.key, tuple(m.model_id for m in models), severity))
def table(view: PruningView, models: Sequence[PrunedModel], severity: int) -> Table:
    """The evaluation table at one severity; the mean corruption error is over this severity's corruptions.

    Kept while the view is the same.
    """
    shown = columns(view, severity)
    values = np.array([[view.accuracy(m.model_id, b) for b in shown] for m in models]).reshape(
        len(models), len(shown)
    )
    spoiled = [b for b in shown if b != CLEAN and b.partition("@")[0] not in ATTACKS.names()]
    found = [_error(view, m.model_id, spoiled) for m in models]
    return Table(
        tuple(models),
        tuple(shown),
        values,
        np.array([e for e, _ in found]),
        next((n for _, n in found if n), ""),
    )


def _error(view: PruningView, model_id: str, spoiled: Sequence[str]) -> tuple[float, str]:
    both = [
        b
        for b in spoiled
        if view.of(model_id, b) is not None and view.of(view.parent.model_id, b) is not None
    ]
    if not both:
        return math.nan, ""
    errors = [{b: [1 - view.accuracy(each, b)] for b in both} for each in (model_id, view.parent.model_id)]
    found = mean_corruption_error(*errors)
    return found.mean, found.reason


def alike(model: PrunedModel) -> tuple[Any, ...]:
    """Networks that differ in their sparsity alone."""
    return (*model.recipe_key, model.seed)


def numbers_table(view: PruningView, models: Sequence[PrunedModel]) -> pd.DataFrame:
    """One row per network and a column per number that any of them has, objectives first; for a table and for CSV."""
    import pandas as pd

    usual = [stored_as(name) for name in all_names()]
    known = {name for m in models for name in m.numbers}
    names = [n for n in usual if n in known] + sorted(known - set(usual))
    rows = [
        {
            "model": m.model_id,
            "method": m.recipe if not m.is_parent else "not pruned",
            "asked": m.asked,
            "sparsity": m.sparsity,
            **{n: m.numbers.get(n) for n in names},
            **_means(view, m),
            "tuning_epochs": m.tuning_epochs,
            "seed": m.seed,
            "seconds": m.seconds,
            "note": m.note,
        }
        for m in models
    ]
    return pd.DataFrame(rows)


def _means(view: PruningView, model: PrunedModel) -> dict[str, float]:
    """Mean angle (degrees), norm and margin of a network on clean images."""
    found = view.of(model.model_id, CLEAN)
    if found is None:
        return {}
    return {
        "mean_angle": float(np.degrees(found["angle"]).mean()),
        "sd_angle": float(np.degrees(found["angle"]).std()),
        "mean_norm": float(found["norm"].mean()),
        "mean_margin": float(found["margin"].mean()),
    }
