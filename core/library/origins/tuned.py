"""A subnet that was trained further on its own, or the same network from scratch for as long."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from core.errors import CoreError, NotFound
from core.library import supernets
from core.library.alone import load_alone
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, Known, ModelInfo, Origin
from core.library.origins.subnet import counted
from core.library.tuned import TunedNet, find_tuned
from core.records import Obtained, Source
from core.words import count_of

if TYPE_CHECKING:
    from torch import nn

    from core.library.supernets import SupernetEntry
    from core.store import RunStore

_GONE = "This tuned network is not on this machine; tune the subnet again, or choose another network."
_SHORT = {"tuned": "tuned", "scratch": "from scratch"}


@ORIGINS.register("tuned")
class Tuned(Origin):
    """A subnet trained further on its own, or the same network trained from scratch for as long."""

    label = "Tuned"
    form = "RUN:NUMBER"

    def describe(self, store: RunStore | None, owner: str, part: str) -> ModelInfo:
        return tuned_info(_found(store, owner, part))

    def known(self, store: RunStore | None, owner: str, part: str) -> Known:
        net = _found(store, owner, part)
        costs: dict[str, float] = {}
        with suppress(CoreError):  # the supernet is gone; what was trained is still there
            costs = counted(supernets.find(store, net.supernet_id), net.arch_id)
        obtained = dict.fromkeys(costs, Obtained(Source.COUNTED))
        obtained |= dict.fromkeys(net.numbers, Obtained(Source.TRAINED, _SHORT[net.start]))
        facts = (("Trained", net.history), ("Seed", str(net.seed)))
        return Known(costs | dict(net.numbers), obtained, facts, net.sha256)

    def load(self, store: RunStore | None, owner: str, part: str, entry: SupernetEntry) -> nn.Sequential:
        if store is None:
            raise NotFound("Tuned networks are kept in the store, which cannot be opened.")
        return load_alone(store, owner, NetworkId("tuned", owner, part).number)


def _found(store: RunStore | None, owner: str, part: str) -> TunedNet:
    found = find_tuned(store, owner, NetworkId("tuned", owner, part).number)
    if found is None:
        raise NotFound(_GONE)
    return found


def tuned_info(net: TunedNet) -> ModelInfo:
    """A network of a tuning that is at hand."""
    how = _SHORT[net.start]
    return ModelInfo(
        model_id=net.model_id,
        title=f"{net.arch_id} {how}, {count_of(net.epochs, 'epoch')}, seed {net.seed}",
        short=f"{how}, seed {net.seed}",
        supernet_id=net.supernet_id,
        arch_id=net.arch_id,
        origin="tuned",
        seed=net.seed,
    )
