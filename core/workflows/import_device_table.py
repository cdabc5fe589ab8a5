"""Import a published table of latency and energy on devices for the cells of a supernet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.library.device_tables import VALUES_FILE, DeviceTableRecord, read_table, require_cells, sentences
from core.library.uploaded import kept_file
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Table of devices"
WEIGHT_CLASS = "light"


class Request(BaseConfig):
    """Which table, for which supernet."""

    supernet: str = Field(description="A supernet of the NAS-Bench-201 family")
    file: str = Field(pattern="^[0-9a-f]{64}$", description="Id of the kept file")
    title: str = Field(min_length=1, max_length=60, description="What the table is called: HW-NAS-Bench")
    data: str = Field(
        "", max_length=60, description="The data the devices were measured on; the file's first if left out"
    )


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Read the file in a confined process; the artifacts are `device_table.json` and its values.

    Raises:
        NotFound: there is no such supernet or file.
        InvalidInput: the supernet is of another space, or the file is no such table.
    """
    yield Progress(0.0, "Reading the table.")
    entry = library.supernet(request.supernet)
    require_cells(entry)
    found, values = read_table(kept_file(request.file), request.data)
    ledger.save_artifact(VALUES_FILE, values, "application/octet-stream")
    chosen = request.data or found.data[0]
    DeviceTableRecord(supernet=entry.sha256, title=request.title, chosen=chosen, found=found).save(ledger)
    yield Progress(1.0, " ".join(sentences(found.columns, entry.space.size)))
