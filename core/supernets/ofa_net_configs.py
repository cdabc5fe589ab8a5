"""Once-for-all's published specialized networks: the authors' net configurations as architectures of our families.

The authors publish each of them as a folder with `net.config` (its layers) and `run.config` (its `image_size`).

Source: github.com/mit-han-lab/once-for-all, model zoo ("OFA specialized networks").
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import JsonObject
from core.errors import InvalidInput
from core.spaces import Arch
from core.supernets.mobile import MobileSupernet

_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class MobileBlock:
    """One block behind the first, fixed one.

    Attributes:
        kernel, expand: of its convolutions.
        width: channels of its output.
        squeeze: whether it weighs channels.
    """

    kernel: int
    expand: int
    width: int
    squeeze: bool


def architecture_of(net: MobileSupernet, blocks: Sequence[MobileBlock], resolution: int) -> Arch:
    """The architecture that has these blocks.

    Args:
        net: of the space; its weights are not read.
        blocks: in order, without the first, fixed one.
        resolution: side of the images.

    Raises:
        InvalidInput: the space has no such architecture.
    """
    options: dict[str, int] = {"resolution": resolution}
    rest = list(blocks)
    for g, group in enumerate(net.config.groups, start=1):
        width, depth = net.config.divisible(group.width), 0
        while (
            rest and depth < group.depths[-1] and (rest[0].width, rest[0].squeeze) == (width, group.squeeze)
        ):
            block, depth = rest.pop(0), depth + 1
            options |= {f"kernel{g}_{depth}": block.kernel, f"expand{g}_{depth}": block.expand}
        options[f"depth{g}"] = depth
    if rest:
        found = f"{rest[0].width} channels" + (" with squeeze-and-excite" if rest[0].squeeze else "")
        raise InvalidInput(
            f"Block {len(blocks) - len(rest) + 1} of this network has {found}, which this space has not at its place."
        )
    return net.space.from_dict(options)


def read_blocks(net_config: JsonObject) -> list[MobileBlock]:
    """The elastic blocks that an authors' net configuration lists.

    Raises:
        InvalidInput: it is none.
    """
    try:
        listed: Any = net_config["blocks"]
        inner = [
            each["mobile_inverted_conv"] if "mobile_inverted_conv" in each else each["conv"]
            for each in listed
        ]
        return [
            MobileBlock(
                int(one["kernel_size"]),
                int(one["expand_ratio"]),
                int(one["out_channels"]),
                bool(one["use_se"]),
            )
            for one in inner[1:]
        ]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InvalidInput("This is not a net.config of a once-for-all network.") from error


def read_folder(folder: Path) -> tuple[list[MobileBlock], int]:
    """Blocks and image size of a folder with `net.config` and `run.config`.

    Raises:
        InvalidInput: a file is missing or cannot be read.
    """
    size = _json(folder / "run.config").get("image_size")
    if not isinstance(size, int):
        raise InvalidInput("run.config does not say the image_size.")
    return read_blocks(_json(folder / "net.config")), size


def _json(path: Path) -> JsonObject:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path.name} is missing in this folder, or is no JSON.") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{path.name} holds no JSON object.")
    return found
