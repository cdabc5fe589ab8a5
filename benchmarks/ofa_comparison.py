"""Once-for-all's own evaluation loop against one shared walk of the same network.

    python benchmarks/ofa_comparison.py [--ofa FOLDER]      # a checkout, where once-for-all is not installed

Their class `OFAMobileNetV3` (width 0.25, 32x32 images), its weights, 1,024 subnets: one block per stage,
kernel 3 or 5, expansion 3 or 6. Both sides recalibrate BatchNorm on 2,000 images and classify 1,000. Theirs, per
subnet: set_active_subnet, get_active_subnet, set_running_statistics (batches of 200), evaluation (batches of
100). Ours: the family `ofa_mobilenet_v3` with the same weights, walked once by the evaluator. Weights and images
are random; neither changes the speed. Process CPU time of one thread; their subnets are measured before and after our walk.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.evaluation.evaluator import walk
from core.runtime import heavy_imports
from core.spaces import SearchSpace
from core.supernets.base import BranchContext
from core.supernets.ofa_mobilenet_v3 import OfaMobileNetV3, OfaMobileNetV3Config
from core.tasks.base import EvaluationData

CALIBRATION, VALIDATION, CLASSES = 2000, 1000, 10
KERNELS, EXPANSIONS, BLOCKS, SIDE = (3, 5), (3, 6), 5, 32


# --- their side ---------------------------------------------------------------------------------


def import_ofa(folder: Path | None) -> Any:
    """Their package, from a checkout or as installed; it imports torchvision for its data loaders, which are not used here."""

    class Stub(types.ModuleType):
        __path__: list[str] = []

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

    for name in (
        "torchvision",
        "torchvision.transforms",
        "torchvision.transforms.functional",
        "torchvision.datasets",
    ):
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, Stub(name))
        sys.modules[name] = getattr(sys.modules[parent], child) if parent else Stub(name)
    if folder is not None:
        sys.path.insert(0, str(folder))
    from ofa.imagenet_classification.elastic_nn.networks.ofa_mbv3 import OFAMobileNetV3

    return OFAMobileNetV3


def their_network(cls: Any) -> nn.Module:
    """Their network with nothing left at a constant initial value."""
    torch.manual_seed(0)
    net: nn.Module = cls(
        n_classes=CLASSES,
        dropout_rate=0,
        width_mult=0.25,
        ks_list=list(KERNELS),
        expand_ratio_list=list(EXPANSIONS),
        depth_list=[1, 2],
    )
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.ndim == 1:
                parameter.copy_(torch.randn_like(parameter) * 0.2 + (1.0 if name.endswith("weight") else 0.0))
            elif name.endswith("matrix"):
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return net.eval()


def their_subnet(
    net: Any, kernels: Sequence[int], expansions: Sequence[int], batches: Sequence[Tensor]
) -> nn.Module:
    """One subnet, extracted and recalibrated their way."""
    from ofa.imagenet_classification.elastic_nn.utils import set_running_statistics

    per_block = {"ks": [3] * (len(net.blocks) - 1), "e": [3] * (len(net.blocks) - 1)}
    for stage, blocks in enumerate(net.block_group_info):
        # Their lists leave out the first, fixed block.
        per_block["ks"][blocks[0] - 1], per_block["e"][blocks[0] - 1] = kernels[stage], expansions[stage]
    net.set_active_subnet(**per_block, d=1)
    subnet: nn.Module = net.get_active_subnet(preserve_weight=True)
    subnet.eval()
    set_running_statistics(subnet, [(batch, None) for batch in batches])
    return subnet.eval()


def their_loop(net: Any, kernels: Sequence[int], expansions: Sequence[int], data: EvaluationData) -> float:
    """CPU seconds of one subnet."""
    start = time.process_time()
    subnet = their_subnet(net, kernels, expansions, data.inputs[:CALIBRATION].split(200))
    correct = 0
    rows = data.spans["validation"]
    with torch.no_grad():
        for images, labels in zip(data.inputs[rows].split(100), data.targets[rows].split(100), strict=True):
            correct += int((subnet(images).argmax(1) == labels).sum())
    return time.process_time() - start


# --- our side: the same weights in the family ----------------------------------------------------


@torch.no_grad()
def our_network(net: Any) -> OfaMobileNetV3:
    """The family's network of their sizes with their weights; pixels go in as they are."""
    config = OfaMobileNetV3Config.published(
        classes=CLASSES,
        width_mult=0.25,
        depths=(1, 2),
        kernels=KERNELS,
        expands=EXPANSIONS,
        resolutions=(SIDE,),
    )
    changes = {"input_shape": (3, SIDE, SIDE), "pixel_mean": (0.0,), "pixel_std": (1.0,)}
    made = OfaMobileNetV3(config.model_copy(update=changes)).requires_grad_(False)
    stem, first, head = made.chain[1], made.chain[2], made.chain[-1]
    fixed = net.blocks[0].conv
    copy(stem.conv, net.first_conv.conv)
    copy(stem.norm, net.first_conv.bn)
    copy(first.depthwise, fixed.depth_conv.conv)
    copy(first.norm1, fixed.depth_conv.bn)
    copy(first.project, fixed.point_linear.conv)
    copy(first.norm2, fixed.point_linear.bn)
    for block, theirs in zip(made.blocks, net.blocks[1:], strict=True):
        inner = theirs.conv
        copy(block.expand, inner.inverted_bottleneck.conv.conv)
        copy(block.norm1, inner.inverted_bottleneck.bn.bn)
        copy(block.depthwise, inner.depth_conv.conv.conv)
        block.depthwise.transforms["3"].copy_(inner.depth_conv.conv.get_parameter("5to3_matrix"))
        copy(block.norm2, inner.depth_conv.bn.bn)
        if block.squeeze is not None:
            copy(block.squeeze, inner.depth_conv.se.fc.reduce)
            copy(block.excite, inner.depth_conv.se.fc.expand)
        copy(block.project, inner.point_linear.conv.conv)
        copy(block.norm3, inner.point_linear.bn.bn)
    copy(head.expand, net.final_expand_layer.conv)
    copy(head.norm, net.final_expand_layer.bn)
    copy(head.mix, net.feature_mix_layer.conv)
    copy(head.classifier, net.classifier.linear)
    return made


