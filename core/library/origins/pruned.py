"""A network that was pruned, after surgery: as it is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import NotFound
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, ModelInfo, Origin
from core.library.pruned import PARENT, describe_pruned, load_compact

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
            short=f"{found.label}, {found.asked:.0%}",
            supernet_id=found.supernet_id,
            arch_id=found.arch_id,
            origin="pruned",
            seed=found.seed,
            stages=found.stages,
        )

    def load(self, store: RunStore | None, owner: str, part: str, entry: SupernetEntry) -> nn.Sequential:
        if store is None:
            raise NotFound("Pruned networks are kept in the store, which cannot be opened.")
        return load_compact(store, owner, NetworkId("pruned", owner, part).number)
