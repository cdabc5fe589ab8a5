"""What an addition costs: one file each. Every kind is added to a copy of core as a single file, and used."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.registering import run_with_new_files

OBJECTIVE = '''
"""A toy."""
from core.objectives.base import OBJECTIVES, FromOutputs

@OBJECTIVES.register("confidence")
class Confidence(FromOutputs):
    """Mean probability of the predicted class."""
    label = "Confidence"
    maximize = True

    def values(self, outputs, targets, task):
        return outputs.softmax(-1).amax(-1).mean(1).double().numpy()
'''

BLOCK = '''
"""A toy."""
from torch import Tensor, nn
from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk

class FlatHead(nn.Module):
    """Sum over all positions, then a linear layer."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "classes": classes}
        self.linear = nn.Linear(in_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.sum((2, 3)))

@BLOCKS.register("flat_head")
class FlatHeadKind(BlockKind):
    """Sum, linear layer."""
    label = "Flat head"
    module = FlatHead
    arguments = {"in_channels": Count(), "classes": Count()}
    sizes = {"in_channels": ("linear.weight", 1)}
    example = Example(
        (1, 6, 6),
        (("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
         ("FlatHead", {"in_channels": 4, "classes": 5})),
    )

    def units(self, block: FlatHead, walk: UnitWalk) -> None:
        walk.reads("linear.weight", block.linear.in_features)
'''

FAMILY = '''
"""A toy."""
from torch import nn
from torch.nn import functional as F
from core.networks.blocks.flat_head import FlatHead
from core.networks.blocks.stem import Stem
from core.spaces import Choice, SearchSpace
from core.supernets.base import Stage, Supernet
from core.supernets.elastic_conv import ElasticConv
from core.supernets.stage_cost import StageCost, counts
from core.supernets.families import FAMILIES
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
        return StageCost(label="stem", group="stem", kind="stem", output_shape=(width, h, w), channels=width,
                         counted=counts(macs=9 * c * width * h * w, params=9 * c * width + 2 * width, buffer_bytes=8 * width + 8 + 8 * c))

class Last(Stage):
    depends_on = ("width",)

    def __init__(self, space, config):
        super().__init__(space)
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
        size = self.option(arch, "width") * self.linear.out_features
        return StageCost(label="head", group="head", kind="head", output_shape=(self.linear.out_features,), channels=self.linear.out_features,
                         counted=counts(macs=size, params=size + self.linear.out_features))

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
'''

EXPORTER = '''
"""A toy."""
import io
import numpy as np
import torch
from torch.nn import functional as F
from core.export.base import EXPORTERS, Exporter

@EXPORTERS.register("npz_weights")
class NpzWeights(Exporter):
    """Weights as NumPy arrays."""
    label = "Weights (NumPy)"
    suffix = "npz"
    media_type = "application/octet-stream"

    def export(self, subnet):
        buffer = io.BytesIO()
        np.savez(buffer, **{name: t.numpy() for name, t in subnet.net.state_dict().items()})
        return buffer.getvalue()

    def run(self, data, subnet, inputs):
        import copy
        net = copy.deepcopy(subnet.net)
        net.load_state_dict({k: torch.from_numpy(v) for k, v in np.load(io.BytesIO(data)).items()})
        return net(inputs)
'''

ATTACK = '''
"""A toy."""
import numpy as np
from core.attacks.base import ATTACKS, Attack

@ATTACKS.register("darken")
class Darken(Attack):
    """Every pixel darker."""
    label = "Darken"

    def batch(self, net, images, labels, eps, starts):
        return (images - eps).clamp(0, 1)
'''

SCRIPT = """
import numpy as np, torch
from core.datasets import load_dataset
from core.evaluation.evaluator import evaluate_table
from core.export.base import EXPORTERS
from core.export.exporting import export_subnet
from core.export.subnet import extract_subnet
from core.library import tables as tables
from core.library.fronts import front
from core.networks.cut import compact, removable_groups
from core.networks.file import dump_net, load_net
from core.objectives.base import objective
from core.supernets.files import build, dump_supernet, load_supernet
from core.tasks.base import evaluation_data, task_of

data = load_dataset("digits", limit_train=200, calibration=50)
torch.manual_seed(0)
net = build("two_layers", {"widths": [3, 5, 8], **task_of(data).settings_from(data)})
rows = net.space.array()
names = ("accuracy", "confidence", "macs")
table = evaluate_table(net, rows, names, evaluation_data(data, ("validation",)))
again, _ = load_supernet(dump_supernet(net, {}))
frame = tables.parse_table(tables.dump_table(net.space, rows, table), net.space)
members = front(frame, ("macs", "confidence")).members
subnet = extract_subnet(net, net.largest, data, title="toy")
exported = export_subnet(subnet, "npz_weights")
bundle = export_subnet(subnet, "bundle")
small = compact(subnet.net, {g.name: np.arange(2) for g in removable_groups(subnet.net)})
loaded, _ = load_net(dump_net(small, (1, 8, 8), {}))
print(len(frame), objective("confidence").label, "confidence" in frame, len(members) > 0)
print(exported.file_name.endswith(".npz"), len(bundle.data) > 1000, tuple(loaded(torch.rand(2, 1, 8, 8)).shape))
print([t for t in ("npz_weights",) if t in EXPORTERS.names()])
"""


def test_objective_block_family_and_exporter_are_one_file_each(tmp_path: Path) -> None:
    files = {
        "objectives/confidence.py": OBJECTIVE,
        "networks/blocks/flat_head.py": BLOCK,
        "supernets/two_layers.py": FAMILY,
        "export/npz_weights.py": EXPORTER,
    }
    printed = run_with_new_files(tmp_path, files, SCRIPT)
    assert printed.splitlines() == [
        "3 Confidence True True",
        "True True (2, 10)",
        "['npz_weights']",
    ]
