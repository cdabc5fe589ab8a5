"""The exporter contract: bytes from a subnet, and outputs from those bytes alone.

A page or the command line calls `core.export.exporting.export_subnet`, in whatever thread it runs.
That calls `export`, then `run` on the result: an exporter proves its own bytes before anybody gets
them. Exporters keep no state, and equal subnets give equal bytes, so a download can be cached and a
hash published. No torch is imported here: pages list the formats at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from core.config import Plugin
from core.registry import PluginInfo, Registry

if TYPE_CHECKING:
    from torch import Tensor

    from core.export.subnet import ExtractedSubnet

EXPORTERS: Registry[Exporter] = Registry("exporter", "core.export", "EXPORTERS")


class Exporter(Plugin, ABC):
    """One file format.

    Attributes:
        suffix: ending of the file name, without the dot.
        media_type: for the browser.
        tolerance: largest difference of logits, as a share of the largest logit (at least 1), that
            counts as equal. Not 0 even where the weights are equal to the last bit: torch picks
            other kernels in all threads while one of them traces a program.
        families: registry names of the families whose subnets can be written, one space between them; "" for all.
    """

    suffix: ClassVar[str]
    media_type: ClassVar[str]
    tolerance: ClassVar[float] = 1e-5
    families: ClassVar[str] = ""

    @abstractmethod
    def export(self, subnet: ExtractedSubnet) -> bytes:
        """The file's bytes; equal for equal subnets.

        Raises:
            CoreError: this subnet cannot be written in this format.
        """

    @abstractmethod
    def run(self, data: bytes, subnet: ExtractedSubnet, inputs: Any) -> Tensor:
        """Outputs (n, classes) for n samples, computed from the exported bytes.

        Args:
            data: what `export` returned.
            subnet: the original; a format that holds only weights, or only code, borrows the rest.
            inputs: what the subnet takes.

        Raises:
            CoreError: the bytes are not what `export` writes.
        """


def writes(info: PluginInfo, family: str) -> bool:
    """Whether a format can hold subnets of a family; imports nothing of either."""
    known = info.facts.get("families", "").split()
    return not known or family in known
