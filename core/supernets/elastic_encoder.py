"""A small transformer encoder for texts with elastic width, depth, heads and MLP ratio.

Only LayerNorm, so no subnet needs recalibration. Every smaller setting is a prefix of the largest: the
first entries of an embedding, the first heads (of fixed size), the first hidden units. What flows is the
pair of vectors and mask.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.masked_mean_head import MaskedMeanHead
from core.networks.blocks.masked_transformer_block import MaskedTransformerBlock
from core.networks.blocks.sequence_embedding import SequenceEmbedding
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending, within_depth
from core.supernets.attention import Attention
from core.supernets.base import Stage, Supernet
from core.supernets.drop_path import faded, thinned
from core.supernets.families import FAMILIES
from core.supernets.orderable import Orderable
from core.supernets.ordering import orderable_of_blocks
from core.supernets.sliced import (
    copy_attention_and_mlp,
    copy_linear,
    copy_norm,
    held_by_attention,
    linear,
    normalized,
)
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics
from core.tasks.base import InputConfig
from core.tasks.tokens import TokenConfig

Texts = tuple[Tensor, Tensor]
"""Vectors (n, t, width) of tokens, and the mask (n, t) of those that are no padding."""


_ID_BYTES, _MASK_BYTES = 8, 1
"""Of one token's number (int64) and its place in the mask (bool)."""


class ElasticEncoderConfig(TokenConfig):
    """An elastic transformer encoder."""

    widths: tuple[int, ...] = Field((8, 16, 32), description="Size of a token's vector.")
    depths: tuple[int, ...] = Field((1, 2, 3), description="Number of blocks.")
    heads: tuple[int, ...] = Field((1, 2, 4), description="Attention heads of each block.")
    mlp_ratios: tuple[int, ...] = Field(
        (1, 2), description="Hidden units of each block's MLP, as a multiple of the width."
    )
    head_size: int = Field(8, ge=1, le=128, description="Size of an attention head.")

    @model_validator(mode="after")
    def _ascending(self) -> ElasticEncoderConfig:
        require_ascending(
            {label: getattr(self, label) for label in ("widths", "depths", "heads", "mlp_ratios")}
        )
        if self.widths[-1] > 1024 or self.depths[-1] > 24 or self.heads[-1] > 32 or self.mlp_ratios[-1] > 8:
            raise ValueError("an encoder has at most width 1,024, 24 blocks, 32 heads and MLP ratio 8")
        return self


def _space(config: ElasticEncoderConfig) -> SearchSpace:
    choices = [
        Choice("width", config.widths, "width", unit="channels"),
        Choice("depth", config.depths, "depth", unit="blocks"),
    ]
    for b in range(1, config.depths[-1] + 1):
        requires = within_depth("depth", config.depths, b)
        choices.append(Choice(f"heads{b}", config.heads, "heads", unit="heads", requires=requires))
        choices.append(Choice(f"mlp{b}", config.mlp_ratios, "ratio", requires=requires))
    return SearchSpace(choices)


@FAMILIES.register("elastic_encoder")
class ElasticEncoder(Supernet):
    """Transformer encoder for texts with elastic width, depth, heads and MLP ratio."""

    label = "Elastic text encoder"
    source = "after Hou et al., DynaBERT, 2020 and Wang et al., HAT, 2020 (pre-norm, prefix slices, no distilled start)"
    Config = ElasticEncoderConfig
    task_name = "tokens"

    def __init__(self, config: ElasticEncoderConfig) -> None:
        space = _space(config)
        blocks = [BlockStage(space, config, b) for b in range(1, config.depths[-1] + 1)]
        super().__init__(config, space, [EmbeddingStage(space, config), *blocks, HeadStage(space, config)])

    def orderable(self) -> list[Orderable]:
        return orderable_of_blocks(self, {"key": "key_"})

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [
            ElasticEncoderConfig(
                input_shape=(7,), vocabulary=11, classes=3, widths=(4, 6), heads=(1, 3), head_size=3
            )
        ]


class EmbeddingStage(Stage):
    """Token numbers to vectors."""

    depends_on = ("width",)

    def __init__(self, space: SearchSpace, config: ElasticEncoderConfig) -> None:
        super().__init__(space)
        self.vocabulary, self.length = config.vocabulary, config.input_shape[0]
        self.token = nn.Embedding(config.vocabulary, config.widths[-1])
        nn.init.normal_(self.token.weight, std=0.5)
        self.position = nn.Parameter(nn.init.normal_(torch.empty(1, self.length, config.widths[-1]), std=0.1))

    def forward(self, x: Texts, arch: Sequence[int], statistics: Statistics | None = None) -> Texts:
        tokens, mask = x
        width = int(self.option(arch, "width"))
        return F.embedding(tokens, self.token.weight[:, :width]) + self.position[:, :, :width], mask

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = int(self.option(arch, "width"))
        block = SequenceEmbedding(self.vocabulary, width, self.length)
        block.token.weight.copy_(self.token.weight[:, :width])
        block.position.copy_(self.position[:, :, :width])
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = int(self.option(arch, "width"))
        return StageCost(
            label="embedding",
            group="embedding",
            kind="stem",
            counted=counts(
                macs=0,
                params=(self.vocabulary + self.length) * width,
                held_bytes=self.length * (_ID_BYTES + _MASK_BYTES + 4 * width),
            ),
            output_shape=(self.length, width),
            channels=width,
            detail=f"{self.vocabulary} tokens",
        )


