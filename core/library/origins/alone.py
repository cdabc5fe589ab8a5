"""A network trained alone, from scratch, with the architecture of a subnet."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from core.errors import CoreError, NotFound
from core.library import supernets
from core.library.alone import AloneNet, find_alone, load_alone, net_file
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, Known, ModelInfo, Origin
from core.library.origins.subnet import counted
from core.records import Obtained, Source
from core.words import count_of

if TYPE_CHECKING:
    from torch import nn

    from core.library.supernets import SupernetEntry
    from core.store import RunStore

_GONE = "This stand-alone network is not on this machine; train it again, or choose another network."


@ORIGINS.register("alone")
class Alone(Origin):
    """A network trained alone; its weights were shared with nobody."""

    label = "Trained alone"
    form = "RUN:NUMBER"

    def describe(self, store: RunStore | None, owner: str, part: str) -> ModelInfo:
        found = find_alone(store, owner, NetworkId("alone", owner, part).number)
        if found is None:
            raise NotFound(_GONE)
        return alone_info(found)

    def known(self, store: RunStore | None, owner: str, part: str) -> Known:
        net = find_alone(store, owner, NetworkId("alone", owner, part).number)
        if net is None:
            raise NotFound(_GONE)
        trained = {"accuracy": net.accuracy, "test_accuracy": net.test_accuracy}
        costs: dict[str, float] = {}
        with suppress(CoreError):  # the supernet is gone; what was trained is still there
            costs = counted(supernets.find(store, net.supernet_id), net.arch_id)
        obtained = dict.fromkeys(costs, Obtained(Source.COUNTED))
        facts = (
            (
                "Trained",
                f"alone, from scratch, for {count_of(net.epochs, 'epoch')} at learning rate {net.learning_rate:g}",
            ),
            ("Seed", str(net.seed)),
        )
        obtained |= dict.fromkeys(trained, Obtained(Source.TRAINED))
        sha256 = store.kept.of_run(owner).get(net_file(net.index), "") if store else ""
        return Known(costs | trained, obtained, facts, sha256)

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
