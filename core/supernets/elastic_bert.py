"""BERT with elastic width, depth, heads and hidden units: a text classifier that begins as a given one.

At its largest it computes exactly what BERT does: word, segment and position embeddings with a LayerNorm, layers of
attention and MLP with the LayerNorm after the sum, tanh on the first token, a classifier. Smaller subnets take first
entries of the vectors (LayerNorm over those alone), first heads of each layer, first hidden units of each layer, and
first layers. Depth is a prefix, as in DynaBERT's and InstaTune's spaces of BERT: what a prefix computes is shared with
every deeper subnet, and leaving out single layers would multiply the space by a power of two.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.bert_embedding import BertEmbedding
from core.networks.blocks.pooled_token_head import PooledTokenHead
from core.networks.blocks.post_norm_block import PostNormBlock
from core.spaces import SearchSpace
from core.spaces.choice import require_ascending
from core.supernets.attention import Attention
from core.supernets.base import BranchContext, Stage, Supernet
from core.supernets.drop_path import faded, thinned
from core.supernets.families import FAMILIES
from core.supernets.layered import layered_space
from core.supernets.nested import ACTIVATIONS, attended, nested_heads, nested_hidden
from core.supernets.orderable import Orderable
from core.supernets.ordering import orderable_of_blocks
from core.supernets.sliced import copy_attention_and_mlp, copy_linear, copy_norm, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics
from core.tasks.base import InputConfig
from core.tasks.tokens import TokenConfig

Texts = tuple[Tensor, Tensor]
"""Vectors (n, t, width) of tokens, and the mask (n, t) of those that are no padding."""

_ID_BYTES, _MASK_BYTES = 8, 1
"""Of one token's number (int64) and its place in the mask (bool)."""


class ElasticBertConfig(TokenConfig):
    """An elastic BERT; the last option of each choice is the size of the original."""

    widths: tuple[int, ...] = Field((32, 48, 64), description="Size of a token's vector.")
    depths: tuple[int, ...] = Field((2, 3, 4), description="Number of layers, the first ones.")
    heads: tuple[int, ...] = Field((1, 2, 4), description="Attention heads of each layer.")
    hidden: tuple[int, ...] = Field((64, 128, 256), description="Hidden units of each layer's MLP.")
    head_size: int = Field(16, ge=1, le=256, description="Size of an attention head.")
    token_types: int = Field(2, ge=1, le=64, description="Segments the embedding knows; a text is the first.")
    activation: Literal["gelu", "gelu_tanh", "relu"] = Field("gelu", description="Inside the MLP.")
    epsilon: float = Field(1e-12, ge=1e-12, le=0.1, description="Added to a LayerNorm's variance.")

    @model_validator(mode="after")
    def _sizes(self) -> ElasticBertConfig:
        require_ascending({label: getattr(self, label) for label in ("widths", "depths", "heads", "hidden")})
        if self.widths[-1] > 2048 or self.depths[-1] > 48 or self.heads[-1] > 64 or self.hidden[-1] > 16_384:
            raise ValueError("a BERT has at most width 2,048, 48 layers, 64 heads and 16,384 hidden units")
        return self


@FAMILIES.register("elastic_bert")
class ElasticBert(Supernet):
    """Post-norm transformer encoder for texts with elastic width, depth, heads and hidden units."""

    label = "Elastic BERT"
    source = (
        "Devlin et al., BERT, NAACL 2019; made elastic after Hou et al., DynaBERT, 2020 and InstaTune, 2023"
    )
    Config = ElasticBertConfig
    task_name = "tokens"
    draws_classifier = True

    def __init__(self, config: ElasticBertConfig) -> None:
        space = layered_space(config.widths, config.depths, config.heads, config.hidden)
        layers = [LayerStage(space, config, index) for index in range(1, config.depths[-1] + 1)]
        super().__init__(config, space, [EmbeddingStage(space, config), *layers, HeadStage(space, config)])

    def orderable(self) -> list[Orderable]:
        return orderable_of_blocks(self, {"key": "key_"})

    @classmethod
    def examples(cls) -> list[InputConfig]:
        small = ElasticBertConfig(
            input_shape=(7,),
            vocabulary=11,
            classes=3,
            widths=(4, 6),
            depths=(1, 2),
            heads=(1, 3),
            hidden=(5, 8, 9),
            head_size=3,
        )
        other = {"activation": "gelu_tanh", "epsilon": 1e-2, "token_types": 1, "depths": (1, 2, 3)}
        return [small, small.model_copy(update=other)]


