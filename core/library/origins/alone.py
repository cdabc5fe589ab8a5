"""A network trained alone, from scratch, with the architecture of a subnet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import NotFound
from core.library.alone import AloneNet, find_alone, load_alone
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, ModelInfo, Origin

if TYPE_CHECKING:
    from torch import nn

    from core.library.supernets import SupernetEntry
    from core.store import RunStore


@ORIGINS.register("alone")
class Alone(Origin):
    """A network trained alone; its weights were shared with nobody."""

    label = "Trained alone"
    form = "RUN:NUMBER"

    def describe(self, store: RunStore | None, owner: str, part: str) -> ModelInfo:
        found = find_alone(store, owner, NetworkId("alone", owner, part).number)
        if found is None:
            raise NotFound(
                "This stand-alone network is not on this machine; train it again, or choose another model."
            )
        return alone_info(found)

    def load(self, store: RunStore | None, owner: str, part: str, entry: SupernetEntry) -> nn.Sequential:
        if store is None:
            raise NotFound("Networks trained alone are kept in the store, which cannot be opened.")
        return load_alone(store, owner, NetworkId("alone", owner, part).number)


def alone_info(net: AloneNet) -> ModelInfo:
    """A network trained alone that is at hand."""
    return ModelInfo(
        model_id=net.model_id,
        title=f"{net.arch_id} trained alone, seed {net.seed}",
        short=f"alone, seed {net.seed}",
        supernet_id=net.supernet_id,
        arch_id=net.arch_id,
        origin="alone",
        seed=net.seed,
    )
