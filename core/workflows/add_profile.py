"""Make a profile that a measuring kit wrote into an objective: the latency of every subnet on that device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.library.profiles import fitted, foreign_profile, said
from core.library.uploaded import kept_file
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Profile of a device"
WEIGHT_CLASS = "light"


class Request(BaseConfig):
    """Which profile, for which supernet."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    file: str = Field(pattern="^[0-9a-f]{64}$", description="Id of the kept profile.json")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Read the profile in a confined process and fit the predictor; the artifact is `latency.json`.

    Raises:
        NotFound: there is no such supernet or file.
        InvalidInput: the profile is damaged, half, or of another supernet.
    """
    yield Progress(0.0, "Reading the profile.")
    entry = library.supernet(request.supernet)
    profile = foreign_profile(kept_file(request.file), entry)
    yield Progress(0.3, "Fitting the predictor of latency.")
    record = fitted(profile, entry)
    record.save(ledger)
    yield Progress(1.0, said(record))