class EmbeddingStage(Stage):
    """Token numbers to normalized vectors."""

    depends_on = ("width",)

    def __init__(self, space: SearchSpace, config: ElasticBertConfig) -> None:
        super().__init__(space)
        self.vocabulary, self.length, self.token_types = (
            config.vocabulary,
            config.input_shape[0],
            config.token_types,
        )
        width = config.widths[-1]
        self.token, self.token_type = (
            nn.Embedding(config.vocabulary, width),
            nn.Embedding(self.token_types, width),
        )
        self.position = nn.Parameter(torch.empty(1, self.length, width))
        for table in (self.token.weight, self.token_type.weight, self.position):
            nn.init.normal_(table, std=0.02)
        self.norm = nn.LayerNorm(width, eps=config.epsilon)

    def _width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, "width"))

    def forward(self, x: Texts, arch: Sequence[int], statistics: Statistics | None = None) -> Texts:
        tokens, mask = x
        width = self._width(arch)
        vectors = F.embedding(tokens, self.token.weight[:, :width]) + self.token_type.weight[0, :width]
        return normalized(self.norm, vectors + self.position[:, :, :width]), mask

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self._width(arch)
        block = BertEmbedding(self.vocabulary, width, self.length, self.token_types, self.norm.eps)
        block.token.weight.copy_(self.token.weight[:, :width])
        block.token_type.weight.copy_(self.token_type.weight[:, :width])
        block.position.copy_(self.position[:, :, :width])
        copy_norm(self.norm, block.norm)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = self._width(arch)
        return StageCost(
            label="embedding",
            group="embedding",
            kind="stem",
            counted=counts(
                macs=0,
                params=(self.vocabulary + self.token_types + self.length + 2) * width,
                held_bytes=self.length * (_ID_BYTES + _MASK_BYTES + 4 * width),
            ),
            output_shape=(self.length, width),
            channels=width,
            detail=f"{self.vocabulary} tokens",
        )


