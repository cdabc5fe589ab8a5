"""Once-for-all's own checkpoints: MobileNetV3, ProxylessNAS and ResNet-50, known by their tensors' names and shapes.

A checkpoint holds the largest network: how many classes, channels, blocks and inner channels it has is read off the
shapes, and which kernels there are from the names of the matrices between them. Which smaller settings it was trained
for is not in it: a name as the authors give it says so ("d234_e346_k357"), otherwise the published lists are taken.

Source: Cai et al., "Once-for-All", ICLR 2020; names of tensors as mit-han-lab/once-for-all (MIT) writes and reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from core.errors import InvalidInput
from core.supernets.loaders.base import LOADERS, Loaded, Loader
from core.supernets.loaders.ofa_layout import Layout, Reading, hints_of, plain_name
from core.supernets.loaders.ofa_mobile import MobileNetV3Layout, ProxylessLayout
from core.supernets.loaders.ofa_resnet import ResNetLayout
from core.supernets.loaders.state_dicts import TORCH_SUFFIXES, is_torch_file, read_state, tensor_names

if TYPE_CHECKING:
    from torch import Tensor

    from core.supernets.base import Supernet

LAYOUTS: tuple[Layout, ...] = (ResNetLayout(), MobileNetV3Layout(), ProxylessLayout())
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_NAMED = 3
"""Names of tensors in one sentence."""


@LOADERS.register("once_for_all")
class OnceForAll(Loader):
    """Once-for-all's checkpoints (MobileNetV3, ProxylessNAS, ResNet-50), as .pth or .safetensors."""

    label = "Once-for-all checkpoint"
    source = "Cai et al., Once-for-All, ICLR 2020 (mit-han-lab/once-for-all)"
    suffixes: ClassVar[tuple[str, ...]] = ("safetensors", *TORCH_SUFFIXES)
    rank: ClassVar[int] = 50
    takes: ClassVar[str] = "a once-for-all checkpoint (.pth or .safetensors)"

    def fits(self, name: str, data: bytes) -> bool:
        if is_torch_file(data):
            return True  # what is in it is not known before it is opened
        return _layout({plain_name(each) for each in tensor_names(data)}) is not None

    def load(self, name: str, data: bytes) -> Loaded:
        state = read_state(data)
        named, unused = _plain_state(state)
        layout = _layout(set(named))
        if layout is None:
            some = ", ".join(name[:40] for name in sorted(state)[:_NAMED])
            raise InvalidInput(
                f"This checkpoint is of no supernet that is known here (its tensors are called {some}, ...); known "
                "are once-for-all's MobileNetV3, ProxylessNAS and ResNet-50. A whole network can be brought as ONNX."
            )
        shapes = {each: tuple(tensor.shape) for each, tensor in named.items()}
        try:
            reading = layout.read(shapes, hints_of(name))
        except KeyError as error:
            raise InvalidInput(
                f"This checkpoint of {layout.title} lacks the tensor {error.args[0]}."
            ) from error
        net = _filled(layout, reading, named)
        return Loaded(
            supernet=net,
            card={"title": reading.title, "origin": {"loader": self.name, "source": self.source}},
            title=reading.title,
            facts=(*reading.facts, *_about_names(state, unused)),
            fixed=reading.fixed,
        )


def _layout(names: set[str]) -> Layout | None:
    """The class whose tensors these are; before any shape is looked at."""
    return next((layout for layout in LAYOUTS if set(layout.marks) <= names), None)


def _plain_state(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """Tensors by their plain names, and how many BatchNorm statistics were left out."""
    named: dict[str, Tensor] = {}
    unused = 0
    for name, tensor in state.items():
        if name.rsplit(".", 1)[-1] in _STATISTICS:
            unused += 1
            continue
        if plain_name(name) in named:
            raise InvalidInput(f"This checkpoint holds {name} twice, under two of its names.")
        named[plain_name(name)] = tensor
    return named, unused


def _about_names(state: Mapping[str, Tensor], unused: int) -> list[str]:
    facts = []
    if any(".mobile_inverted_conv." in name for name in state):
        facts.append("Its tensors have the names of the first release; they were understood.")
    if unused:
        facts.append(
            f"{unused:,} running statistics of BatchNorm in the file are not used: every subnet gets its own, from "
            "calibration images."
        )
    return facts


def _filled(layout: Layout, reading: Reading, named: Mapping[str, Tensor]) -> Supernet:
    """The supernet with the checkpoint's weights, every one of them accounted for."""
    from core.supernets.files import build, outline_of

    empty = outline_of(reading.family, reading.config)
    wanted = {name: tuple(tensor.shape) for name, tensor in empty.state_dict().items()}
    names = layout.names(empty)
    found = {ours: layout.ours(ours, named[theirs]) for ours, theirs in names.items() if theirs in named}
    if missing := [names[ours] for ours in wanted if ours not in found]:
        raise InvalidInput(f"This checkpoint of {layout.title} lacks {_listed(missing)}.")
    if left := sorted(set(named) - set(names.values())):
        raise InvalidInput(f"This checkpoint holds {_listed(left)}, which {layout.title} does not have.")
    for ours, tensor in found.items():
        if tuple(tensor.shape) != wanted[ours]:
            raise InvalidInput(
                f"The tensor {names[ours]} has the shape {tuple(tensor.shape)}; {layout.title} of these widths has "
                f"{wanted[ours]}."
            )
    net = build(reading.family, reading.config)
    net.load_state_dict(found)
    return net.requires_grad_(False)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(name[:60] for name in names[:_NAMED]) + (
        f" and {more:,} other tensors" if more > 0 else ""
    )
