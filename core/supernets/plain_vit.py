"""ViT and DeiT with elastic width, depth, heads and hidden units: an image classifier that begins as a given one.

At its largest it computes exactly what the original does: patches by a convolution, a class token (and DeiT's
distillation token) before them, learned positions, pre-norm layers, a last LayerNorm, a classifier on the class token;
DeiT trained with a teacher answers by the mean of two classifiers. Smaller subnets take first entries of the vectors,
first heads and first hidden units of each layer, and first layers: depth is a prefix, as in InstaTune's space of ViT.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from core.spaces import SearchSpace
from core.spaces.choice import require_ascending
from core.supernets.base import Supernet
from core.supernets.class_token_stages import ClassTokenEmbeddingStage, ClassTokenHeadStage
from core.supernets.families import FAMILIES
from core.supernets.layered import layered_space
from core.supernets.orderable import Orderable
from core.supernets.ordering import orderable_of_blocks
from core.supernets.pre_norm_stage import PreNormStage
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig


class PlainViTConfig(ImageConfig):
    """An elastic ViT; the last option of each choice is the size of the original."""

    widths: tuple[int, ...] = Field((16, 24, 32), description="Size of a token's vector.")
    depths: tuple[int, ...] = Field((2, 3), description="Number of layers, the first ones.")
    heads: tuple[int, ...] = Field((1, 2, 4), description="Attention heads of each layer.")
    hidden: tuple[int, ...] = Field((32, 64), description="Hidden units of each layer's MLP.")
    head_size: int = Field(8, ge=1, le=256, description="Size of an attention head.")
    patch: int = Field(2, ge=1, le=64, description="Side of a patch in pixels.")
    distillation: Literal["none", "token", "teacher"] = Field(
        "none", description="DeiT's distillation token: none, one that does not answer, or one that does."
    )
    activation: Literal["gelu", "gelu_tanh", "relu"] = Field("gelu", description="Inside the MLP.")
    epsilon: float = Field(1e-12, ge=1e-12, le=0.1, description="Added to a LayerNorm's variance.")

    @model_validator(mode="after")
    def _sizes(self) -> PlainViTConfig:
        require_ascending({label: getattr(self, label) for label in ("widths", "depths", "heads", "hidden")})
        if self.widths[-1] > 2048 or self.depths[-1] > 48 or self.heads[-1] > 64 or self.hidden[-1] > 16_384:
            raise ValueError("a ViT has at most width 2,048, 48 layers, 64 heads and 16,384 hidden units")
        if self.input_shape[1] % self.patch or self.input_shape[2] % self.patch:
            raise ValueError("the sides of images must be multiples of the patch")
        if self.patches > 16_384:
            raise ValueError("an image has at most 16,384 patches")
        return self

    @property
    def patches(self) -> int:
        """Patches of one image."""
        return (self.input_shape[1] // self.patch) * (self.input_shape[2] // self.patch)

    @property
    def tokens(self) -> int:
        """Learned tokens before the patches."""
        return 1 if self.distillation == "none" else 2


@FAMILIES.register("plain_vit")
class PlainViT(Supernet):
    """Vision transformer with a class token, elastic in width, depth, heads and hidden units."""

    label = "Elastic ViT"
    source = "Dosovitskiy et al., ViT, ICLR 2021; Touvron et al., DeiT, ICML 2021; made elastic after InstaTune, 2023"
    Config = PlainViTConfig
    task_name = "image"
    draws_classifier = True
    masked = True

    def __init__(self, config: PlainViTConfig) -> None:
        space = layered_space(config.widths, config.depths, config.heads, config.hidden)
        layers = [LayerStage(space, config, index) for index in range(1, config.depths[-1] + 1)]
        width, tokens = config.widths[-1], config.tokens
        embedding = ClassTokenEmbeddingStage(space, "width", width, config, patch=config.patch, tokens=tokens)
        head = ClassTokenHeadStage(
            space,
            "width",
            width,
            classes=config.classes,
            tokens=tokens + config.patches,
            answers=2 if config.distillation == "teacher" else 1,
            epsilon=config.epsilon,
        )
        super().__init__(config, space, [embedding, *layers, head])

    def orderable(self) -> list[Orderable]:
        return orderable_of_blocks(self, {"key": "key_"})

    @classmethod
    def examples(cls) -> list[InputConfig]:
        vit = cls.example((1, 8, 8))
        other = {
            "input_shape": (2, 6, 4),
            "distillation": "teacher",
            "activation": "gelu_tanh",
            "epsilon": 1e-2,
        }
        return [vit, vit.model_copy(update=other), vit.model_copy(update={"distillation": "token"})]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> PlainViTConfig:
        """A small configuration for images (c, h, w) of this shape."""
        side = input_shape[1]
        patch = next(p for p in (4, 2, 1) if side % p == 0)
        mean, std = (0.3,) * input_shape[0], (0.4,) * input_shape[0]
        return PlainViTConfig(
            input_shape=input_shape,
            widths=(4, 6),
            depths=(1, 2),
            heads=(1, 3),
            hidden=(5, 8, 9),
            head_size=3,
            patch=min(patch, 2) if side <= 8 else patch,
            pixel_mean=mean,
            pixel_std=std,
        )


class LayerStage(PreNormStage):
    """One pre-norm layer; beyond the chosen depth it is the identity."""

    def __init__(self, space: SearchSpace, config: PlainViTConfig, index: int) -> None:
        super().__init__(
            space,
            (f"layer {index}", "layers"),
            tokens=config.patches + config.tokens,
            width=config.widths[-1],
            heads=config.heads,
            head_size=config.head_size,
            hidden=config.hidden[-1],
            activation=config.activation,
            epsilon=config.epsilon,
        )
        self.index, self._options = index, config.hidden
        self._heads_choice, self._hidden_choice = f"heads{index}", f"hidden{index}"
        self.depends_on = ("width", "depth", self._heads_choice, self._hidden_choice)

    def width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, "width"))

    def heads(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._heads_choice))

    def hidden(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._hidden_choice))

    def there(self, arch: Sequence[int]) -> bool:
        return int(self.option(arch, "depth")) >= self.index

    def hidden_options(self, width: int) -> tuple[int, ...]:
        return self._options
