"""`latency`: every subnet of a supernet with its latency on this machine, timed or predicted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.cli import tables
from core.cli.driving import find_supernet, run_workflow
from core.cli.output import write_table
from core.config import Settings
from core.library.latency import LatencyRecord
from core.library.supernets import SupernetEntry
from core.words import format_share


def latency(
    supernet: Annotated[
        str,
        typer.Argument(
            metavar="SUPERNET", help="A shipped name (digits-cnn), an id, or a .safetensors file."
        ),
    ],
    csv: Annotated[Path | None, typer.Option(help="Write the table here as CSV.")] = None,
    name: Annotated[str, typer.Option(help="What the machine is called; its processor if left out.")] = "",
    threads: Annotated[int, typer.Option(help="Threads that one answer may use.")] = 1,
    batch: Annotated[int, typer.Option(help="Samples of one answer.")] = 1,
    on_device: Annotated[
        bool, typer.Option("--on-device", help="By torch on the device that PARETOSCOPE_DEVICE names.")
    ] = False,
    subnets: Annotated[
        int | None, typer.Option(help="Subnets of the sample; as many as the predictor needs if left out.")
    ] = None,
    most: Annotated[int, typer.Option(help="Subnets timed at most, the sample among them.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the sample and of the visiting order.")] = 0,
) -> None:
    """Latency of every subnet on this machine: a sample and all that could be on the front timed, the others predicted."""
    entry = find_supernet(supernet)
    params: Settings = {
        "supernet": tables.absolute(supernet),
        "name": name,
        "threads": threads,
        "batch": batch,
        "on_device": on_device,
        "subnets": subnets,
        "most": most,
        "seed": seed,
    }
    ledger = run_workflow("measure_latency", params, title=f"Latency of {entry.title}", seed=seed)
    record = LatencyRecord.decode(ledger.artifact(LatencyRecord.FILE))
    print(_told(record), file=sys.stderr)
    write_table(csv, latency_csv(entry, record), lambda columns: _about(entry, record, columns))


def latency_csv(entry: SupernetEntry, record: LatencyRecord) -> bytes:
    """Every subnet of a space: `architecture`, `arch_id`, `latency_ms`, `latency_source` (measured or predicted)."""
    import pandas as pd

    from core.library import supernets
    from core.library.csv_tables import csv_bytes
    from core.library.evaluations import source_column
    from core.library.latency import attach

    space = entry.space
    rows = space.array(limit=2_000_000)
    ids = space.arch_ids(rows)
    frame = attach([record], supernets.costs(entry), pd.DataFrame({"arch_id": ids}))
    found = pd.DataFrame(
        {
            "architecture": [json.dumps(space.to_dict(tuple(row))) for row in rows.tolist()],
            "arch_id": ids,
            "latency_ms": frame[record.objective].to_numpy(float),
            "latency_source": frame[source_column(record.objective)],
        }
    )
    return csv_bytes(found)


def _told(record: LatencyRecord) -> str:
    found, protocol = record.validation, record.profile.protocol
    return (
        f"{record.objective}: {len(record.profile.timings.ms):,} subnets timed; unseen ones are predicted with rank "
        f"correlation {found.rank_correlation:.3f} and a median error of {format_share(found.median_error, 1)}; "
        f"the machine moved by {format_share(record.profile.anchors.drift, 1)} in {protocol.seconds:.0f} s."
    )


def _about(entry: SupernetEntry, record: LatencyRecord, columns: list[str]) -> bytes:
    """The description beside the table, as JSON."""
    meanings = {
        "architecture": "choice -> option, as a JSON object",
        "arch_id": "short id of the architecture",
        "latency_ms": "time of one answer, milliseconds",
        "latency_source": "measured: timed; predicted: by what was fitted to the timed ones",
    }
    content = {
        "supernet": {"id": entry.supernet_id, "title": entry.title, "sha256": entry.sha256},
        "objective": record.objective,
        "device": record.profile.device.model_dump(),
        "protocol": record.profile.protocol.model_dump(),
        "cross_validation": record.validation.model_dump(),
        "front": None if record.settled is None else record.settled.model_dump(),
        "date": record.profile.date,
        "columns": {name: {"meaning": meanings.get(name, "")} for name in columns},
    }
    return (json.dumps(content, indent=2) + "\n").encode()
