"""Once-for-all's own evaluation loop against one shared walk of the same network.

    python benchmarks/ofa_comparison.py [--ofa FOLDER]      # a checkout, where once-for-all is not installed

Their class `OFAMobileNetV3` (width 0.25, 32x32 images), its weights, 1,024 subnets: one block per stage,
kernel 3 or 5, expansion 3 or 6. Both sides recalibrate BatchNorm on 2,000 images and classify 1,000. Theirs, per
subnet: set_active_subnet, get_active_subnet, set_running_statistics (batches of 200), evaluation (batches of
100). Ours: the same weights as a chain of stages, walked once. Weights and images are random; neither changes
the speed. Process CPU time of one thread; their subnets are measured before and after our walk.
"""

from __future__ import annotations

import argparse
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
from core.spaces import Choice, SearchSpace
from core.supernets.base import BranchContext, Stage
from core.supernets.samples_last import unfold_kernel
from core.tasks.base import EvaluationData

CALIBRATION, VALIDATION, CLASSES = 2000, 1000, 10
KERNELS, EXPANSIONS, BLOCKS = (3, 5), (3, 6), 5


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


# --- our side: the same weights as a chain of stages, samples innermost ---------------------------


def batch_norm(x: Tensor, norm: nn.BatchNorm2d, rows: int, channels: Tensor | None = None) -> Tensor:
    """BatchNorm of (c, h, w, n) in place, statistics from the first `rows` samples."""
    c = x.shape[0]
    weight, bias = (
        (norm.weight[:c], norm.bias[:c]) if channels is None else (norm.weight[channels], norm.bias[channels])
    )
    flat = x.view(c, -1, x.shape[-1])
    head = flat[:, :, :rows]
    x.sub_(head.mean((1, 2)).view(c, 1, 1, 1))
    # One pixel at a time: summed in one go, half a million float32 squares lose four digits.
    variance = torch.linalg.vector_norm(head, dim=2).square_().mean(1).div_(rows)
    scale = weight * torch.rsqrt(variance + norm.eps)
    return torch.addcmul(bias.view(c, 1, 1, 1), x, scale.view(c, 1, 1, 1), out=x)


class StemStage(Stage):
    """Their first convolution and first, fixed block; the same for every subnet."""

    def __init__(self, space: SearchSpace, net: Any) -> None:
        super().__init__(space)
        self.first, self.block = net.first_conv, net.blocks[0]

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        rows, inner = context.calibration_rows, self.block.conv
        x = F.conv2d(x, self.first.conv.weight, stride=2, padding=1).permute(1, 2, 3, 0).contiguous()
        x = F.hardswish(batch_norm(x, self.first.bn, rows))
        y = F.conv2d(x.permute(3, 0, 1, 2), inner.depth_conv.conv.weight, padding=1, groups=x.shape[0])
        y = batch_norm(y.permute(1, 2, 3, 0).contiguous(), inner.depth_conv.bn, rows).relu_()
        y = (inner.point_linear.conv.weight.flatten(1) @ y.flatten(1)).view(-1, *y.shape[1:])
        y = batch_norm(y, inner.point_linear.bn, rows)
        return [y + x if self.block.shortcut is not None else y]


