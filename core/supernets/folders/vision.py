"""What ViT and DeiT have in common: layers' names, patches, and how pixels are normalized before they go in.

Source: huggingface/transformers, modeling_vit.py, modeling_deit.py and their image processors (Apache 2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from core.config import Settings
from core.datasets.archives import shown
from core.errors import InvalidInput
from core.supernets.folders.base import SaidConfig, said
from core.supernets.folders.encoders import Classifier, EncoderConfig, layers_of, pair
from core.supernets.folders.folder import PICTURES, Folder
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.plan import Plan, Take, take
from core.supernets.folders.understood import FixedPart

_LAYER = {
    "norm1": "layernorm_before",
    "query": "attention.attention.query",
    "key_": "attention.attention.key",
    "value": "attention.attention.value",
    "project": "attention.output.dense",
    "norm2": "layernorm_after",
    "expand": "intermediate.dense",
    "contract": "output.dense",
}
_WHITE = 255


class VisionConfig(EncoderConfig):
    """What config.json of a ViT or DeiT says."""

    image_size: int | list[int] = 224
    patch_size: int | list[int] = 16
    num_channels: int = Field(3, ge=1, le=64)
    qkv_bias: bool = True
    head_dim: int | None = Field(None, ge=1, le=256)

    def size_of_heads(self) -> int:
        """What config.json says, as the library reads it since its release 5; else the width's share."""
        return self.head_dim or super().size_of_heads()

    def sides(self) -> tuple[tuple[int, int], int]:
        """(height, width) of an image, and the side of a patch.

        Raises:
            InvalidInput: patches are not square, do not divide the image, or a size is none.
        """
        image, patch = _pair(self.image_size), _pair(self.patch_size)
        if not all(1 <= side <= 1024 for side in image) or not all(1 <= side <= 64 for side in patch):
            raise InvalidInput("Images have sides from 1 to 1,024 pixels, patches from 1 to 64.")
        if patch[0] != patch[1] or image[0] % patch[0] or image[1] % patch[0]:
            raise InvalidInput(
                f"Patches of {patch[0]}x{patch[1]} pixels are not square, or do not fill an image of {image[0]}x{image[1]}."
            )
        return image, patch[0]


class PixelConfig(SaidConfig):
    """What preprocessor_config.json says of pixels."""

    do_normalize: bool | None = None
    do_rescale: bool | None = None
    rescale_factor: float | None = Field(None, gt=0, le=1e6)
    image_mean: float | list[float] | None = None
    image_std: float | list[float] | None = None
    do_center_crop: bool | None = None
    size: Any = None


