"""A subnet, cut out of its supernet and calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import InvalidInput
from core.library import supernets
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, ModelInfo, Origin
from core.library.supernets import SupernetEntry

if TYPE_CHECKING:
    from torch import nn

    from core.store import RunStore


@ORIGINS.register("subnet")
class Subnet(Origin):
    """A subnet of a supernet, with its weights and with statistics of its own."""

    label = "Subnet"
    form = "SUPERNET:ARCHITECTURE"

    def describe(self, store: RunStore | None, owner: str, part: str) -> ModelInfo:
        return subnet_info(supernets.find(store, owner), part)

    def load(self, store: RunStore | None, owner: str, part: str, entry: SupernetEntry) -> nn.Sequential:
        supernet, arch = supernets.load(entry), entry.space.from_id(part)
        return supernet.extract(arch, supernet.calibrate_on(arch, supernets.dataset(entry)))


def subnet_info(entry: SupernetEntry, arch_id: str) -> ModelInfo:
    """A subnet of a supernet that is at hand.

    Raises:
        InvalidInput: there is no such architecture.
    """
    arch = entry.space.from_id(arch_id)
    if entry.space.arch_id(arch) != arch_id:
        raise InvalidInput(f"{arch_id!r} is not the id of an architecture of {entry.title}.")
    names = dict(zip(entry.space.ends or (), ("smallest", "largest"), strict=False))
    named = f" ({names[arch]})" if arch in names else ""
    return ModelInfo(
        model_id=str(NetworkId.subnet(entry.supernet_id, arch_id)),
        title=f"{entry.title} {arch_id}{named}",
        short=arch_id,
        supernet_id=entry.supernet_id,
        arch_id=arch_id,
        origin="subnet",
        seed=entry.card.seed or 0,
    )
