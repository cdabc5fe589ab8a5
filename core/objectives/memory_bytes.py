"""Memory of a language model in use."""

from __future__ import annotations

from typing import ClassVar

from core.objectives.base import OBJECTIVES, Counted, FromProfile
from core.records import Shown


@OBJECTIVES.register("memory_bytes")
class MemoryBytes(Counted, FromProfile):
    """Bytes of the weights at a precision, and of the KV cache of a batch of texts as long as a context: both set by sliders.

    It follows from two columns of a table (see `core.views.memory`), so nothing measures it and no search needs it.
    """

    label = "Memory"
    unit = "bytes"
    shown = Shown(symbol="B", prefixes=True)
    place = 28
    tasks: ClassVar[tuple[str, ...]] = ("language",)
    summary = (
        "Bytes of the weights at a precision, and of the KV cache of a batch of texts as long as a context. "
        "Counted, not measured; the sliders set all three."
    )
