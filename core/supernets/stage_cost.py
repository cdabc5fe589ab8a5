"""What a stage of one architecture costs: quantities by name, and what a table or a drawing says of it. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from core.config import Settings


@dataclass(frozen=True)
class StageCost:
    """What one stage of one architecture costs and looks like (for tables and the diagram).

    Attributes:
        label: what a person reads ("block 2.1").
        group: blocks of equal resolution share it ("stage 2"); drawn together.
        kind: "stem", "block", "head", ... decides how it is drawn.
        output_shape: shape of one sample's output, without the batch.
        channels: height of the drawing.
        counted: quantities by name, one sample each: what objectives are counted from. Every family says
            macs, params, bytes and held_bytes (see `counts`); it may say more.
        detail: short text written on it ("k3").
    """

    label: str
    group: str
    kind: str
    output_shape: tuple[int, ...]
    channels: int
    counted: Mapping[str, int]
    detail: str = ""

    @classmethod
    def head(cls, classes: int, counted: Mapping[str, int]) -> StageCost:
        """Of a last stage with one output per class."""
        return cls("head", "head", "head", (classes,), classes, counted)

    @property
    def macs(self) -> int:
        return self.counted["macs"]

    @property
    def params(self) -> int:
        return self.counted["params"]

    @property
    def output_size(self) -> int:
        """Numbers in one sample's output."""
        return math.prod(self.output_shape)

    def to_json(self) -> Settings:
        about = {f.name: getattr(self, f.name) for f in fields(self)}
        return about | {"output_shape": list(self.output_shape), "counted": dict(self.counted)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> StageCost:
        """What `to_json` wrote; cards of release 0.1 hold the quantities beside the texts, and fewer of them.

        Raises:
            KeyError, TypeError, ValueError: it is no such row.
        """
        known = dict(row)
        shape = tuple(int(side) for side in known.pop("output_shape"))
        if "counted" in known:
            quantities = {str(name): int(n) for name, n in known.pop("counted").items()}
        else:
            macs, params, rest = (int(known.pop(name)) for name in ("macs", "params", "buffer_bytes"))
            quantities = {"macs": macs, "params": params, "bytes": 4 * params + rest}
        return cls(output_shape=shape, counted=quantities, **known)


def counts(
    *, macs: int, params: int, held_bytes: int | None = None, buffer_bytes: int = 0, **others: int
) -> dict[str, int]:
    """The quantities of a stage whose parameters are float32.

    Args:
        macs: multiply-accumulates of convolutions, linear layers and attention products, one sample.
        params: trainable numbers.
        held_bytes: most bytes of one sample that are alive at once while the stage runs in the plain order of
            its code: all that flows into it until it has ended, what it makes until it is last read, and its
            output; left out, the family does not say. Normalization, activations, sums and masks work in place of what nobody reads any more (never
            of the stage's input); views and other layouts of the same numbers are free.
        buffer_bytes: bytes the extracted stage stores besides its parameters (BatchNorm statistics,
            pixel constants).
        others: what else the family counts.
    """
    told = {} if held_bytes is None else {"held_bytes": held_bytes}
    return {"macs": macs, "params": params, "bytes": 4 * params + buffer_bytes, **told, **others}
