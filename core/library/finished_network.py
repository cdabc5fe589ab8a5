"""A network that a run changed, with the card that its download carries: everything measured anew on the file's own weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.library import supernets
from core.tasks.registry import TASKS

if TYPE_CHECKING:
    from torch import nn

    from core.export.subnet import CardEntry, ExtractedSubnet
    from core.library.supernets import SupernetEntry


def finished_network(
    net: nn.Sequential,
    entry: SupernetEntry,
    arch_id: str,
    *,
    variant: str,
    history: str,
    beside: Mapping[str, CardEntry] | None = None,
) -> ExtractedSubnet:
    """What exporters take; loads torch and runs the network on validation and test samples.

    Args:
        net: in eval mode.
        entry: the supernet its architecture is from.
        arch_id: of the architecture.
        variant: what tells its file from others of the architecture.
        history: how it came to be, a sentence.
        beside: what the card says besides costs and accuracies.

    Raises:
        DataUnavailable: the data set is neither here nor reachable.
    """
    from core.export.subnet import (
        MEASURED_SPLITS,
        ExtractedSubnet,
        about_data,
        accuracy_entry,
        macs_entry,
        params_entry,
    )
    from core.networks.costs import count_macs

    dataset = supernets.dataset(entry)
    card = {
        "macs": macs_entry(count_macs(net, dataset.input_shape), TASKS.create(dataset.task).passes),
        "params": params_entry(net),
        **(beside or {}),
    }
    for split in MEASURED_SPLITS:
        name = "accuracy" if split == "validation" else f"{split}_accuracy"
        card[name] = accuracy_entry(net, dataset, split)
    return ExtractedSubnet(
        net=net,
        arch=entry.space.to_dict(entry.space.from_id(arch_id)),
        arch_id=arch_id,
        family=entry.family,
        supernet=entry.title,
        task=dataset.task,
        input_shape=dataset.input_shape,
        classes=dataset.classes,
        card=card,
        data=about_data(dataset),
        variant=variant,
        history=history,
        tokenizer=dataset.tokenizer,
    )
