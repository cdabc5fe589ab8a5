"""The last block of a network for texts."""

from __future__ import annotations

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class MaskedMeanHead(nn.Module):
    """LayerNorm, mean over the tokens that the mask shows, linear layer."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "classes": classes}
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, classes)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        x, mask = inputs
        shown = mask.to(x.dtype)[:, :, None]
        return self.linear((self.norm(x) * shown).sum(1) / shown.sum(1).clamp(min=1))


@BLOCKS.register("masked_mean_head")
class MaskedMeanHeadKind(BlockKind):
    """LayerNorm, mean over the tokens that count, linear layer."""

    label = "Masked mean head"
    source = "Reimers and Gurevych, 'Sentence-BERT', EMNLP 2019 (mean of the tokens)"
    module = MaskedMeanHead
    arguments = {"width": Count(), "classes": Count()}
    sizes = {"width": ("linear.weight", 1)}
    example = Example(
        (6,),
        (
            ("SequenceEmbedding", {"vocabulary": 9, "width": 5, "length": 6}),
            ("MaskedMeanHead", {"width": 5, "classes": 4}),
        ),
    )

    def units(self, block: MaskedMeanHead, walk: UnitWalk) -> None:
        walk.averages("norm", block.linear.in_features)
        walk.reads("linear.weight", block.linear.in_features)
