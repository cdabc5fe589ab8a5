"""`costs`: parameters, MACs and other counted quantities of whole spaces, without weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from core.cli.driving import find_supernet
from core.cli.output import write_or_print
from core.cli.tables import names
from core.config import Settings
from core.errors import DataUnavailable, InvalidInput, NotFound
from core.objectives.base import FromCosts, method, names_of
from core.objectives.base import objectives as described
from core.records import Source
from core.seeding import stream
from core.spaces import SearchSpace


def costs(
    supernet: Annotated[
        str,
        typer.Argument(
            metavar="SUPERNET", help="A preset, a .yaml or .safetensors file, an id, or a published space."
        ),
    ],
    sample: Annotated[int, typer.Option(min=0, help="Only this many random architectures.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    objectives: Annotated[str, typer.Option(help="Counted objectives, comma-separated.")] = "params,macs",
    csv: Annotated[Path | None, typer.Option(help="Write the table here as CSV.")] = None,
) -> None:
    """Parameters and MACs of every architecture, counted; no weights needed.

    SUPERNET may be a preset, a space written in YAML (FILE.yaml, counted for digits), or a published space:
    nas-bench-201, nas-bench-macro."""
    write_or_print(csv, costs_csv(supernet, sample, seed, names(objectives)))


def costs_csv(supernet: str, sample: int, seed: int, wanted: Sequence[str] = ("params", "macs")) -> bytes:
    """CSV of counted costs: `architecture`, `arch_str` for cell spaces, the counted objectives.

    Raises:
        InvalidInput: the space is too large to list and no sample was asked for, or an objective is not counted.
    """
    import pandas as pd

    from core.library.csv_tables import csv_bytes

    if others := [name for name in wanted if name not in names_of(FromCosts, wanted)]:
        raise InvalidInput(f"{described(others)[0].label} is not counted; `front` and `search` measure it.")
    space, table, arch_string = _priced(supernet)
    rows = (
        space.array(limit=2_000_000)
        if not sample
        else np.unique(space.sample_array(sample, stream(seed, "costs")), axis=0)
    )
    archs = [tuple(row) for row in rows.tolist()]
    columns: dict[str, Any] = {"architecture": [json.dumps(space.to_dict(arch)) for arch in archs]}
    if arch_string is not None:
        columns["arch_str"] = [arch_string(arch) for arch in archs]
    columns |= {name: table.counted(method(name, FromCosts), rows) for name in wanted}
    columns["source"] = [str(Source.COUNTED)] * len(rows)
    return csv_bytes(pd.DataFrame(columns))


def _priced(supernet: str) -> tuple[SearchSpace, Any, Any]:
    """Space, cost table and, for cell spaces, the function that writes a cell's string."""
    from core.library import supernets
    from core.library.presets import PRESETS, PUBLISHED

    if supernet in PUBLISHED:
        family, config = PUBLISHED[supernet]
    elif supernet.endswith((".yaml", ".yml")):
        from core.supernets.written import read
        from core.workflows.train_supernet import WRITTEN_LIKE

        family, config = "chain", read(written_text(Path(supernet))).config | _from_data(WRITTEN_LIKE)
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
    return net.space, CostTable.of(net), getattr(net, "arch_string", None)


def written_text(file: Path) -> bytes:
    """What a file with a written space holds; no more than such a file may.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read, or is too large.
    """
    from core.supernets.written import MOST_BYTES

    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error


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
