"""Where what a part of a run wrote down stands in the record of its run: numbers of steps, and names of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.records import Metrics

_HEAD = 8


@dataclass(frozen=True)
class Places:
    """Parts number their steps by themselves; in the run's record each part has steps of its own.

    Attributes:
        name: beside the numbers of a step, which part they are of.
        stride: steps that a part may have, counted from 0 or from 1.
    """

    name: str = "part"
    stride: int = 1_000_000

    def whole(self, index: int, row: Metrics) -> Metrics:
        """A row of a part as one of the run.

        Raises:
            ValueError: no part may have so many steps.
        """
        step = int(row["step"])
        if not 0 <= step <= self.stride:
            raise ValueError(f"step {step} of a part; there may be {self.stride:,}")
        return {**row, "step": index * self.stride + step, self.name: index}

    def parts(self, rows: Sequence[Metrics]) -> dict[int, list[Metrics]]:
        """Part -> its rows, as it numbers them; rows that no part wrote are left out."""
        found: dict[int, list[Metrics]] = {}
        for row in rows:
            if self.name in row:
                index = int(row[self.name])
                own = {name: value for name, value in row.items() if name != self.name}
                own["step"] = int(row["step"]) - index * self.stride
                found.setdefault(index, []).append(own)
        return found


PLACES = Places()
"""Where the numbers of parts stand in most runs."""


def part_file(index: int, name: str) -> str:
    """What a file of a part is called among the files of its run."""
    return f"part-{index}-{name}"


def numbered(checkpoint: bytes) -> tuple[int, bytes]:
    """Part and its checkpoint, as runs kept it whose trainings could only follow each other: that of the one at work."""
    return int.from_bytes(checkpoint[:_HEAD], "little"), checkpoint[_HEAD:]
