"""The block of transformers for texts, whose padding nobody attends to."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, AttentionKind, Count, Example


class MaskedTransformerBlock(nn.Module):
    """Pre-norm attention and MLP on vectors (n, t, width) under a mask (n, t); heads of a fixed size."""

    def __init__(self, width: int, heads: int, head_size: int, hidden: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "heads": heads, "head_size": head_size, "hidden": hidden}
        self.heads, self.head_size = heads, head_size
        self.norm1 = nn.LayerNorm(width)
        self.query = nn.Linear(width, heads * head_size)
        self.key = nn.Linear(width, heads * head_size)
        self.value = nn.Linear(width, heads * head_size)
        self.project = nn.Linear(heads * head_size, width)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, mask = inputs
        y = self.norm1(x)
        shape = (x.shape[0], x.shape[1], self.heads, self.head_size)
        query = self.query(y).view(shape).transpose(1, 2)
        key = self.key(y).view(shape).permute(0, 2, 3, 1)
        value = self.value(y).view(shape).transpose(1, 2)
        scores = query @ key / self.head_size**0.5
        attention = scores.masked_fill(~mask[:, None, None, :], -1e9).softmax(3)
        x = x + self.project((attention @ value).transpose(1, 2).flatten(2))
        return x + self.contract(F.gelu(self.expand(self.norm2(x)))), mask


@BLOCKS.register("masked_transformer_block")
class MaskedTransformerBlockKind(AttentionKind):
    """Attention under a mask and MLP, each behind a LayerNorm and beside a shortcut."""

    label = "Masked transformer block"
    source = "Vaswani et al., 'Attention is all you need', NeurIPS 2017; pre-norm: Xiong et al., ICML 2020"
    module = MaskedTransformerBlock
    arguments = {"width": Count(), "heads": Count(), "head_size": Count(), "hidden": Count()}
    example = Example(
        (6,),
        (
            ("SequenceEmbedding", {"vocabulary": 9, "width": 6, "length": 6}),
            ("MaskedTransformerBlock", {"width": 6, "heads": 3, "head_size": 4, "hidden": 10}),
            ("MaskedMeanHead", {"width": 6, "classes": 3}),
        ),
    )
