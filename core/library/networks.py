"""The networks that can be compared, each by its id (see `core.library.network_id`).

An id is all that a link, a session or a stored run keeps. Describing a network needs no torch; loading one
gives an `nn.Sequential` of plain layers whose children are its stages. Loaded networks are shared between
sessions and kept a while: nobody writes into them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.cache import Cache
from core.library import supernets
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, Known, ModelInfo
from core.library.supernets import SupernetEntry
from core.runtime import heavy_imports

if TYPE_CHECKING:
    from torch import nn

    from core.datasets.base import Dataset
    from core.store import RunStore

MOST_MODELS = 8
"""More are not compared at once: a chart of nine is not read."""


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded network.

    Attributes:
        info: what it is.
        net: stages as children, eval mode, no gradients; takes pixels in [0, 1], returns logits.
        labels: a name for each stage.
        key: changes whenever weights or architecture do; part of every cache key.
        entry: the supernet it belongs to.
    """

    info: ModelInfo
    net: nn.Sequential
    labels: tuple[str, ...]
    key: str
    entry: SupernetEntry

    @property
    def dataset(self) -> Dataset:
        """The data its supernet was trained on.

        Raises:
            DataUnavailable, InvalidInput: see `supernets.dataset`.
        """
        return supernets.dataset(self.entry)


def subnet_id(entry: SupernetEntry, arch_id: str) -> str:
    """The id of a subnet, as text."""
    return str(NetworkId.subnet(entry.supernet_id, arch_id))


def describe(store: RunStore | None, model_id: str) -> ModelInfo:
    """What a network is, without loading it.

    Raises:
        NotFound: there is no such supernet, run or architecture.
        InvalidInput: the text is no id.
    """
    which = NetworkId.parse(model_id)
    return ORIGINS.create(which.origin).describe(store, which.owner, which.part)


def known(store: RunStore | None, model_id: str) -> Known:
    """The numbers there are of a network, without measuring anything.

    Raises:
        NotFound, InvalidInput: as `describe`.
    """
    which = NetworkId.parse(model_id)
    return ORIGINS.create(which.origin).known(store, which.owner, which.part)


def load_model(store: RunStore | None, model_id: str) -> Model:
    """A network ready to be run. Loads torch.

    Raises:
        NotFound, InvalidInput: as `describe`.
        DataUnavailable: a subnet's statistics need the supernet's data, which are not here.
    """
    heavy_imports()
    info = describe(store, model_id)
    entry = supernets.find(store, info.supernet_id)
    key = hashlib.sha256(f"{entry.sha256}/{model_id}".encode()).hexdigest()
    return _models.get((entry.place, key), lambda: _loaded(store, info, entry, key))


_models: Cache[Model] = Cache(64)


def _loaded(store: RunStore | None, info: ModelInfo, entry: SupernetEntry, key: str) -> Model:
    which = NetworkId.parse(info.model_id)
    net = ORIGINS.create(which.origin).load(store, which.owner, which.part, entry)
    rows = supernets.stage_rows(entry, entry.space.from_id(info.arch_id))
    return Model(info, net, info.stages or tuple(row.label for row in rows), key, entry)
