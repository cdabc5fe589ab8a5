"""What decoders have in common: what of them becomes elastic, and what a person is told of their sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.config import JsonObject, Settings
from core.errors import InvalidInput
from core.supernets.folders.options import FolderOptions, context_of, options_of
from core.supernets.folders.plan import Plan, Take
from core.supernets.folders.understood import Elastic, FixedPart

FAMILY = "elastic_decoder"
_SCORED = 16
"""Positions of a window whose next token is predicted when subnets are compared."""


@dataclass(frozen=True)
class DecoderSizes:
    """Sizes of a decoder as its config.json says.

    Attributes:
        layers, width, heads, kv_heads, head_size, hidden: of the network; `hidden` of one layer's FFN.
        vocabulary, positions: tokens and positions that it knows.
        tied: whether the head reads the embedding's table.
        style: settings of the family that say how it computes (norm, epsilon, positions, mlp, biases, ...).
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    vocabulary: int
    positions: int
    tied: bool
    style: JsonObject = field(default_factory=dict)

    def plan(self, options: FolderOptions, takes: Mapping[str, Take], unused: Mapping[str, str]) -> Plan:
        """The plan of a decoder of these sizes.

        Raises:
            InvalidInput: heads are no whole groups, or there is nothing to predict.
        """
        if self.heads % self.kv_heads:
            raise InvalidInput(
                f"config.json asks for {self.heads} heads that share {self.kv_heads} key heads, which do not divide them."
            )
        length = context_of(options, self.positions)
        if length < 2:
            raise InvalidInput("This network knows a single position, so there is no next token to predict.")
        family = self._family(options, length)
        return Plan(
            family=FAMILY,
            config=family,
            takes=takes,
            sizes=self._sizes(length),
            elastic=self._elastic(family),
            fixed=self._fixed(),
            unused=unused,
            facts=self._facts(length),
        )

    def _family(self, options: FolderOptions, length: int) -> Settings:
        return {
            "input_shape": [length],
            "classes": self.vocabulary,
            "vocabulary": self.vocabulary,
            "scored": min(_SCORED, length - 1),
            "context": self.positions,
            "layers": self.layers,
            "widths": list(options_of(self.width, options.width)),
            "hidden": list(options_of(self.hidden, options.ffn)),
            "heads": list(options_of(self.heads, options.heads, self.heads // self.kv_heads)),
            "kv_heads": self.kv_heads,
            "head_size": self.head_size,
            "skippable": list(range(1, self.layers + 1)) if options.skip else [],
            "tied": self.tied,
            **self.style,
        }

    def _elastic(self, family: Mapping[str, Any]) -> list[Elastic]:
        grouped = self.kv_heads != self.heads
        heads = "attention heads of a layer" + (", with the keys they share" if grouped else "")
        found = [
            Elastic(part=heads, options=family["heads"], choices=self.layers),
            Elastic(part="hidden units of a layer's FFN", options=family["hidden"], choices=self.layers),
            Elastic(part="width of the vectors", options=family["widths"]),
        ]
        found = [each for each in found if len(each.options) > 1]
        if family["skippable"]:
            found.append(
                Elastic(part="layers: each there (1) or skipped (0)", options=(0, 1), choices=self.layers)
            )
        return found

    def _sizes(self, length: int) -> list[tuple[str, str]]:
        keys = [] if self.kv_heads == self.heads else [("key heads", str(self.kv_heads))]
        return [
            ("layers", str(self.layers)),
            ("width", f"{self.width:,}"),
            ("attention heads", str(self.heads)),
            *keys,
            ("hidden units", f"{self.hidden:,}"),
            ("tokens known", f"{self.vocabulary:,}"),
            ("tokens of a window", f"{length:,}"),
        ]

    def _fixed(self) -> list[FixedPart]:
        table = FixedPart(
            part="table of tokens" + (", which is the head's as well" if self.tied else ", and the head's"),
            why="every subnet reads and tells the same tokens; only their vectors' width can change",
        )
        size = FixedPart(part=f"size of a head, {self.head_size}", why="heads are kept or left out whole")
        return [table, size]

    def _facts(self, length: int) -> list[str]:
        facts = []
        if length < self.positions:
            facts.append(
                f"Texts are compared in windows of {length:,} tokens; the network knows {self.positions:,} positions."
            )
        return facts


def layers_of(tables: Mapping[str, str], count: int, layer: str) -> dict[str, str]:
    """Tensor of ours -> theirs, of all layers; the first is stage 1.

    Args:
        tables: ours, behind the stage's number -> theirs, behind the layer's.
        count: number of layers.
        layer: beginning of their names, with the number left open.
    """
    return {
        f"stages.{index + 1}.{ours}": layer.format(index) + theirs
        for index in range(count)
        for ours, theirs in tables.items()
    }
