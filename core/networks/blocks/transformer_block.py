"""The block of transformers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, GELU, AttentionKind, Count, Epsilon, Example


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP on tokens (n, t, width); heads of a fixed size, however many."""

    def __init__(
        self,
        width: int,
        heads: int,
        head_size: int,
        hidden: int,
        epsilon: float = 1e-5,
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self.arguments: dict[str, float | str] = {
            "width": width,
            "heads": heads,
            "head_size": head_size,
            "hidden": hidden,
        }
        # Files of earlier releases do not say these; what is as it was then is not said now either.
        if epsilon != 1e-5:
            self.arguments["epsilon"] = epsilon
        if activation != "gelu":
            self.arguments["activation"] = activation
        self.heads, self.head_size, self.activation = heads, head_size, activation
        self.norm1 = nn.LayerNorm(width, eps=epsilon)
        self.query = nn.Linear(width, heads * head_size)
        self.key = nn.Linear(width, heads * head_size)
        self.value = nn.Linear(width, heads * head_size)
        self.project = nn.Linear(heads * head_size, width)
        self.norm2 = nn.LayerNorm(width, eps=epsilon)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        shape = (x.shape[0], x.shape[1], self.heads, self.head_size)
        query = self.query(y).view(shape).transpose(1, 2)
        key = self.key(y).view(shape).permute(0, 2, 3, 1)
        value = self.value(y).view(shape).transpose(1, 2)
        attention = (query @ key / self.head_size**0.5).softmax(3)
        x = x + self.project((attention @ value).transpose(1, 2).flatten(2))
        y = self.expand(self.norm2(x))
        if self.activation == "relu":
            y = F.relu(y)
        else:
            y = F.gelu(y, approximate="tanh" if self.activation == "gelu_tanh" else "none")
        return x + self.contract(y)


@BLOCKS.register("transformer_block")
class TransformerBlockKind(AttentionKind):
    """Attention and MLP, each behind a LayerNorm and beside a shortcut."""

    label = "Transformer block"
    source = "Vaswani et al., 'Attention is all you need', NeurIPS 2017; pre-norm: Xiong et al., ICML 2020"
    module = TransformerBlock
    arguments = {
        "width": Count(),
        "heads": Count(),
        "head_size": Count(),
        "hidden": Count(),
        "epsilon": Epsilon(1e-12),
        "activation": GELU,
    }
    example = Example(
        (1, 8, 8),
        (
            ("PatchEmbedding", {"in_channels": 1, "width": 6, "patch": 4, "tokens": 4}),
            ("TransformerBlock", {"width": 6, "heads": 3, "head_size": 4, "hidden": 10}),
            ("TokenHead", {"width": 6, "classes": 3}),
        ),
    )
