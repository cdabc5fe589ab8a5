"""What there is to work with, as one object: whoever starts work makes it and hands it in.

A worker makes it for its run, the command line for its command, a page for its session, a test for itself.
It holds the store, or None where there is none; then only what is shipped and what lies in files is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import StorageFailed
from core.library import networks, supernets
from core.library.benchmarks import Judge
from core.library.networks import Model, ModelInfo
from core.library.supernets import SupernetEntry

if TYPE_CHECKING:
    from core.library.benchmarks import Judge
    from core.store import RunStore


@dataclass(frozen=True, eq=False)
class Library:
    """Supernets, networks and kept results of one installation.

    Attributes:
        store: where runs and uploads are kept; None without one.
    """

    store: RunStore | None = None

    def require_store(self) -> RunStore:
        """The store.

        Raises:
            StorageFailed: there is none.
        """
        if self.store is None:
            raise StorageFailed("This needs the store, which cannot be opened here.")
        return self.store

    def supernets(self) -> list[SupernetEntry]:
        """Every supernet: shipped ones first, then what was trained or uploaded here, newest first."""
        return supernets.entries(self.store)

    def supernet(self, name: str) -> SupernetEntry:
        """The supernet of a shipped name, an id, or a .safetensors file.

        Raises:
            NotFound: there is none.
            InvalidInput: the file is not a supernet.
        """
        return supernets.resolve(self.store, name)

    def describe(self, network_id: str) -> ModelInfo:
        """What a network is, without loading it.

        Raises:
            NotFound, InvalidInput: there is none of this id, or the text is no id.
        """
        return networks.describe(self.store, network_id)

    def network(self, network_id: str) -> Model:
        """A network ready to be run. Loads torch.

        Raises:
            NotFound, InvalidInput: as `describe`.
            DataUnavailable: a subnet's statistics need the supernet's data, which are not here.
        """
        return networks.load_model(self.store, network_id)

    def judge(self, entry: SupernetEntry, *, seed: int = 0) -> Judge:
        """What pruned networks of a supernet are evaluated with; severities are calibrated once. Loads torch."""
        return Judge.of(self.store, entry, seed=seed)