class LayerStage(Stage):
    """One layer; beyond the chosen depth it is the identity."""

    attends = True

    def __init__(self, space: SearchSpace, config: ElasticBertConfig, index: int) -> None:
        super().__init__(space)
        self.index, self.tokens, self.head_size = index, config.input_shape[0], config.head_size
        self.heads, self.hidden, self.activation = config.heads, config.hidden, config.activation
        self._heads_choice, self._hidden_choice = f"heads{index}", f"hidden{index}"
        self.depends_on = ("width", "depth", self._heads_choice, self._hidden_choice)
        width, inner, hidden = config.widths[-1], config.heads[-1] * config.head_size, config.hidden[-1]
        self.query, self.key_, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.project = nn.Linear(inner, width)
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width, eps=config.epsilon)
        self.norm2 = nn.LayerNorm(width, eps=config.epsilon)

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, "depth")) < self.index:
            return None
        return self._sizes(arch)[1:]

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int]:
        """(width, heads, hidden units)."""
        names = ("width", self._heads_choice, self._hidden_choice)
        width, heads, hidden = (int(self.option(arch, name)) for name in names)
        return width, heads, hidden

    def attention(self, x: Texts, arch: Sequence[int]) -> Attention:
        vectors, mask = x
        inner = self._sizes(arch)[1] * self.head_size
        query, key, value = (linear(layer, vectors, inner) for layer in (self.query, self.key_, self.value))
        return Attention(query, key, value, mask)

    def forward(self, x: Texts, arch: Sequence[int], statistics: Statistics | None = None) -> Texts:
        vectors, mask = x
        width, _, hidden = self._sizes(arch)
        made = self.attention(x, arch)
        brought = attended(made.query, made.key, made.value, head_size=self.head_size, mask=mask)
        y = linear(self.project, brought, width)
        vectors = normalized(self.norm1, vectors + thinned(y, arch, self.depth_share))
        inside = ACTIVATIONS[self.activation](linear(self.expand, vectors, hidden))
        y = linear(self.contract, inside, width)
        return normalized(self.norm2, vectors + thinned(y, arch, self.depth_share)), mask

    def branch(self, x: Texts, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Texts]:
        vectors, mask = x
        asked = [self._sizes(arch)[1:] for arch in archs]
        layers = (self.query, self.key_, self.value, self.project)
        added = nested_heads(
            vectors, layers, self.head_size, options=self.heads, wanted={h for h, _ in asked}, mask=mask
        )
        found: dict[tuple[int, int], Tensor] = {}
        for heads, y in added.items():
            between = normalized(self.norm1, vectors + y)
            wanted = {hidden for h, hidden in asked if h == heads}
            sums = nested_hidden(
                between,
                self.expand,
                self.contract,
                ACTIVATIONS[self.activation],
                options=self.hidden,
                wanted=wanted,
            )
            found |= {(heads, n): normalized(self.norm2, between + z) for n, z in sums.items()}
        return [(found[sizes], mask) for sizes in asked]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, heads, hidden = self._sizes(arch)
        block = PostNormBlock(width, heads, self.head_size, hidden, self.norm1.eps, self.activation)
        copy_attention_and_mlp(self, block)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, heads, hidden = self._sizes(arch)
        tokens, inner = self.tokens, heads * self.head_size
        weights = 4 * width * inner + 2 * width * hidden
        products = 2 * tokens * inner  # queries with keys, attention with values, per token
        vectors = tokens * width
        held = max(
            vectors
            + 3 * tokens * inner
            + heads * tokens**2,  # input, queries, keys, values and their products
            3 * vectors + tokens * hidden,  # input, normalized sum, hidden units and what they add
        )
        return StageCost(
            label=f"layer {self.index}",
            group="layers",
            kind="block",
            counted=counts(
                macs=tokens * (weights + products),
                params=weights + 3 * inner + hidden + 6 * width,
                held_bytes=tokens * _MASK_BYTES + 4 * held,
            ),
            output_shape=(tokens, width),
            channels=width,
            detail=f"{heads}h {hidden}",
        )


class HeadStage(Stage):
    """The first token's vector through a layer and tanh, then the classifier."""

    depends_on = ("width",)

    def __init__(self, space: SearchSpace, config: ElasticBertConfig) -> None:
        super().__init__(space)
        self.classes, self.tokens = config.classes, config.input_shape[0]
        self.pooler = nn.Linear(config.widths[-1], config.widths[-1])
        self.linear = nn.Linear(config.widths[-1], config.classes)

    def forward(self, x: Texts, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        vectors, _ = x
        pooled = linear(self.pooler, vectors[:, 0], vectors.shape[-1]).tanh()
        return linear(self.linear, faded(pooled, arch), self.classes)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = int(self.option(arch, "width"))
        head = PooledTokenHead(width, width, self.classes)
        copy_linear(self.pooler, head.pooler)
        copy_linear(self.linear, head.linear)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = int(self.option(arch, "width"))
        return StageCost.head(
            self.classes,
            counts(
                macs=width * (width + self.classes),
                params=(width + 1) * (width + self.classes),
                held_bytes=self.tokens * (_MASK_BYTES + 4 * width) + 4 * (width + self.classes),
            ),
        )