def copy(ours: Any, theirs: Any) -> None:
    """Weights, and biases where there are any, of one layer."""
    for name in ("weight", "bias"):
        if (mine := getattr(ours, name, None)) is not None:
            mine.copy_(getattr(theirs, name).reshape(mine.shape))


def one_block_per_stage(space: SearchSpace) -> np.ndarray:
    """The 1,024 architectures: depth 1 everywhere, every kernel and expansion."""
    settings = itertools.product(KERNELS, EXPANSIONS, repeat=BLOCKS)
    rows = []
    for setting in settings:
        options: dict[str, int] = {"resolution": SIDE}
        for g in range(1, BLOCKS + 1):
            options |= {
                f"depth{g}": 1,
                f"kernel{g}_1": setting[2 * g - 2],
                f"expand{g}_1": setting[2 * g - 1],
            }
        rows.append(space.from_dict(options))
    return np.array(rows, np.uint8)


def random_data() -> EvaluationData:
    """Smooth random images; labels do not matter."""
    generator = torch.Generator().manual_seed(1)
    images = F.interpolate(
        torch.rand(CALIBRATION + VALIDATION, 3, 8, 8, generator=generator), size=SIDE, mode="bilinear"
    )
    labels = torch.randint(0, CLASSES, (len(images),), generator=generator)
    return EvaluationData(images, labels, CALIBRATION, {"validation": slice(CALIBRATION, len(images))})


def our_logits(net: OfaMobileNetV3, row: np.ndarray, data: EvaluationData) -> Tensor:
    """Validation logits of one subnet by the stages' shared path."""
    context, x, arch = BranchContext(CALIBRATION), data.inputs, row.tolist()
    with torch.inference_mode():
        for stage in net.chain:
            if stage.key(arch) is not None:
                x = stage.branch(x, [arch], context)[0]
    return x[CALIBRATION:]


def agreement(ours: OfaMobileNetV3, net: Any, row: np.ndarray, data: EvaluationData) -> tuple[float, float]:
    """(largest logit difference over the largest logit, share of equal answers) of one subnet.

    Their statistics average over batches; with one batch of all calibration images they are ours by definition.
    """
    kernels, expansions = settings_of(ours.space, row)
    with torch.no_grad():
        theirs = their_subnet(net, kernels, expansions, [data.inputs[:CALIBRATION]])(
            data.inputs[CALIBRATION:]
        )
    found = our_logits(ours, row, data)
    same = (theirs.argmax(1) == found.argmax(1)).double().mean()
    return float((theirs - found).abs().max() / theirs.abs().max()), float(same)


def settings_of(space: SearchSpace, row: np.ndarray) -> tuple[list[int], list[int]]:
    options = space.to_dict(row.tolist())
    kernels = [int(options[f"kernel{g}_1"]) for g in range(1, BLOCKS + 1)]
    return kernels, [int(options[f"expand{g}_1"]) for g in range(1, BLOCKS + 1)]


def compare(folder: Path | None, sample: int = 12) -> float:
    """Print both times and the ratio; returns the ratio."""
    net = their_network(import_ofa(folder))
    ours, data = our_network(net), random_data()
    rows = one_block_per_stage(ours.space)
    picked = np.random.default_rng(0).choice(len(rows), sample, replace=False)
    differences, equal = zip(*(agreement(ours, net, rows[i], data) for i in picked[:4]), strict=True)
    theirs = [their_loop(net, *settings_of(ours.space, rows[i]), data) for i in picked[: sample // 2]]
    start = time.process_time()
    done = sum(len(indices) for indices, _ in walk(ours, rows, ("accuracy",), data))
    seconds = time.process_time() - start
    theirs += [their_loop(net, *settings_of(ours.space, rows[i]), data) for i in picked[sample // 2 :]]
    each = float(np.median(theirs))
    ratio = each * len(rows) / seconds
    print(
        f"once-for-all: its network of {done:,} subnets, {CALIBRATION} calibration and {VALIDATION} validation images"
    )
    print(f"  its own loop             {each * len(rows):8.1f} s   (median {each:.3f} s of {sample} subnets)")
    print(f"  shared evaluation        {seconds:8.1f} s")
    print(f"  ratio                    {ratio:8.1f} x   (goal: at least 25)")
    print(
        f"  logits differ by at most {max(differences):.1e} of the largest; same answers {min(equal):.2%} (4 subnets)"
    )
    print(
        "  (compared with their statistics of one batch of all calibration images; timed with their batches of 200)"
    )
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--ofa", type=Path, help="folder of a once-for-all checkout, where it is not installed"
    )
    heavy_imports()
    compare(parser.parse_args().ofa)


if __name__ == "__main__":
    main()
