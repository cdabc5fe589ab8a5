"""The pre-norm transformer block as a stage: first heads, first hidden units, and none at all where it is left out.

A family says in a subclass which choices decide its sizes. One pass may run an architecture per sample
(`core.supernets.masked`): a sample whose architecture lacks the block keeps nothing of what it adds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from torch import Tensor, nn

from core.networks.blocks.transformer_block import TransformerBlock
from core.spaces import SearchSpace
from core.supernets.attention import Attention
from core.supernets.base import BranchContext, Stage
from core.supernets.drop_path import thinned
from core.supernets.masked import ManyArchs, Units, kept, whole
from core.supernets.nested import ACTIVATIONS, attended, nested_heads, nested_hidden
from core.supernets.sliced import copy_attention_and_mlp, held_by_attention, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics


class PreNormStage(Stage):
    """One block; a subclass says `depends_on`, `width`, `heads`, `hidden` and `there`.

    Args:
        space: of the supernet.
        called: (label, group) of its cost.
        tokens: vectors of one sample.
        width: of a vector, at most.
        heads: ascending options.
        head_size: numbers of a head.
        hidden: most units of the MLP.
        activation: inside the MLP, one of `ACTIVATIONS`.
        epsilon: of both norms.
    """

    attends = True

    def __init__(
        self,
        space: SearchSpace,
        called: tuple[str, str],
        *,
        tokens: int,
        width: int,
        heads: Sequence[int],
        head_size: int,
        hidden: int,
        activation: str = "gelu",
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__(space)
        self.called, self.tokens, self.head_size, self.activation = called, tokens, head_size, activation
        self._heads = tuple(heads)
        attention = heads[-1] * head_size
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=epsilon), nn.LayerNorm(width, eps=epsilon)
        self.query, self.key_ = nn.Linear(width, attention), nn.Linear(width, attention)
        self.value, self.project = nn.Linear(width, attention), nn.Linear(attention, width)
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def width(self, arch: Sequence[int]) -> int:
        """Of a vector."""
        raise TypeError(f"{type(self).__name__} must define width")

    def heads(self, arch: Sequence[int]) -> int:
        """Of the attention."""
        raise TypeError(f"{type(self).__name__} must define heads")

    def hidden(self, arch: Sequence[int]) -> int:
        """Units of the MLP."""
        raise TypeError(f"{type(self).__name__} must define hidden")

    def there(self, arch: Sequence[int]) -> bool:
        """Whether an architecture has the block."""
        raise TypeError(f"{type(self).__name__} must define there")

    def hidden_options(self, width: int) -> Sequence[int]:
        """Ascending numbers of hidden units that vectors of a width may have."""
        raise TypeError(f"{type(self).__name__} must define hidden_options")

    def key(self, arch: Sequence[int]) -> Hashable:
        if isinstance(arch, ManyArchs):
            return super().key(arch)
        return (self.heads(arch), self.hidden(arch)) if self.there(arch) else None

    def attention(self, x: Tensor, arch: Sequence[int]) -> Attention:
        return self._attention(x, self.width(arch), self.heads(arch) * self.head_size)

    def _attention(self, x: Tensor, width: Units, inner: Units) -> Attention:
        """Of heads that a sample does not keep, only the values are masked: without them they add nothing."""
        y, most = normalized(self.norm1, x, width), whole(inner)
        query, key = (linear(layer, y, most) for layer in (self.query, self.key_))
        return Attention(query, key, linear(self.value, y, inner))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        most = self.norm1.normalized_shape[0]
        width = kept(arch, self.width, most, x)
        added = kept(arch, lambda each: self.width(each) * self.there(each), most, x)
        inner = kept(arch, lambda each: self.heads(each) * self.head_size, self.value.out_features, x)
        hidden = kept(arch, self.hidden, self.expand.out_features, x)
        made = self._attention(x, width, inner)
        seen = attended(made.query, made.key, made.value, head_size=self.head_size)
        x = x + thinned(linear(self.project, seen, added), arch, self.depth_share)
        inside = linear(self.expand, normalized(self.norm2, x, width), hidden)
        y = linear(self.contract, ACTIVATIONS[self.activation](inside), added)
        return x + thinned(y, arch, self.depth_share)

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        asked = [(self.heads(arch), self.hidden(arch)) for arch in archs]
        layers = (self.query, self.key_, self.value, self.project)
        added = nested_heads(
            normalized(self.norm1, x),
            layers,
            self.head_size,
            options=self._heads,
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
                options=self.hidden_options(x.shape[2]),
                wanted={hidden for h, hidden in asked if h == heads},
            )
            found |= {(heads, n): between + z for n, z in sums.items()}
        return [found[sizes] for sizes in asked]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        sizes = self.width(arch), self.heads(arch), self.head_size, self.hidden(arch)
        block = TransformerBlock(*sizes, self.norm1.eps, self.activation)
        copy_attention_and_mlp(self, block)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, heads, hidden = self.width(arch), self.heads(arch), self.hidden(arch)
        inner = heads * self.head_size
        weights = 4 * width * inner + 2 * width * hidden
        products = 2 * self.tokens * inner  # queries with keys, attention with values, per token
        biases = 3 * inner + width + hidden + width + 4 * width
        label, group = self.called
        return StageCost(
            label=label,
            group=group,
            kind="block",
            output_shape=(self.tokens, width),
            channels=width,
            counted=counts(
                macs=self.tokens * (weights + products),
                params=weights + biases,
                held_bytes=4 * held_by_attention(self.tokens, width, heads=heads, inner=inner, hidden=hidden),
            ),
            detail=f"{heads}h {hidden}",
        )
