"""What a written space would become: sizes, costs and its two ends, told before anything is built.

Nothing is allocated: the supernet is made as an outline, and its stages are asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.config import JsonObject, Settings
from core.spaces import SearchSpace
from core.supernets.chain import Chain
from core.supernets.chain_config import labels
from core.supernets.chain_stages import LayerStage
from core.supernets.files import outline_of
from core.supernets.stage_cost import StageCost
from core.supernets.written import Written, judged, read

BYTES_TO_TRAIN = 12
"""Of a parameter while it is trained: the weight, its gradient and its momentum, float32 each."""


@dataclass(frozen=True)
class Block:
    """One block as it was understood.

    Attributes:
        label: "block 2.1".
        widths, size: channels to choose from, and height and width of the map it makes.
        options: what it may be.
        skipped: whether a smaller depth leaves it out.
    """

    label: str
    widths: tuple[int, ...]
    size: tuple[int, int]
    options: tuple[str, ...]
    skipped: bool


@dataclass(frozen=True)
class Planned:
    """A written space, understood.

    Attributes:
        title: of the space; may be empty.
        config: settings of the family `chain`, for a training.
        inputs: shape of one image.
        blocks: every block, in order.
        space: all architectures.
        params: of the supernet.
        smallest, largest: what the stages of the two ends cost.
    """

    title: str
    config: Settings
    inputs: tuple[int, ...]
    blocks: tuple[Block, ...]
    space: SearchSpace
    params: int
    smallest: tuple[StageCost, ...]
    largest: tuple[StageCost, ...]

    @property
    def weight_bytes(self) -> int:
        """Of the supernet's weights, float32."""
        return 4 * self.params

    @property
    def training_bytes(self) -> int:
        """Weights, gradients and momentum of a training; activations come on top."""
        return BYTES_TO_TRAIN * self.params


def planned(text: str | bytes | Written, inputs: JsonObject) -> Planned:
    """What a written space would become on some data.

    Args:
        text: the YAML, or what `core.supernets.written.read` made of it.
        inputs: what the data decide: `input_shape`, `classes`, pixel constants.

    Raises:
        InvalidInput: it is no space, does not fit the images or would be too large; one sentence.
    """
    written = text if isinstance(text, Written) else read(text)
    config = judged(written, inputs)
    net = outline_of(Chain.name, config.model_dump(mode="json"))
    smallest, largest = (tuple(net.costs(arch)) for arch in (net.smallest, net.largest))
    blocks = []
    stages = [stage for stage in net.chain if isinstance(stage, LayerStage)]
    banks = [options for stage in config.stages for options in stage.banks]
    for stage, options in zip(stages, banks, strict=True):
        layer, place = stage.layer, stage.place
        size = (-(-place.size[0] // place.stride), -(-place.size[1] // place.stride))
        blocks.append(
            Block(
                label=f"block {layer.group}.{layer.index}",
                widths=layer.width.values,
                size=size,
                options=tuple(labels(options)),
                skipped=layer.depth.values[0] < layer.index,
            )
        )
    return Planned(
        title=written.title,
        config=written.config,
        inputs=tuple(config.input_shape),
        blocks=tuple(blocks),
        space=net.space,
        params=sum(p.numel() for p in net.parameters()),
        smallest=smallest,
        largest=largest,
    )
