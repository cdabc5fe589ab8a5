"""One layer of an elastic decoder: nested heads and hidden units, of which siblings share partial sums.

Heads are nested as whole groups: a key head with all the query heads that read it. What the first of them add is part
of what more of them add, and so with hidden units; see `core.supernets.nested`. A layer that is skipped is the identity.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.decoder_block import DecoderBlock
from core.spaces import SearchSpace
from core.supernets.base import BranchContext, Stage
from core.supernets.decoder_costs import layer_counts
from core.supernets.decoder_space import ElasticDecoderConfig
from core.supernets.drop_path import thinned
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import Statistics

Flow = tuple[Tensor, Tensor]
"""Vectors (n, t, width) and the positions (n, p) among them whose next token is told."""


def any_norm(config: ElasticDecoderConfig) -> nn.RMSNorm | nn.LayerNorm:
    make = nn.RMSNorm if config.norm == "rms" else nn.LayerNorm
    return make(config.widths[-1], config.epsilon)


def normed(norm: nn.RMSNorm | nn.LayerNorm, x: Tensor) -> Tensor:
    """A norm over the channels that x has, and over no others."""
    width = x.shape[-1]
    if isinstance(norm, nn.LayerNorm):
        return F.layer_norm(x, (width,), norm.weight[:width], norm.bias[:width], norm.eps)
    return F.rms_norm(x, (width,), norm.weight[:width], norm.eps)


def copy_first(source: nn.Module, target: nn.Module) -> None:
    """Write the first entries of every parameter of a layer into a plain one; call it without gradients."""
    for name, parameter in target.named_parameters():
        parameter.copy_(source.get_parameter(name)[tuple(slice(size) for size in parameter.shape)])


def affine(x: Tensor, layer: nn.Linear, rows: slice) -> Tensor:
    """Some outputs of a linear layer on the first inputs that x has."""
    bias = None if layer.bias is None else layer.bias[rows]
    return F.linear(x, layer.weight[rows, : x.shape[-1]], bias)


class LayerStage(Stage):
    """One layer; the identity where it is skipped."""

    def __init__(self, space: SearchSpace, config: ElasticDecoderConfig, index: int) -> None:
        super().__init__(space)
        self.index, self.config, self.last = index, config, index == config.layers
        names = ("width", f"hidden{index}", f"heads{index}")
        self.depends_on = tuple(name for name in names if name in space.position)
        width, hidden, size = config.widths[-1], config.hidden[-1], config.head_size
        inner, keys = config.heads[-1] * size, config.most_kv_heads * size
        into, out, both = config.biased
        self.norm1, self.norm2 = any_norm(config), any_norm(config)
        self.query, self.project = nn.Linear(width, inner, bias=into), nn.Linear(inner, width, bias=out)
        self.key_, self.value = nn.Linear(width, keys, bias=into), nn.Linear(width, keys, bias=into)
        self.expand, self.contract = nn.Linear(width, hidden, bias=both), nn.Linear(hidden, width, bias=both)
        self.gate = nn.Linear(width, hidden, bias=both) if config.mlp == "gated_silu" else None
        self._draw()

    def _draw(self) -> None:
        """First weights: what a layer adds is the smaller, the more of them there are (GPT-2, section 2.3)."""
        for layer in self.children():
            if isinstance(layer, nn.Linear):
                adds = layer is self.project or layer is self.contract
                share = (2 * self.config.layers) ** -0.5 if adds else 1.0
                nn.init.normal_(layer.weight, std=share * layer.in_features**-0.5)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    # --- what an architecture says -------------------------------------------------------------------

    def sizes(self, arch: Sequence[int]) -> tuple[int, int, int]:
        """(width, query heads, hidden units); no hidden units where the layer is skipped."""
        asked = {"width": self.config.widths, f"heads{self.index}": self.config.heads}
        asked[f"hidden{self.index}"] = self.config.hidden
        width, heads, hidden = (
            int(self.option(arch, name)) if name in self.space.position else options[-1]
            for name, options in asked.items()
        )
        return width, heads, hidden

    def key(self, arch: Sequence[int]) -> Hashable:
        sizes = self.sizes(arch)
        return sizes[1:] if sizes[2] else None

    # --- computing -----------------------------------------------------------------------------------

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Flow:
        vectors, scored = x
        _, heads, hidden = self.sizes(arch)
        y = normed(self.norm1, vectors)
        if self.last:
            vectors = picked(vectors, scored)
        part = self._attended(y, scored, 0, heads)
        y = affine(part, self.project, slice(vectors.shape[2]))
        vectors = vectors + thinned(y, arch, self.depth_share)
        y = affine(
            self._inside(normed(self.norm2, vectors), slice(hidden)), self.contract, slice(vectors.shape[2])
        )
        return self._handed_on(vectors + thinned(y, arch, self.depth_share), scored)

    def branch(self, x: Flow, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Flow]:
        vectors, scored = x
        asked = [self.sizes(arch)[1:] for arch in archs]
        y = normed(self.norm1, vectors)
        if self.last:
            vectors = picked(vectors, scored)
        found: dict[tuple[int, int], Flow] = {}
        for low, high in pairwise(
            [0, *(each for each in self.config.heads if each <= max(h for h, _ in asked))]
        ):
            vectors = self._added(vectors, self._attended(y, scored, low, high), self.project, low, high)
            if wanted := [n for heads, n in asked if heads == high]:
                for hidden, z in self._nested_hidden(vectors, wanted).items():
                    found[high, hidden] = self._handed_on(z, scored)
        return [found[sizes] for sizes in asked]

    def _nested_hidden(self, x: Tensor, wanted: Collection[int]) -> dict[int, Tensor]:
        """Number of hidden units -> vectors and what the MLP adds to them."""
        y, found = normed(self.norm2, x), {}
        for low, high in pairwise([0, *(each for each in self.config.hidden if each <= max(wanted))]):
            x = self._added(x, self._inside(y, slice(low, high)), self.contract, low, high)
            if high in wanted:
                found[high] = x
        return found

    def _added(self, x: Tensor, part: Tensor, layer: nn.Linear, low: int, high: int) -> Tensor:
        """A partial sum, and what some more inputs of a layer add; the layer's bias comes with the first."""
        entries = part.shape[2] // (high - low)
        weight = layer.weight[: x.shape[2], low * entries : high * entries]
        bias = layer.bias[: x.shape[2]] if layer.bias is not None and not low else None
        return x + F.linear(part, weight, bias)

    def _attended(self, y: Tensor, scored: Tensor, low: int, high: int) -> Tensor:
        """Attention of the query heads from `low` to below `high`, side by side, not projected: (n, t, heads * size)."""
        size, group = self.config.head_size, self.config.group
        shared = slice(low // group * size, high // group * size)
        at = torch.arange(y.shape[1], device=y.device)
        turns, mask = self._turns(at), None
        keys = _turned(self._cut(affine(y, self.key_, shared)), turns)
        values = self._cut(affine(y, self.value, shared))
        if self.last:
            y, turns = picked(y, scored), self._turns(scored[:, None])
            mask = (at > scored[:, None, :, None]).to(y.dtype) * -1e4
        queries = _turned(self._cut(affine(y, self.query, slice(low * size, high * size))), turns)
        attended = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=mask is None, enable_gqa=group > 1
        )
        return attended.transpose(1, 2).flatten(2)

    def _cut(self, x: Tensor) -> Tensor:
        """(n, t, heads * size) -> (n, heads, t, size)."""
        return x.unflatten(2, (-1, self.config.head_size)).transpose(1, 2)

    def _turns(self, at: Tensor) -> tuple[Tensor, Tensor] | None:
        """Cosine and sine (..., t, size / 2) of the angles by which positions (..., t) turn; None if none does."""
        if self.config.positions != "rotary":
            return None
        size = self.config.head_size
        steps = torch.arange(0, size, 2, device=at.device, dtype=torch.float32)
        angles = at[..., None] * (1.0 / self.config.theta ** (steps / size))
        return angles.cos(), angles.sin()

    def _inside(self, y: Tensor, units: slice) -> Tensor:
        """Hidden units (n, t, units) of normalized vectors."""
        wide = affine(y, self.expand, units)
        if self.gate is not None:
            return F.silu(affine(y, self.gate, units)) * wide
        return F.gelu(wide, approximate="tanh" if self.config.mlp == "gelu_tanh" else "none")

    def _handed_on(self, vectors: Tensor, scored: Tensor) -> Flow:
        """After the last layer only the scored positions are left, and all that are left are scored."""
        if not self.last:
            return vectors, scored
        return vectors, torch.arange(scored.shape[1], device=scored.device).expand_as(scored)

    # --- cut out and counted -------------------------------------------------------------------------

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, heads, hidden = self.sizes(arch)
        config = self.config
        block = DecoderBlock(
            width,
            heads,
            heads // config.group,
            config.head_size,
            hidden,
            norm=config.norm,
            epsilon=config.epsilon,
            positions=config.positions,
            theta=config.theta,
            mlp=config.mlp,
            biases=config.biases,
            outputs="scored" if self.last else "all",
        )
        for name, layer in block.named_children():
            copy_first(getattr(self, "key_" if name == "key" else name), layer)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, heads, hidden = self.sizes(arch)
        told = self.config.scored if self.last else self.config.input_shape[0]
        return StageCost(
            label=f"layer {self.index}",
            group="layers",
            kind="block",
            counted=layer_counts(self.config, width, heads, hidden, last=self.last),
            output_shape=(told, width),
            channels=width,
            detail=f"{heads}h {hidden}",
        )


def picked(x: Tensor, at: Tensor) -> Tensor:
    """(n, p, width) vectors at some positions (n, p), ascending, of (n, t, width)."""
    if at.shape[1] == x.shape[1]:
        return x  # there are no others
    return x.gather(1, at[:, :, None].expand(-1, -1, x.shape[2]))


def _turned(x: Tensor, turns: tuple[Tensor, Tensor] | None) -> Tensor:
    """Queries or keys (n, heads, t, size), rotated; number i and number i + half are a pair, as Llama's."""
    if turns is None:
        return x
    (cos, sin), (first, second) = turns, x.chunk(2, 3)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], 3)
