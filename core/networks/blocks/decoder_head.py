"""The last block of a decoder."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Epsilon, Example, Name
from core.networks.groups import UnitWalk


class DecoderHead(nn.Module):
    """Norm, and the product with the vocabulary at the scored positions alone: (n, p, vocabulary) logits.

    Its table is its own, or the embedding's, which then comes with the vectors.
    """

    def __init__(
        self, width: int, vocabulary: int, norm: str = "rms", epsilon: float = 1e-5, table: str = "own"
    ) -> None:
        super().__init__()
        self.arguments = {
            "width": width,
            "vocabulary": vocabulary,
            "norm": norm,
            "epsilon": epsilon,
            "table": table,
        }
        self.norm = nn.RMSNorm(width, epsilon) if norm == "rms" else nn.LayerNorm(width, epsilon)
        self.linear = nn.Linear(width, vocabulary, bias=False) if table == "own" else None

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        x, scored, *table = inputs
        x = x.gather(1, scored[:, :, None].expand(-1, -1, x.shape[2]))
        return self.logits(x, *table)

    def logits(self, x: Tensor, table: Tensor | None = None) -> Tensor:
        """(n, p, vocabulary) logits of vectors (n, p, width); the table where it is not its own."""
        x = self.norm(x)
        if self.linear is not None:
            return self.linear(x)
        assert table is not None
        return F.linear(x, table)


@BLOCKS.register("decoder_head")
class DecoderHeadKind(BlockKind):
    """Norm and the product with the vocabulary, at the scored positions."""

    label = "Decoder head"
    source = "Radford et al., GPT-2, 2019; RMSNorm: Zhang and Sennrich, NeurIPS 2019"
    module = DecoderHead
    per_position = True
    arguments = {
        "width": Count(),
        "vocabulary": Count(1_000_000),
        "norm": Name(("rms", "layer")),
        "epsilon": Epsilon(),
        "table": Name(("own", "shared")),
    }
    example = Example(
        (6,),
        (
            ("DecoderEmbedding", {"vocabulary": 9, "width": 5, "context": 6}),
            (
                "DecoderBlock",
                {"width": 5, "heads": 2, "kv_heads": 1, "head_size": 4, "hidden": 6, "outputs": "scored"},
            ),
            ("DecoderHead", {"width": 5, "vocabulary": 9}),
        ),
    )
    sizes = {"width": ("norm.weight", 0)}

    def units(self, block: DecoderHead, walk: UnitWalk) -> None:
        (width,) = block.norm.normalized_shape
        walk.averages("norm", width, shifted=isinstance(block.norm, nn.LayerNorm))
        if block.linear is not None:
            walk.reads("linear.weight", width)
