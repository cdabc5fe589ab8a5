"""The last block of a plain vision transformer."""

from __future__ import annotations

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Epsilon, Example
from core.networks.groups import UnitWalk


class ClassTokenHead(nn.Module):
    """LayerNorm and a linear layer on the class token; with two answers, the mean of it and the distillation token's."""

    def __init__(self, width: int, classes: int, answers: int, epsilon: float) -> None:
        super().__init__()
        self.arguments = {"width": width, "classes": classes, "answers": answers, "epsilon": epsilon}
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.linears = nn.ModuleList(nn.Linear(width, classes) for _ in range(answers))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x[:, : len(self.linears)])
        answers = [linear(x[:, i]) for i, linear in enumerate(self.linears)]
        return sum(answers[1:], answers[0]) / len(answers)


@BLOCKS.register("class_token_head")
class ClassTokenHeadKind(BlockKind):
    """LayerNorm, then a classifier per token that answers; the mean of their logits."""

    label = "Class token head"
    source = "Dosovitskiy et al., ViT, ICLR 2021; Touvron et al., DeiT, ICML 2021 (mean of two classifiers)"
    module = ClassTokenHead
    arguments = {"width": Count(), "classes": Count(), "answers": Count(2), "epsilon": Epsilon(1e-12)}
    sizes = {"width": ("linears.0.weight", 1)}
    example = Example(
        (1, 4, 4),
        (
            ("ClassTokenEmbedding", {"in_channels": 1, "width": 5, "patch": 2, "patches": 4, "tokens": 1}),
            ("TransformerBlock", {"width": 5, "heads": 2, "head_size": 3, "hidden": 4, "activation": "relu"}),
            ("ClassTokenHead", {"width": 5, "classes": 4, "answers": 1, "epsilon": 1e-12}),
        ),
    )

    def units(self, block: ClassTokenHead, walk: UnitWalk) -> None:
        width = block.norm.normalized_shape[0]
        walk.averages("norm", width)
        for i in range(len(block.linears)):
            walk.reads(f"linears.{i}.weight", width)
