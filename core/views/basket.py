"""A basket as a table and as a report: its networks with what is known of each, and the supernets they come from.

Networks of several supernets may lie in one basket. One that no longer exists stays in it and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import CoreError
from core.library import networks, supernets
from core.library.fronts import Front, front
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, Known, ModelInfo
from core.library.supernets import SupernetEntry
from core.objectives.base import known_names, objective, usual_pair
from core.records import Objective
from core.supernets.stage_cost import StageCost

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.baskets import BasketItem


@dataclass(frozen=True)
class BasketNetwork:
    """A network of a basket.

    Attributes:
        network_id: as it stands in the basket.
        title: what it is called; what it was called where it is gone.
        kind: "Subnet", "Pruned", ...
        info: None where it no longer exists.
        known: what was found out about it.
        missing: the sentence about one that no longer exists, "" otherwise.
    """

    network_id: str
    title: str
    kind: str
    info: ModelInfo | None
    known: Known
    missing: str = ""

    @property
    def supernet_id(self) -> str:
        return self.info.supernet_id if self.info else ""


@dataclass(frozen=True, eq=False)
class BasketSupernet:
    """A supernet that networks of a basket come from.

    Attributes:
        entry: of the library.
        front: of its complete table, None where the whole space was not measured.
        x, y: objectives of the front.
    """

    entry: SupernetEntry
    front: Front | None
    x: Objective | None
    y: Objective | None


@dataclass(frozen=True, eq=False)
class BasketView:
    """What is known of everything in a basket.

    Attributes:
        networks: in the basket's order.
        goals: objectives that at least one of them has a value of.
    """

    networks: tuple[BasketNetwork, ...]
    goals: tuple[Objective, ...]

    @property
    def found(self) -> tuple[BasketNetwork, ...]:
        """Those that exist."""
        return tuple(each for each in self.networks if each.info)


def basket_view(store: RunStore | None, items: Iterable[BasketItem]) -> BasketView:
    """The networks of a basket with their numbers; nothing is measured, and no torch is loaded for it."""
    shown = tuple(_network(store, item.network_id, item.title) for item in items)
    names = {name for each in shown for name in each.known.values}
    return BasketView(shown, tuple(objective(name) for name in known_names(names)))


def networks_view(store: RunStore | None, network_ids: Iterable[str]) -> BasketView:
    """The same of networks named by their ids, as on a command line.

    Raises:
        NotFound, InvalidInput: one of them does not exist.
    """
    shown = []
    for network_id in dict.fromkeys(network_ids):
        networks.describe(store, network_id)
        shown.append(_network(store, network_id, network_id))
    names = {name for each in shown for name in each.known.values}
    return BasketView(tuple(shown), tuple(objective(name) for name in known_names(names)))


def _network(store: RunStore | None, network_id: str, title: str) -> BasketNetwork:
    which = NetworkId.find(network_id)
    kind = ORIGINS.info(which.origin).label if which else ""
    try:
        info = networks.describe(store, network_id)
        return BasketNetwork(network_id, info.title, kind, info, networks.known(store, network_id))
    except CoreError as error:
        return BasketNetwork(network_id, title, kind, None, Known(), str(error))


def basket_supernets(
    store: RunStore | None, view: BasketView, axes: Mapping[str, tuple[str, str]] | None = None
) -> tuple[BasketSupernet, ...]:
    """The supernets of a basket's networks, in the order they first appear, each with its front.

    Args:
        store: where runs are kept.
        view: of the basket.
        axes: supernet id -> (x, y) of its front; accuracy over MACs where nothing is said.
    """
    found = []
    for supernet_id in dict.fromkeys(each.supernet_id for each in view.found):
        try:
            entry = supernets.find(store, supernet_id)
        except CoreError:  # a network trained alone outlives its supernet
            continue
        found.append(_supernet(entry, (axes or {}).get(supernet_id)))
    return tuple(found)


def _supernet(entry: SupernetEntry, axes: tuple[str, str] | None) -> BasketSupernet:
    try:
        table = supernets.table_with_counts(entry)
    except CoreError:  # damaged: its page says so
        table = None
    if table is None or table.empty:
        return BasketSupernet(entry, None, None, None)
    measured = [name for name in known_names(table.columns) if table[name].notna().any()]
    if axes is None or not set(axes) <= set(measured):
        pair = usual_pair(measured)
        axes = (pair[1], pair[0]) if pair else None
    if axes is None:
        return BasketSupernet(entry, None, None, None)
    return BasketSupernet(entry, front(table, axes), objective(axes[0]), objective(axes[1]))


def stages_of(
    supernet: SupernetEntry | None, network: BasketNetwork
) -> tuple[Sequence[StageCost], Sequence[StageCost]]:
    """Stages of a network's architecture and of its supernet's largest; nothing where the supernet is gone."""
    if supernet is None or network.info is None:
        return (), ()
    arch = supernet.space.from_id(network.info.arch_id)
    return supernets.stage_rows(supernet, arch), supernets.stage_rows(supernet, supernet.reference)
