"""The layer of BERT."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, GELU, AttentionKind, Count, Epsilon, Example


class PostNormBlock(nn.Module):
    """Attention under a mask and MLP on vectors (n, t, width), each added to its input and normalized after."""

    def __init__(
        self, width: int, heads: int, head_size: int, hidden: int, epsilon: float, activation: str
    ) -> None:
        super().__init__()
        self.arguments = {
            "width": width,
            "heads": heads,
            "head_size": head_size,
            "hidden": hidden,
            "epsilon": epsilon,
            "activation": activation,
        }
        self.heads, self.head_size, self.activation = heads, head_size, activation
        self.query = nn.Linear(width, heads * head_size)
        self.key = nn.Linear(width, heads * head_size)
        self.value = nn.Linear(width, heads * head_size)
        self.project = nn.Linear(heads * head_size, width)
        self.norm1 = nn.LayerNorm(width, eps=epsilon)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width, eps=epsilon)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, mask = inputs
        shape = (x.shape[0], x.shape[1], self.heads, self.head_size)
        query = self.query(x).view(shape).transpose(1, 2)
        key = self.key(x).view(shape).permute(0, 2, 3, 1)
        value = self.value(x).view(shape).transpose(1, 2)
        scores = query @ key / self.head_size**0.5
        attention = scores.masked_fill(~mask[:, None, None, :], -1e9).softmax(3)
        x = self.norm1(x + self.project((attention @ value).transpose(1, 2).flatten(2)))
        y = self.expand(x)
        if self.activation == "relu":
            y = F.relu(y)
        else:
            y = F.gelu(y, approximate="tanh" if self.activation == "gelu_tanh" else "none")
        return self.norm2(x + self.contract(y)), mask


@BLOCKS.register("post_norm_block")
class PostNormBlockKind(AttentionKind):
    """Attention under a mask and MLP, each beside a shortcut and before a LayerNorm."""

    label = "Post-norm transformer block"
    source = "Vaswani et al., 'Attention is all you need', NeurIPS 2017; Devlin et al., BERT, NAACL 2019"
    module = PostNormBlock
    arguments = {
        "width": Count(),
        "heads": Count(),
        "head_size": Count(),
        "hidden": Count(),
        "epsilon": Epsilon(1e-12),
        "activation": GELU,
    }
    example = Example(
        (6,),
        (
            (
                "BertEmbedding",
                {"vocabulary": 9, "width": 6, "length": 6, "token_types": 2, "epsilon": 1e-12},
            ),
            (
                "PostNormBlock",
                {
                    "width": 6,
                    "heads": 3,
                    "head_size": 4,
                    "hidden": 10,
                    "epsilon": 1e-12,
                    "activation": "gelu",
                },
            ),
            ("PooledTokenHead", {"width": 6, "pooled": 6, "classes": 3}),
        ),
    )
