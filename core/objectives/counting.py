"""What objectives read of the costs of architectures; `core.evaluation.costs` has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Costs(Protocol):
    """What the stages of n architectures cost; see `core.evaluation.costs`."""

    def __len__(self) -> int: ...

    def total(self, quantity: str) -> NDArray[np.int64]:
        """(n,) sums of a quantity ("macs", "params", "bytes", ...) over the stages each architecture has."""

    def stages(self) -> Iterator[StageColumns]:
        """The stages of the chain, in order."""


class StageColumns(Protocol):
    """One stage of n architectures."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n,) whether the architecture has this stage."""

    @property
    def output_size(self) -> NDArray[np.int64]:
        """(n,) numbers in one sample's output; 0 where the stage is absent."""

    def counted(self, quantity: str) -> NDArray[np.int64]:
        """(n,) a counted quantity; 0 where the stage is absent."""