class BlockStage(Stage):
    """Their dynamic inverted bottleneck: siblings share the expansion, and the depthwise convolution per kernel."""

    def __init__(self, space: SearchSpace, block: Any, index: int, size: int) -> None:
        super().__init__(space)
        self.depends_on = (f"kernel{index}", f"expansion{index}")
        self.block, self.inner, self.size = block, block.conv, size
        self.activation = F.relu_ if self.inner.act_func == "relu" else lambda x: F.hardswish(x, inplace=True)

    def _middle(self, in_channels: int, expansion: int) -> int:
        from ofa.utils import MyNetwork, make_divisible

        return int(make_divisible(round(in_channels * expansion), MyNetwork.CHANNEL_DIVISIBLE))

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        rows, inner, (c, height, width, n) = context.calibration_rows, self.inner, x.shape
        middle = self._middle(c, EXPANSIONS[-1])
        expand = inner.inverted_bottleneck.conv.conv.weight[:middle, :c].flatten(1)
        h = self.activation(
            batch_norm(
                (expand @ x.view(c, -1)).view(middle, height, width, n), inner.inverted_bottleneck.bn.bn, rows
            )
        )
        matrix, out = self._depthwise(middle, (height, width), context)
        deep = torch.bmm(matrix, h.view(middle, -1, n)).view(middle * len(KERNELS), *out, n)
        channels = torch.arange(middle).repeat_interleave(len(KERNELS))
        deep = self.activation(batch_norm(deep, inner.depth_conv.bn.bn, rows, channels)).view(
            middle, len(KERNELS), *out, n
        )
        results = []
        for arch in archs:
            kernel, expansion = (int(self.option(arch, name)) for name in self.depends_on)
            chosen = deep[: self._middle(c, expansion), KERNELS.index(kernel)]
            results.append(self._project(chosen, x, rows))
        return results

    def _depthwise(
        self, middle: int, size: tuple[int, int], context: BranchContext
    ) -> tuple[Tensor, tuple[int, int]]:
        """(channels, kernels * h'w', hw) matrices of the depthwise convolution, and the output size."""
        stride = self.inner.stride
        out = (-(-size[0] // stride), -(-size[1] // stride))
        key = (id(self), "depthwise")
        if key not in context.cache:
            parts = []
            for kernel in KERNELS:
                weight = self.inner.depth_conv.conv.get_active_filter(middle, kernel)
                parts.append(unfold_kernel(weight, size, stride)[:, :, 0])  # (middle, h'w', hw)
            context.cache[key] = torch.cat(parts, dim=1)
        return context.cache[key], out

    def _project(self, h: Tensor, x: Tensor, rows: int) -> Tensor:
        inner, (middle, height, width, n) = self.inner, h.shape
        if inner.use_se:
            se = inner.depth_conv.se.fc
            from ofa.utils import MyNetwork, make_divisible

            squeezed = int(make_divisible(middle // 4, divisor=MyNetwork.CHANNEL_DIVISIBLE))
            pooled = h.mean((1, 2))
            gate = torch.addmm(
                se.reduce.bias[:squeezed, None], se.reduce.weight[:squeezed, :middle, 0, 0], pooled
            ).relu_()
            gate = torch.addmm(
                se.expand.bias[:middle, None], se.expand.weight[:middle, :squeezed, 0, 0], gate
            )
            h = h * F.hardsigmoid(gate, inplace=True)[:, None, None]
        project = inner.point_linear.conv.conv.weight[:, :middle].flatten(1)
        y = batch_norm(
            (project @ h.reshape(middle, -1)).view(-1, height, width, n), inner.point_linear.bn.bn, rows
        )
        return y.add_(x) if self.block.shortcut is not None else y


class HeadStage(Stage):
    """Their final expansion, pooling, feature mix and classifier; only validation rows go beyond the last BatchNorm."""

    def __init__(self, space: SearchSpace, net: Any) -> None:
        super().__init__(space)
        self.expand, self.mix, self.classifier = net.final_expand_layer, net.feature_mix_layer, net.classifier

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        rows, norm, (c, height, width, n) = context.calibration_rows, self.expand.bn, x.shape
        y = (self.expand.conv.weight.flatten(1) @ x.view(c, -1)).view(-1, height * width, n)
        head, rest = y[:, :, :rows], y[:, :, rows:]
        variance, mean = torch.var_mean(head, dim=(1, 2), correction=0)
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        rest = torch.addcmul((norm.bias - mean * scale)[:, None, None], rest, scale[:, None, None])
        pooled = F.hardswish(rest, inplace=True).mean(1)
        mixed = F.hardswish(self.mix.conv.weight.flatten(1) @ pooled, inplace=True)
        logits = x.new_zeros(n, CLASSES)
        logits[rows:] = torch.addmm(
            self.classifier.linear.bias[:, None], self.classifier.linear.weight, mixed
        ).T
        return [logits]


class Chain:
    """What the evaluator asks of a supernet."""

    def __init__(self, net: Any) -> None:
        choices = [
            choice
            for i in range(1, BLOCKS + 1)
            for choice in (Choice(f"kernel{i}", KERNELS), Choice(f"expansion{i}", EXPANSIONS))
        ]
        self.space = SearchSpace(choices)
        firsts = [net.blocks[blocks[0]] for blocks in net.block_group_info]
        stages = [BlockStage(self.space, block, i, 0) for i, block in enumerate(firsts, start=1)]
        self.chain: list[Stage] = [StemStage(self.space, net), *stages, HeadStage(self.space, net)]
        self.stages = self.chain


def random_data() -> EvaluationData:
    """Smooth random images; labels do not matter."""
    generator = torch.Generator().manual_seed(1)
    images = F.interpolate(
        torch.rand(CALIBRATION + VALIDATION, 3, 8, 8, generator=generator), size=32, mode="bilinear"
    )
    labels = torch.randint(0, CLASSES, (len(images),), generator=generator)
    return EvaluationData(images, labels, CALIBRATION, {"validation": slice(CALIBRATION, len(images))})


def our_logits(chain: Chain, row: np.ndarray, data: EvaluationData) -> Tensor:
    """Validation logits of one subnet by our stages."""
    context, x = BranchContext(CALIBRATION), data.inputs
    with torch.inference_mode():
        for stage in chain.chain:
            x = stage.branch(x, [row.tolist()], context)[0]
    return x[CALIBRATION:]


def agreement(chain: Chain, net: Any, row: np.ndarray, data: EvaluationData) -> tuple[float, float]:
    """(largest logit difference over the largest logit, share of equal answers) of one subnet.

    Their statistics average over batches; with one batch of all calibration images they are ours by definition.
    """
    kernels, expansions = settings_of(chain.space, row)
    with torch.no_grad():
        theirs = their_subnet(net, kernels, expansions, [data.inputs[:CALIBRATION]])(
            data.inputs[CALIBRATION:]
        )
    ours = our_logits(chain, row, data)
    same = (theirs.argmax(1) == ours.argmax(1)).double().mean()
    return float((theirs - ours).abs().max() / theirs.abs().max()), float(same)


def settings_of(space: SearchSpace, row: np.ndarray) -> tuple[list[int], list[int]]:
    options = space.to_dict(row.tolist())
    kernels = [int(options[f"kernel{i}"]) for i in range(1, BLOCKS + 1)]
    return kernels, [int(options[f"expansion{i}"]) for i in range(1, BLOCKS + 1)]


def compare(folder: Path | None, sample: int = 12) -> float:
    """Print both times and the ratio; returns the ratio."""
    net = their_network(import_ofa(folder))
    chain, data = Chain(net), random_data()
    rows = chain.space.array()
    picked = np.random.default_rng(0).choice(len(rows), sample, replace=False)
    differences, equal = zip(*(agreement(chain, net, rows[i], data) for i in picked[:4]), strict=True)
    theirs = [their_loop(net, *settings_of(chain.space, rows[i]), data) for i in picked[: sample // 2]]
    start = time.process_time()
    done = sum(len(indices) for indices, _ in walk(chain, rows, ("accuracy",), data))  # type: ignore[arg-type]
    ours = time.process_time() - start
    theirs += [their_loop(net, *settings_of(chain.space, rows[i]), data) for i in picked[sample // 2 :]]
    each = float(np.median(theirs))
    ratio = each * len(rows) / ours
    print(
        f"once-for-all: its network of {done:,} subnets, {CALIBRATION} calibration and {VALIDATION} validation images"
    )
    print(f"  its own loop             {each * len(rows):8.1f} s   (median {each:.3f} s of {sample} subnets)")
    print(f"  shared evaluation        {ours:8.1f} s")
    print(f"  ratio                    {ratio:8.1f} x   (goal: at least 20)")
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
