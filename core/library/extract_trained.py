"""Turn one network that was tuned or trained alone into a file that runs on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cache import Cache
from core.errors import InvalidInput
from core.export import EXPORTERS
from core.library import supernets
from core.library.alone import find_alone, load_alone
from core.library.finished_network import finished_network
from core.library.network_id import NetworkId
from core.library.networks import describe
from core.library.tuned import find_tuned
from core.runtime import heavy_imports
from core.words import count_of

if TYPE_CHECKING:
    from torch import nn

    from core.export.exporting import Exported
    from core.export.subnet import ExtractedSubnet
    from core.store import RunStore

_files: Cache[Exported] = Cache(16)


def download(store: RunStore, model_id: str, format_name: str = "bundle") -> Exported:
    """One network as a file, read back and compared before it is handed out. Loads torch.

    Args:
        store: where it is kept.
        model_id: of a network that was tuned or trained alone.
        format_name: an exporter.

    Raises:
        NotFound: there is no such network or format.
        InvalidInput: the id names a network of another origin.
        DataUnavailable: the data it is measured on are not here.
        CoreError: the file read back did not compute the same.
    """
    EXPORTERS.info(format_name)
    sha256 = store.kept.of_run(NetworkId.parse(model_id).owner)
    key = (model_id, tuple(sorted(sha256.items())), format_name)

    def make() -> Exported:
        heavy_imports()
        from core.export.exporting import export_subnet

        return export_subnet(extract_trained(store, model_id), format_name)

    return _files.get(key, make)


def extract_trained(store: RunStore, model_id: str) -> ExtractedSubnet:
    """A network with everything its card says; accuracies are measured on what is handed out.

    Raises:
        NotFound, InvalidInput, DamagedArtifact, DataUnavailable: it or its data are not here.
    """
    info = describe(store, model_id)
    net, variant, history = _loaded(store, NetworkId.parse(model_id))
    entry = supernets.find(store, info.supernet_id)
    return finished_network(net, entry, info.arch_id, variant=variant, history=history)


def _loaded(store: RunStore, which: NetworkId) -> tuple[nn.Sequential, str, str]:
    """The network, what tells its file from others, and how it came to be."""
    if which.origin == "tuned" and (tuned := find_tuned(store, which.owner, which.number)):
        variant = f"{tuned.start}-{tuned.epochs}-seed-{tuned.seed}"
        return load_alone(store, which.owner, which.number), variant, tuned.history
    if which.origin == "alone" and (alone := find_alone(store, which.owner, which.number)):
        history = f"Trained alone, from scratch, for {count_of(alone.epochs, 'epoch')} at learning rate {alone.learning_rate:g}, seed {alone.seed}."
        return (
            load_alone(store, which.owner, which.number),
            f"alone-{alone.epochs}-seed-{alone.seed}",
            history,
        )
    raise InvalidInput("Only networks that were tuned or trained alone are downloaded so.")
