"""A network that was pruned, after surgery: as it is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import NotFound
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, Known, ModelInfo, Origin
from core.library.pruned import PARENT, PrunedModel, describe_pruned, load_compact, net_file, objective_values
from core.objectives.base import FromCosts, FromFiles, names_of
from core.records import Obtained, Source
from core.words import count_of, format_share

if TYPE_CHECKING:
    from torch import nn

    from core.library.supernets import SupernetEntry
    from core.store import RunStore


@ORIGINS.register("pruned")
class Pruned(Origin):
    """A pruned network, compact where units were cut out of it."""

    label = "Pruned"
    form = "RUN:NUMBER"

    def describe(self, store: RunStore | None, owner: str, part: str) -> ModelInfo:
        index = NetworkId("pruned", owner, part).number
        if index == PARENT:
            raise NotFound("A pruned network is named by its run and a number from 1.")
        found = describe_pruned(store, owner, index)
        return ModelInfo(
            model_id=found.model_id,
            title=f"{found.arch_id}: {found.title}",
            short=f"{found.label}, {format_share(found.asked)}",
            supernet_id=found.supernet_id,
            arch_id=found.arch_id,
            origin="pruned",
            seed=found.seed,
            stages=found.stages,
        )

    def known(self, store: RunStore | None, owner: str, part: str) -> Known:
        found = describe_pruned(store, owner, NetworkId("pruned", owner, part).number)
        values = objective_values(found)
        counted = set(names_of(FromCosts, values))
        timed = set(names_of(FromFiles, values))
        obtained = {
            name: Obtained(Source.COUNTED, "after surgery")
            if name in counted
            else Obtained(
                Source.MEASURED, "" if name in timed else "after fine-tuning" if _tuned(found) else ""
            )
            for name in values
        }
        sha256 = store.kept.of_run(owner).get(net_file(found.index), "") if store else ""
        return Known(values, obtained, _facts(found), sha256)

    def load(self, store: RunStore | None, owner: str, part: str, entry: SupernetEntry) -> nn.Sequential:
        if store is None:
            raise NotFound("Pruned networks are kept in the store, which cannot be opened.")
        return load_compact(store, owner, NetworkId("pruned", owner, part).number)


def _tuned(found: PrunedModel) -> bool:
    return found.tuning_epochs > 0 and "zero_shot" in found.numbers


def _facts(found: PrunedModel) -> tuple[tuple[str, str], ...]:
    settings = ", ".join(f"{name} {value}" for name, value in found.config) or "the method's own"
    facts = [
        ("Pruned from", found.parent_id),
        ("Method", found.label),
        ("Settings", settings),
        ("Asked to remove", f"{format_share(found.asked, 1)} of the weights"),
        ("Removed", f"{format_share(found.sparsity, 1)} of the weights"),
        (
            "Fine-tuning",
            count_of(found.tuning_epochs, "epoch") if _tuned(found) else "none, or by the method itself",
        ),
        ("Seed", str(found.seed)),
    ]
    return (*facts, ("Note", found.note)) if found.note else tuple(facts)
