"""ViT and DeiT with elastic width, depth, heads and hidden units: an image classifier that begins as a given one.

At its largest it computes exactly what the original does: patches by a convolution, a class token (and DeiT's
distillation token) before them, learned positions, pre-norm layers, a last LayerNorm, a classifier on the class token;
DeiT trained with a teacher answers by the mean of two classifiers. Smaller subnets take first entries of the vectors,
first heads and first hidden units of each layer, and first layers: depth is a prefix, as in InstaTune's space of ViT.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.class_token_embedding import ClassTokenEmbedding
from core.networks.blocks.class_token_head import ClassTokenHead
from core.networks.blocks.transformer_block import TransformerBlock
from core.spaces import SearchSpace
from core.spaces.choice import require_ascending
from core.supernets.base import BranchContext, Stage, Supernet
from core.supernets.drop_path import faded, thinned
from core.supernets.families import FAMILIES
from core.supernets.layered import layered_space
from core.supernets.nested import ACTIVATIONS, attended, nested_heads, nested_hidden
from core.supernets.orderable import Orderable
from core.supernets.ordering import orderable_of_blocks
from core.supernets.sliced import copy_linear, copy_norm, held_by_attention, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig


class PlainViTConfig(ImageConfig):
    """An elastic ViT; the last option of each choice is the size of the original."""

    widths: tuple[int, ...] = Field((16, 24, 32), description="Size of a token's vector.")
    depths: tuple[int, ...] = Field((2, 3), description="Number of layers, the first ones.")
    heads: tuple[int, ...] = Field((1, 2, 4), description="Attention heads of each layer.")
    hidden: tuple[int, ...] = Field((32, 64), description="Hidden units of each layer's MLP.")
    head_size: int = Field(8, ge=1, le=256, description="Size of an attention head.")
    patch: int = Field(2, ge=1, le=64, description="Side of a patch in pixels.")
    distillation: Literal["none", "token", "teacher"] = Field(
        "none", description="DeiT's distillation token: none, one that does not answer, or one that does."
    )
    activation: Literal["gelu", "gelu_tanh", "relu"] = Field("gelu", description="Inside the MLP.")
    epsilon: float = Field(1e-12, ge=1e-12, le=0.1, description="Added to a LayerNorm's variance.")

    @model_validator(mode="after")
    def _sizes(self) -> PlainViTConfig:
        require_ascending({label: getattr(self, label) for label in ("widths", "depths", "heads", "hidden")})
        if self.widths[-1] > 2048 or self.depths[-1] > 48 or self.heads[-1] > 64 or self.hidden[-1] > 16_384:
            raise ValueError("a ViT has at most width 2,048, 48 layers, 64 heads and 16,384 hidden units")
        if self.input_shape[1] % self.patch or self.input_shape[2] % self.patch:
            raise ValueError("the sides of images must be multiples of the patch")
        if self.patches > 16_384:
            raise ValueError("an image has at most 16,384 patches")
        return self

    @property
    def patches(self) -> int:
        """Patches of one image."""
        return (self.input_shape[1] // self.patch) * (self.input_shape[2] // self.patch)

    @property
    def tokens(self) -> int:
        """Learned tokens before the patches."""
        return 1 if self.distillation == "none" else 2


@FAMILIES.register("plain_vit")
class PlainViT(Supernet):
    """Vision transformer with a class token, elastic in width, depth, heads and hidden units."""

    label = "Elastic ViT"
    source = "Dosovitskiy et al., ViT, ICLR 2021; Touvron et al., DeiT, ICML 2021; made elastic after InstaTune, 2023"
    Config = PlainViTConfig
    task_name = "image"

    def __init__(self, config: PlainViTConfig) -> None:
        space = layered_space(config.widths, config.depths, config.heads, config.hidden)
        layers = [LayerStage(space, config, index) for index in range(1, config.depths[-1] + 1)]
        super().__init__(config, space, [EmbeddingStage(space, config), *layers, HeadStage(space, config)])

    def orderable(self) -> list[Orderable]:
        return orderable_of_blocks(self, {"key": "key_"})

    @classmethod
    def examples(cls) -> list[InputConfig]:
        vit = cls.example((1, 8, 8))
        other = {
            "input_shape": (2, 6, 4),
            "distillation": "teacher",
            "activation": "gelu_tanh",
            "epsilon": 1e-2,
        }
        return [vit, vit.model_copy(update=other), vit.model_copy(update={"distillation": "token"})]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> PlainViTConfig:
        """A small configuration for images (c, h, w) of this shape."""
        side = input_shape[1]
        patch = next(p for p in (4, 2, 1) if side % p == 0)
        mean, std = (0.3,) * input_shape[0], (0.4,) * input_shape[0]
        return PlainViTConfig(
            input_shape=input_shape,
            widths=(4, 6),
            depths=(1, 2),
            heads=(1, 3),
            hidden=(5, 8, 9),
            head_size=3,
            patch=min(patch, 2) if side <= 8 else patch,
            pixel_mean=mean,
            pixel_std=std,
        )


class EmbeddingStage(Stage):
    """Patches and learned tokens to vectors."""

    depends_on = ("width",)
    mean: Tensor
    std: Tensor

    def __init__(self, space: SearchSpace, config: PlainViTConfig) -> None:
        super().__init__(space)
        self.in_channels, self.patch, self.patches = config.input_shape[0], config.patch, config.patches
        self.in_numbers, width = math.prod(config.input_shape), config.widths[-1]
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.pixel_std).view(1, -1, 1, 1), persistent=False)
        self.conv = nn.Conv2d(self.in_channels, width, self.patch, self.patch)
        self.tokens = nn.ParameterList(torch.zeros(width) for _ in range(config.tokens))
        self.position = nn.Parameter(torch.empty(1, config.tokens + self.patches, width))
        nn.init.normal_(self.position, std=0.02)
        for token in self.tokens:
            # Nothing but this and its position is in the vector before the first LayerNorm, which divides by its spread.
            nn.init.normal_(token, std=0.2)

    def _width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, "width"))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width = self._width(arch)
        assert self.conv.bias is not None
        x = F.conv2d((x - self.mean) / self.std, self.conv.weight[:width], self.conv.bias[:width], self.patch)
        x = x.flatten(2).transpose(1, 2)
        before = [token[:width].expand(x.shape[0], 1, -1) for token in self.tokens]
        return torch.cat([*before, x], 1) + self.position[:, :, :width]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self._width(arch)
        block = ClassTokenEmbedding(self.in_channels, width, self.patch, self.patches, len(self.tokens))
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        assert self.conv.bias is not None
        assert block.conv.bias is not None
        block.conv.weight.copy_(self.conv.weight[:width])
        block.conv.bias.copy_(self.conv.bias[:width])
        for source, target in zip(self.tokens, block.tokens, strict=True):
            target.copy_(source[:width])
        block.position.copy_(self.position[:, :, :width])
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, patches, tokens = self._width(arch), self.patches, self.patches + len(self.tokens)
        weights = self.in_channels * self.patch**2 * width
        held = max(
            2 * self.in_numbers + patches * width,  # the input, normalized, and its patches
            self.in_numbers + (patches + tokens) * width,  # the input, its patches, and all tokens
        )
        return StageCost(
            label="patches",
            group="stem",
            kind="stem",
            output_shape=(tokens, width),
            channels=width,
            counted=counts(
                macs=weights * patches,
                params=weights + width + (len(self.tokens) + tokens) * width,
                held_bytes=4 * held,
                buffer_bytes=8 * self.in_channels,
            ),
            detail=f"{self.patch}x{self.patch}",
        )


class LayerStage(Stage):
    """One pre-norm layer; beyond the chosen depth it is the identity."""

    def __init__(self, space: SearchSpace, config: PlainViTConfig, index: int) -> None:
        super().__init__(space)
        self.index, self.tokens, self.head_size = index, config.patches + config.tokens, config.head_size
        self.heads, self.hidden, self.activation = config.heads, config.hidden, config.activation
        self._heads_choice, self._hidden_choice = f"heads{index}", f"hidden{index}"
        self.depends_on = ("width", "depth", self._heads_choice, self._hidden_choice)
        width, inner, hidden = config.widths[-1], config.heads[-1] * config.head_size, config.hidden[-1]
        self.norm1 = nn.LayerNorm(width, eps=config.epsilon)
        self.norm2 = nn.LayerNorm(width, eps=config.epsilon)
        self.query, self.key_, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.project = nn.Linear(inner, width)
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, "depth")) < self.index:
            return None
        return self._sizes(arch)[1:]

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int]:
        """(width, heads, hidden units)."""
        names = ("width", self._heads_choice, self._hidden_choice)
        width, heads, hidden = (int(self.option(arch, name)) for name in names)
        return width, heads, hidden

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width, heads, hidden = self._sizes(arch)
        y = normalized(self.norm1, x)
        made = (linear(layer, y, heads * self.head_size) for layer in (self.query, self.key_, self.value))
        y = linear(self.project, attended(*made, head_size=self.head_size), width)
        x = x + thinned(y, arch, self.depth_share)
        inside = ACTIVATIONS[self.activation](linear(self.expand, normalized(self.norm2, x), hidden))
        return x + thinned(linear(self.contract, inside, width), arch, self.depth_share)

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        asked = [self._sizes(arch)[1:] for arch in archs]
        layers = (self.query, self.key_, self.value, self.project)
        added = nested_heads(
            normalized(self.norm1, x),
            layers,
            self.head_size,
            options=self.heads,
            wanted={heads for heads, _ in asked},
        )
        found: dict[tuple[int, int], Tensor] = {}
        for heads, y in added.items():
            between = x + y
            sums = nested_hidden(
                normalized(self.norm2, between),
                self.expand,
                self.contract,
                ACTIVATIONS[self.activation],
                options=self.hidden,
                wanted={hidden for h, hidden in asked if h == heads},
            )
            found |= {(heads, n): between + z for n, z in sums.items()}
        return [found[sizes] for sizes in asked]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, heads, hidden = self._sizes(arch)
        block = TransformerBlock(width, heads, self.head_size, hidden, self.norm1.eps, self.activation)
        for name in ("query", "value", "project", "expand", "contract"):
            copy_linear(getattr(self, name), getattr(block, name))
        copy_linear(self.key_, block.key)
        copy_norm(self.norm1, block.norm1)
        copy_norm(self.norm2, block.norm2)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, heads, hidden = self._sizes(arch)
        inner = heads * self.head_size
        weights = 4 * width * inner + 2 * width * hidden
        products = 2 * self.tokens * inner  # queries with keys, attention with values, per token
        return StageCost(
            label=f"layer {self.index}",
            group="layers",
            kind="block",
            output_shape=(self.tokens, width),
            channels=width,
            counted=counts(
                macs=self.tokens * (weights + products),
                params=weights + 3 * inner + hidden + 6 * width,
                held_bytes=4 * held_by_attention(self.tokens, width, heads=heads, inner=inner, hidden=hidden),
            ),
            detail=f"{heads}h {hidden}",
        )


class HeadStage(Stage):
    """LayerNorm and a classifier on the class token; the mean of two with DeiT's teacher."""

    depends_on = ("width",)

    def __init__(self, space: SearchSpace, config: PlainViTConfig) -> None:
        super().__init__(space)
        self.classes, self.tokens = config.classes, config.patches + config.tokens
        answers = 2 if config.distillation == "teacher" else 1
        self.norm = nn.LayerNorm(config.widths[-1], eps=config.epsilon)
        self.linears = nn.ModuleList(nn.Linear(config.widths[-1], config.classes) for _ in range(answers))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        x = faded(normalized(self.norm, x[:, : len(self.linears)]), arch)
        answers = [linear(layer, x[:, i], self.classes) for i, layer in enumerate(self.linears)]  # type: ignore[arg-type]
        return sum(answers[1:], answers[0]) / len(answers)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        head = ClassTokenHead(int(self.option(arch, "width")), self.classes, len(self.linears), self.norm.eps)
        copy_norm(self.norm, head.norm)
        for source, target in zip(self.linears, head.linears, strict=True):
            copy_linear(source, target)  # type: ignore[arg-type]
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, answers = int(self.option(arch, "width")), len(self.linears)
        return StageCost.head(
            self.classes,
            counts(
                macs=answers * width * self.classes,
                params=answers * (width + 1) * self.classes + 2 * width,
                held_bytes=4 * (self.tokens * width + answers * (width + self.classes)),
            ),
        )
