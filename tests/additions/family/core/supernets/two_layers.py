"""A toy."""

import math

from torch import nn
from torch.nn import functional as F

from core.networks.blocks.flat_head import FlatHead
from core.networks.blocks.stem import Stem
from core.spaces import Choice, SearchSpace
from core.supernets.base import Stage, Supernet
from core.supernets.elastic_conv import ElasticConv
from core.supernets.families import FAMILIES
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm
from core.tasks.image import ImageConfig, ImageTask


class Config(ImageConfig):
    """Widths only."""

    widths: tuple[int, ...] = (3, 5)


class First(Stage):
    depends_on = ("width",)

    def __init__(self, space, config):
        super().__init__(space)
        self.shape = config.input_shape
        self.conv = ElasticConv(config.input_shape[0], config.widths[-1], (3,))
        self.norm = ElasticBatchNorm(config.widths[-1])

    def forward(self, x, arch, statistics=None):
        return F.relu(self.norm(self.conv(x, self.option(arch, "width"), 3), statistics))

    def extract(self, arch, statistics):
        width = self.option(arch, "width")
        block = Stem(self.shape[0], width, 3, 1)
        self.conv.copy_to(block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def cost(self, arch):
        width, (c, h, w) = self.option(arch, "width"), self.shape
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            output_shape=(width, h, w),
            channels=width,
            counted=counts(
                macs=9 * c * width * h * w,
                params=9 * c * width + 2 * width,
                held_bytes=4 * (2 * c + width) * h * w,
                buffer_bytes=8 * width + 8 + 8 * c,
            ),
        )


class Last(Stage):
    depends_on = ("width",)

    def __init__(self, space, config):
        super().__init__(space)
        self.area = math.prod(config.input_shape[1:])
        self.linear = nn.Linear(config.widths[-1], config.classes)

    def key(self, arch):
        return ()

    def forward(self, x, arch, statistics=None):
        return F.linear(x.sum((2, 3)), self.linear.weight[:, : x.shape[1]], self.linear.bias)

    def extract(self, arch, statistics):
        width = self.option(arch, "width")
        block = FlatHead(width, self.linear.out_features)
        block.linear.weight.copy_(self.linear.weight[:, :width])
        block.linear.bias.copy_(self.linear.bias)
        return block

    def cost(self, arch):
        width, classes = self.option(arch, "width"), self.linear.out_features
        return StageCost(
            label="head",
            group="head",
            kind="head",
            output_shape=(classes,),
            channels=classes,
            counted=counts(
                macs=width * classes,
                params=(width + 1) * classes,
                held_bytes=4 * (width * self.area + width + classes),
            ),
        )


@FAMILIES.register("two_layers")
class TwoLayers(Supernet):
    """A stem and a head."""

    label = "Two layers"
    Config = Config
    task = ImageTask()

    def __init__(self, config):
        space = SearchSpace([Choice("width", config.widths, kind="width")])
        super().__init__(config, space, [First(space, config), Last(space, config)])

    @classmethod
    def examples(cls):
        return [Config()]