class BlockStage(Stage):
    """One transformer block; beyond the chosen depth it is the identity."""

    attends = True

    def __init__(self, space: SearchSpace, config: ElasticEncoderConfig, index: int) -> None:
        super().__init__(space)
        self.index, self.tokens, self.head_size = index, config.input_shape[0], config.head_size
        self._heads_choice, self._mlp_choice = f"heads{index}", f"mlp{index}"
        self.depends_on = ("width", "depth", self._heads_choice, self._mlp_choice)
        width = config.widths[-1]
        attention, hidden = config.heads[-1] * config.head_size, config.mlp_ratios[-1] * width
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_ = nn.Linear(width, attention), nn.Linear(width, attention)
        self.value, self.project = nn.Linear(width, attention), nn.Linear(attention, width)
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, "depth")) < self.index:
            return None
        return self._sizes(arch)[1:]

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int]:
        """(width, heads, hidden units)."""
        width = int(self.option(arch, "width"))
        hidden = width * int(self.option(arch, self._mlp_choice))
        return width, int(self.option(arch, self._heads_choice)), hidden

    def attention(self, x: Texts, arch: Sequence[int]) -> Attention:
        vectors, mask = x
        y, inner = normalized(self.norm1, vectors), self._sizes(arch)[1] * self.head_size
        query, key, value = (linear(layer, y, inner) for layer in (self.query, self.key_, self.value))
        return Attention(query, key, value, mask)

    def forward(self, x: Texts, arch: Sequence[int], statistics: Statistics | None = None) -> Texts:
        vectors, mask = x
        width, heads, hidden = self._sizes(arch)
        made = self.attention(x, arch)
        shape = (vectors.shape[0], vectors.shape[1], heads, self.head_size)
        query, key = made.query.view(shape).transpose(1, 2), made.key.view(shape).permute(0, 2, 3, 1)
        value = made.value.view(shape).transpose(1, 2)
        scores = query @ key / self.head_size**0.5
        # Not minus infinity: a text that is all padding would become not a number.
        attention = scores.masked_fill(~mask[:, None, None, :], -1e9).softmax(3)
        y = linear(self.project, (attention @ value).transpose(1, 2).flatten(2), width)
        vectors = vectors + thinned(y, arch, self.depth_share)
        inside = F.gelu(linear(self.expand, normalized(self.norm2, vectors), hidden))
        return vectors + thinned(linear(self.contract, inside, width), arch, self.depth_share), mask

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, heads, hidden = self._sizes(arch)
        block = MaskedTransformerBlock(width, heads, self.head_size, hidden)
        copy_attention_and_mlp(self, block)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, heads, hidden = self._sizes(arch)
        inner = heads * self.head_size
        weights = 4 * width * inner + 2 * width * hidden
        products = 2 * self.tokens * inner  # queries with keys, attention with values, per token
        return StageCost(
            label=f"block {self.index}",
            group="blocks",
            kind="block",
            counted=counts(
                macs=self.tokens * (weights + products),
                params=weights + 3 * inner + width + hidden + width + 4 * width,
                held_bytes=self.tokens * _MASK_BYTES
                + 4 * held_by_attention(self.tokens, width, heads=heads, inner=inner, hidden=hidden),
            ),
            output_shape=(self.tokens, width),
            channels=width,
            detail=f"{heads}h",
        )


class HeadStage(Stage):
    """LayerNorm, mean over the tokens that count, linear layer."""

    def __init__(self, space: SearchSpace, config: ElasticEncoderConfig) -> None:
        super().__init__(space)
        self.depends_on = ("width",)
        self.classes, self.tokens = config.classes, config.input_shape[0]
        self.norm = nn.LayerNorm(config.widths[-1])
        self.linear = nn.Linear(config.widths[-1], config.classes)

    def forward(self, x: Texts, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        vectors, mask = x
        shown = mask.to(vectors.dtype)[:, :, None]
        mean = (normalized(self.norm, vectors) * shown).sum(1) / shown.sum(1).clamp(min=1)
        return linear(self.linear, faded(mean, arch), self.classes)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        head = MaskedMeanHead(int(self.option(arch, "width")), self.classes)
        copy_norm(self.norm, head.norm)
        copy_linear(self.linear, head.linear)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = int(self.option(arch, "width"))
        return StageCost(
            label="head",
            group="head",
            kind="head",
            counted=counts(
                macs=width * self.classes,
                params=(width + 1) * self.classes + 2 * width,
                # The vectors and the mask; their mean takes the mask as numbers and the normalized vectors besides.
                held_bytes=self.tokens * (_MASK_BYTES + 4 * width)
                + 4 * (width + max(self.tokens * (1 + width), self.classes)),
            ),
            output_shape=(self.classes,),
            channels=self.classes,
        )