@dataclass(frozen=True)
class Pixels:
    """Constants by which pixels from 0 to 1 become what the first layer takes, and what a person should know.

    Attributes:
        mean, std: per channel; subtracted, and divided by.
        facts: a sentence each.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    facts: tuple[str, ...]


def pixels_of(
    folder: Folder, channels: int, usual: tuple[Sequence[float], Sequence[float]], image: tuple[int, int]
) -> Pixels:
    """How a folder normalizes pixels.

    Args:
        folder: may lack the file that says so.
        channels: of an image.
        usual: mean and spread where nothing is said, as the library has them for this architecture.
        image: height and width that go in.

    Raises:
        InvalidInput: what it says cannot be.
    """
    told = said(PixelConfig, folder.json(PICTURES), "picture processor")
    # The library multiplies whole numbers up to 255 by a factor, then subtracts and divides; ours are from 0 to 1.
    scale = _WHITE * (told.rescale_factor or 1 / _WHITE) if told.do_rescale is not False else float(_WHITE)
    mean, std = [0.0] * channels, [1.0] * channels
    if told.do_normalize is not False:
        mean = _per_channel(told.image_mean, usual[0], channels, "image_mean")
        std = _per_channel(told.image_std, usual[1], channels, "image_std")
    made = tuple(m / scale for m in mean), tuple(s / scale for s in std)
    if not all(abs(m) <= 1e6 for m in made[0]) or not all(1e-6 <= s <= 1e6 for s in made[1]):
        raise InvalidInput(f"{PICTURES} normalizes pixels by numbers that are out of bounds.")
    size = f"{image[0]}x{image[1]}"
    if PICTURES not in folder:
        told_so = f"There is no {PICTURES}: pixels are normalized as the library does where nothing is said."
    else:
        told_so = f"The network normalizes pixels itself, as {PICTURES} says; bring pictures of {size} pixels as they are."
    facts = [told_so]
    if told.do_center_crop:
        facts.append(
            f"Pictures were made larger than {size} and their middle cut out, before they went in; do so for equal answers."
        )
    return Pixels(*made, tuple(facts))


def plan_of(
    label: str,
    folder: Folder,
    config: VisionConfig,
    options: FolderOptions,
    *,
    classifier: Classifier,
    tokens: Sequence[str],
    distillation: str,
    usual: tuple[Sequence[float], Sequence[float]],
) -> Plan:
    """The plan of a vision transformer.

    Args:
        label: of the architecture.
        folder, config, options: see `Architecture.plan`.
        classifier: kept or drawn; with two heads their mean answers.
        tokens: names of the learned tokens before the patches.
        distillation: see `core.supernets.plain_vit.PlainViTConfig`.
        usual: see `pixels_of`.

    Raises:
        InvalidInput: config.json asks for something that is not supported.
    """
    if not config.qkv_bias:
        raise InvalidInput(
            f"This {label} has no biases for queries, keys and values (qkv_bias is false), which is not supported."
        )
    image, patch = config.sides()
    pixels = pixels_of(folder, config.num_channels, usual, image)
    family: Settings = {
        **config.family(options),
        "input_shape": [config.num_channels, *image],
        "classes": classifier.classes,
        "patch": patch,
        "distillation": distillation,
        "pixel_mean": list(pixels.mean),
        "pixel_std": list(pixels.std),
    }
    last, width = config.num_hidden_layers + 1, config.hidden_size
    heads = [f"stages.{last}.linears.{i}" for i in range(len(classifier.heads))]
    takes: dict[str, Take] = {
        **dict(pair("stages.0.conv", "embeddings.patch_embeddings.projection")),
        **{f"stages.0.tokens.{i}": take(name, shape=(width,)) for i, name in enumerate(tokens)},
        "stages.0.position": take("embeddings.position_embeddings"),
        **dict(layers_of(_LAYER, config.num_hidden_layers, "encoder.layer.{}.")),
        **dict(pair(f"stages.{last}.norm", "layernorm")),
        **classifier.takes(heads),
    }
    return Plan(
        family="plain_vit",
        config=family,
        takes=takes,
        sizes=[
            *config.sizes(),
            ("image", f"{config.num_channels}x{image[0]}x{image[1]}"),
            ("patch", f"{patch}x{patch}"),
        ],
        elastic=config.elastic(options),
        fixed=[
            FixedPart(part="patches, learned tokens and positions", why="every image goes through them"),
            FixedPart(part="last LayerNorm and classifier", why="they answer"),
        ],
        unused={
            "embeddings.mask_token": "it stands for patches that are hidden in pretraining",
            "pooler.": "the classifier reads the class token, not the pooled one",
            "decoder.": "it draws hidden patches in pretraining",
            **classifier.unused(),
        },
        fresh=[] if classifier.kept else [f"{head}." for head in heads],
        facts=[*pixels.facts, *classifier.facts()],
    )


def _pair(size: int | list[int]) -> tuple[int, int]:
    sides = [size, size] if isinstance(size, int) else size
    if len(sides) != 2:
        raise InvalidInput(f"config.json gives a size with {len(sides)} sides; images and patches have two.")
    return sides[0], sides[1]


def _per_channel(
    told: float | list[float] | None, usual: Sequence[float], channels: int, what: str
) -> list[float]:
    """A constant for each channel."""
    if told is None:
        return list(usual) if len(usual) == channels else [usual[0]] * channels
    found = [told] * channels if isinstance(told, int | float) else list(told)
    if len(found) != channels:
        raise InvalidInput(f"{shown(what)} lists {len(found)} numbers for {channels} channels.")
    return found
