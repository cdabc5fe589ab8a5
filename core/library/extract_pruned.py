"""Turn one pruned network into a file that runs on its own: compact after surgery, or masked at full size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cache import Cache
from core.export import EXPORTERS
from core.library import supernets
from core.library.finished_network import finished_network
from core.library.pruned import PrunedModel, describe_pruned, load_compact, load_masked
from core.records import Source
from core.runtime import heavy_imports
from core.words import count_of, format_share

if TYPE_CHECKING:
    from torch import nn

    from core.export.exporting import Exported
    from core.export.subnet import CardEntry, ExtractedSubnet
    from core.store import RunStore

FORMS = {
    "compact": "Compact: removed units are cut out",
    "masked": "Masked: the parent's shape, removed weights are zero",
}
_files: Cache[Exported] = Cache(16)


def forms(model: PrunedModel) -> dict[str, str]:
    """Forms in which a pruned network can be had: both where units are cut out of a masked network."""
    if model.surgery:
        return dict(FORMS)
    only = "masked" if model.removes == "weights" else "compact"
    return {only: FORMS[only]}


def download(
    store: RunStore, model: PrunedModel, format_name: str = "bundle", form: str = "compact"
) -> Exported:
    """One pruned network as a file, read back and compared before it is handed out. Loads torch.

    Raises:
        NotFound: there is no such network or format.
        DataUnavailable: the data it is measured on are not here.
        CoreError: the file read back did not compute the same.
    """
    EXPORTERS.info(format_name)
    key = (model.model_id, model.sha256, format_name, form)

    def make() -> Exported:
        heavy_imports()
        from core.export.exporting import export_subnet

        return export_subnet(extract_pruned(store, model, form), format_name)

    return _files.get(key, make)


def extract_pruned(store: RunStore, model: PrunedModel, form: str = "compact") -> ExtractedSubnet:
    """A pruned network with everything its card says; accuracies are measured on what is handed out.

    Args:
        store: where it is kept.
        model: which one, not a parent.
        form: "compact" or "masked".

    Raises:
        NotFound, DamagedArtifact, DataUnavailable: it or its data are not here.
    """
    describe_pruned(store, model.run_id, model.index)
    if form == "compact" or not model.surgery:
        net = load_compact(store, model.run_id, model.index)
    else:
        net, _ = load_masked(store, model.run_id, model.index)
    return finished_network(
        net,
        supernets.find(store, model.supernet_id),
        model.arch_id,
        variant=f"{model.method}-{round(100 * model.asked)}{'-masked' * (form == 'masked' and model.surgery)}",
        history=_history(model, form),
        beside={"nonzero": _nonzero(net)},
    )


def _nonzero(net: nn.Module) -> CardEntry:
    from core.export.subnet import CardEntry

    total = sum(int((p != 0).sum()) for p in net.parameters())
    return CardEntry(
        "Parameters that are not zero", total, Source.COUNTED, "Removed weights are zeros in this file."
    )


def _history(model: PrunedModel, form: str) -> str:
    epochs = count_of(model.tuning_epochs, "epoch")
    tuned = f", then fine-tuned for {epochs}" if model.tuning_epochs else ""
    cut = "Removed units are cut out, so this network has smaller layers than the architecture says."
    kept = "Removed weights are zero, the layers have the parent's sizes."
    smaller = model.removes != "weights" and not (form == "masked" and model.surgery)
    return (
        f"Pruned by {model.variant}: {format_share(model.sparsity, 1)} of the convolution and linear weights are gone{tuned}. "
        f"{cut if smaller else kept}"
    )
