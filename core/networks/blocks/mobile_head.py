"""The last block of mobile networks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import (
    ACTIVATION,
    BLOCKS,
    BlockKind,
    Count,
    Epsilon,
    Example,
    Shapes,
)
from core.networks.groups import UnitWalk, batch_norm


class MobileHead(nn.Module):
    """Expand by a 1x1 convolution with BatchNorm, mean over all positions, mix to features (if asked), classify.

    The activation is named as in torch.nn.functional.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        classes: int,
        activation: str,
        epsilon: float,
        features: int = 0,
    ) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "width": width,
            "classes": classes,
            "activation": activation,
            "epsilon": epsilon,
        }
        if features:
            self.arguments["features"] = features
        self.activation = activation
        self.expand = nn.Conv2d(in_channels, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width, eps=epsilon)
        self.mix = nn.Linear(width, features, bias=False) if features else None
        self.classifier = nn.Linear(features or width, classes)

    def forward(self, x: Tensor) -> Tensor:
        activate = getattr(F, self.activation)
        y = activate(self.norm(self.expand(x))).mean((2, 3))
        if self.mix is not None:
            y = activate(self.mix(y))
        return self.classifier(y)


@BLOCKS.register("mobile_head")
class MobileHeadKind(BlockKind):
    """1x1 convolution, mean over all positions, features where asked for, linear layer."""

    label = "Mobile head"
    source = "Howard et al., MobileNetV3, ICCV 2019"
    module = MobileHead
    arguments = {
        "in_channels": Count(),
        "width": Count(),
        "classes": Count(),
        "activation": ACTIVATION,
        "epsilon": Epsilon(),
        "features": Count(),
    }
    sizes = {"in_channels": ("expand.weight", 1), "width": ("expand.weight", 0)}
    foldable = (("expand", "norm"),)
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "MobileHead",
                {
                    "in_channels": 4,
                    "width": 7,
                    "classes": 3,
                    "activation": "hardswish",
                    "epsilon": 1e-3,
                    "features": 6,
                },
            ),
        ),
    )

    def units(self, block: MobileHead, walk: UnitWalk) -> None:
        walk.reads("expand.weight", block.expand.in_channels)
        reader = "classifier.weight" if block.mix is None else "mix.weight"
        walk.inner(
            "expanded",
            block.expand.out_channels,
            made=["expand.weight"],
            scaled=batch_norm("norm"),
            read=[reader],
            shown="norm",
        )
        if block.mix is not None:
            walk.inner(
                "features",
                block.mix.out_features,
                made=["mix.weight"],
                scaled=[],
                read=["classifier.weight"],
                shown="mix",
            )

    def fitting(self, block: MobileHead, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        return found | {"features": int(shapes["mix.weight"][0])} if block.mix is not None else found
