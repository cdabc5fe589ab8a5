"""Make a measuring kit: a zip of sampled subnets that a person times on a device of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.config import BaseConfig
from core.library import supernets
from core.library.latency import identity_of
from core.library.measuring_kits import KIT_FILE, MOST_SUBNETS, plan_after, plan_kit
from core.records import Progress
from core.words import format_bytes

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Measuring kit"
WEIGHT_CLASS = "light"


class Request(BaseConfig):
    """Which subnets, and how they are to be measured."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    subnets: int | None = Field(
        None,
        ge=8,
        le=MOST_SUBNETS,
        description="Subnets in the kit; as many as the predictor of latency needs if left out",
    )
    runtime: Literal["onnxruntime", "torch"] = Field(
        "onnxruntime", description="What runs them on the device"
    )
    precision: Literal["float32", "int8"] = Field("float32", description="Of weights and activations")
    threads: int = Field(1, ge=1, le=64, description="Threads of one answer")
    batch: int = Field(1, ge=1, le=256, description="Samples of one answer")
    after: str = Field(
        "",
        max_length=120,
        description="Objective of an earlier profile: its subnets, and all that could be on its front",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the sample of subnets")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Write one subnet after the other; the artifact is `kit.zip`. Needs no data.

    Raises:
        NotFound, InvalidInput: there is no such supernet, or the settings contradict each other.
        CoreError: the subnets cannot be written for this runtime.
    """
    yield Progress(0.0, "Choosing subnets.")
    from core.export.measuring_kit import KitMaker, Terms

    entry = library.supernet(request.supernet)
    if request.after:
        plan = plan_after(library.store, entry, request.after)
    else:
        plan = plan_kit(entry, request.subnets, request.seed)
    terms = Terms(request.runtime, request.precision, request.threads, request.batch)
    kit = KitMaker(supernets.load(entry), terms)
    for number, arch in enumerate(plan.archs):
        yield Progress(number / len(plan.archs), f"Subnet {number + 1} of {len(plan.archs)}.")
        kit.add(arch)
    data = kit.zip(plan.anchors, identity_of(entry).model_dump())
    ledger.save_artifact(KIT_FILE, data, "application/zip")
    yield Progress(1.0, f"{len(plan.archs):,} subnets, {format_bytes(len(data))}.")
