"""`costs`: counted quantities of architectures, no weights needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.cli.driving import find_supernet
from core.config import Settings
from core.errors import DataUnavailable, InvalidInput
from core.objectives.base import FromCosts, method, names_of
from core.objectives.base import objectives as described
from core.records import Source
from core.seeding import stream

if TYPE_CHECKING:
    from core.evaluation.costs import CostTable
    from core.supernets.base import Supernet


def costs_csv(
    supernet: str, sample: int, seed: int, wanted: Sequence[str] = ("params", "macs"), arch: str = ""
) -> bytes:
    """CSV of counted costs: `architecture`, `arch_str` for cell spaces, the counted objectives.

    Args:
        supernet: its name, a preset's or a published space's, or a file with a written space, counted for digits.
        sample: so many random architectures; 0 for all.
        seed: of the sample.
        wanted: counted objectives.
        arch: these architectures alone; see `core.cli.given.architectures`.

    Raises:
        InvalidInput: the space is too large to list and no sample was asked for, an objective is not counted, or an
            architecture is not of this space.
    """
    import pandas as pd

    from core.library.csv_tables import csv_bytes

    if others := [name for name in wanted if name not in names_of(FromCosts, wanted)]:
        raise InvalidInput(f"{described(others)[0].label} is not counted; `front` and `search` measure it.")
    net, table = _priced(supernet)
    space, arch_string = net.space, getattr(net, "arch_string", None)
    if arch:
        from core.cli.given import architectures

        rows = np.array(architectures(net, arch), np.uint8)
    elif sample:
        rows = np.unique(space.sample_array(sample, stream(seed, "costs")), axis=0)
    else:
        rows = space.array(limit=2_000_000)
    archs = [tuple(row) for row in rows.tolist()]
    columns: dict[str, Any] = {"architecture": [json.dumps(space.to_dict(arch)) for arch in archs]}
    if arch_string is not None:
        columns["arch_str"] = [arch_string(arch) for arch in archs]
    columns |= {name: table.counted(method(name, FromCosts), rows) for name in wanted}
    columns["source"] = [str(Source.COUNTED)] * len(rows)
    return csv_bytes(pd.DataFrame(columns))


def _priced(supernet: str) -> tuple[Supernet, CostTable]:
    """A supernet without its weights, and its cost table."""
    from core.library import supernets
    from core.library.presets import AUTHORS, PRESETS, PUBLISHED

    if supernet in PUBLISHED:
        family, config = PUBLISHED[supernet]
    elif supernet in AUTHORS:
        from core.supernets.families import FAMILIES

        family, told = AUTHORS[supernet]
        config = FAMILIES.get(family).Config.published(**told).model_dump(mode="json")
    elif supernet.endswith((".yaml", ".yml")):
        from core.cli.given import written_space
        from core.workflows.train_supernet import WRITTEN_LIKE

        family, config = "chain", written_space(Path(supernet)).config | _from_data(WRITTEN_LIKE)
    elif supernet in PRESETS and not any(e.supernet_id == supernet for e in supernets.entries()):
        family, config = PRESETS[supernet]["family"], PRESETS[supernet]["config"] | _from_data(supernet)
    else:
        entry = find_supernet(supernet)
        family, config = entry.family, entry.header["config"]
    from core.evaluation.costs import CostTable
    from core.networks.outline import outline
    from core.supernets.files import build

    with outline():
        net = build(family, dict(config))
    return net, CostTable.of(net)


def _from_data(preset: str) -> Settings:
    """What a preset's data decide of its configuration; nothing where they are not on this machine."""
    from core.datasets import load_dataset
    from core.library.presets import PRESETS
    from core.tasks.base import task_of

    data = PRESETS[preset]["data"]
    try:
        dataset = load_dataset(data["name"], seed=data["seed"], **data["config"])
    except DataUnavailable:
        return {}
    return task_of(dataset).settings_from(dataset)
