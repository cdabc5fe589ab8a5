"""Commands for devices of one's own and published ones: measuring kits, their profiles, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli import tables
from core.cli.driving import find_supernet, run_workflow
from core.cli.output import read_file, write
from core.config import Settings
from core.library import device_tables, profiles
from core.library.device_tables import DeviceTableRecord
from core.library.latency import LatencyRecord
from core.library.measuring_kits import KIT_FILE
from core.library.uploaded import keep_file

SupernetName = Annotated[
    str,
    typer.Argument(metavar="SUPERNET", help="A shipped name (digits-cnn), an id, or a .safetensors file."),
]


def measuring_kit(
    supernet: SupernetName,
    out: Annotated[Path, typer.Option(help="The .zip to write.")],
    subnets: Annotated[
        int | None, typer.Option(help="Subnets in it; as many as the predictor of latency needs if left out.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Samples of one answer.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of one answer.")] = 1,
    precision: Annotated[str, typer.Option(help="fp32 or int8 (onnxruntime only).")] = "fp32",
    runtime: Annotated[
        str, typer.Option(help="onnxruntime, or torch (which uses CUDA where there is one).")
    ] = "onnxruntime",
    after: Annotated[
        str,
        typer.Option(
            help="Objective of an earlier profile: a second kit, with all that could be on its front."
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the sample of subnets.")] = 0,
) -> None:
    """A zip that times sampled subnets on any device; `add-profile` takes the profile.json that it writes."""
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "subnets": subnets,
        "batch": batch,
        "threads": threads,
        "precision": {"fp32": "float32"}.get(precision, precision),
        "runtime": runtime,
        "after": after,
        "seed": seed,
    }
    ledger = run_workflow("make_kit", params, title=f"measuring kit of {supernet}", seed=seed)
    write(out, ledger.artifact(KIT_FILE))
    print(out)


def add_profile(
    supernet: SupernetName,
    profile: Annotated[Path, typer.Argument(help="The profile.json that a measuring kit wrote.")],
) -> None:
    """Make a kit's profile an objective: the latency of every subnet on that device, with its error."""
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "file": keep_file(read_file(profile, profiles.MOST_BYTES)),
    }
    ledger = run_workflow("add_profile", params, title=f"profile of {supernet}")
    record = LatencyRecord.decode(ledger.artifact(LatencyRecord.FILE))
    print(record.profile.objective)


def device_table(
    supernet: SupernetName,
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet: arch_str, pixel3_latency, eyeriss_energy, ...")
    ],
    title: Annotated[str, typer.Option(help="What the table is called; the file's name if left out.")] = "",
    data: Annotated[str, typer.Option(help="The data that devices were measured on: cifar10, ...")] = "",
) -> None:
    """Import published latency and energy on devices for a NAS-Bench-201 supernet; prints the new objectives."""
    device_tables.require_cells(find_supernet(supernet))
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "file": keep_file(read_file(file, device_tables.MOST_BYTES)),
        "title": title or file.stem[:60],
        "data": data,
    }
    ledger = run_workflow("import_device_table", params, title=f"{params['title']} for {supernet}")
    found = DeviceTableRecord.decode(ledger.artifact(DeviceTableRecord.FILE)).found
    size = find_supernet(supernet).space.size
    for column in found.columns:
        missing = f"  ({column.missing:,} of {size:,} cells were never measured)" if column.missing else ""
        print(f"{column.objective}{missing}")
