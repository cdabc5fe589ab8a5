"""ViT and DeiT as transformers has them, with how pixels are normalized.

Source: huggingface/transformers (Apache 2.0), modeling_vit.py and modeling_deit.py: names and shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from core.config import Settings
from core.errors import InvalidInput
from core.supernets.folders.writing.encoders import layers_of, settings_of
from core.supernets.folders.writing.written import (
    Shared,
    Tensors,
    Written,
    linear,
    norm,
    told_cost,
    told_padding,
)

_VISION = {
    "norm1": "layernorm_before",
    "query": "attention.attention.query",
    "key": "attention.attention.key",
    "value": "attention.attention.value",
    "project": "attention.output.dense",
    "norm2": "layernorm_after",
    "expand": "intermediate.dense",
    "contract": "output.dense",
}
_WHITE = 255
_BILINEAR = 2


def vision(net: nn.Sequential, classes: Sequence[str], input_shape: Sequence[int]) -> Written:
    """A ViT or DeiT classifier, with how its pixels are normalized.

    Args:
        net: ClassTokenEmbedding, TransformerBlocks, ClassTokenHead.
        classes: their names.
        input_shape: (channels, height, width) of an image.

    Raises:
        InvalidInput: these classes of transformers cannot have these sizes.
    """
    parts: list[Any] = list(net)
    first, *blocks, last = parts
    of = Shared(blocks)
    tokens, answers = len(first.tokens), len(last.linears)
    if answers > tokens or last.norm.eps != of["epsilon"]:
        raise InvalidInput("This network answers in a way that neither ViT nor DeiT of transformers does.")
    kind, label = ("vit", "ViT") if tokens == 1 else ("deit", "DeiT")
    width = first.conv.out_channels
    layers = [(block.heads, block.expand.out_features) for block in blocks]
    heads, hidden = max(kept for kept, _ in layers), max(units for _, units in layers)
    names = ("classifier",) if answers == 1 else ("cls_classifier", "distillation_classifier")
    tensors: Tensors = {
        f"{kind}.embeddings.cls_token": first.tokens[0][None, None],
        **({f"{kind}.embeddings.distillation_token": first.tokens[1][None, None]} if tokens == 2 else {}),
        f"{kind}.embeddings.position_embeddings": first.position,
        f"{kind}.embeddings.patch_embeddings.projection.weight": first.conv.weight,
        f"{kind}.embeddings.patch_embeddings.projection.bias": first.conv.bias,
        **layers_of(blocks, _VISION, f"{kind}.encoder.layer", heads * of["head_size"], hidden),
        **norm(f"{kind}.layernorm", last.norm),
    }
    for name, layer in zip(names, last.linears, strict=True):
        tensors |= linear(name, layer)
    channels, high, wide = input_shape
    # Heads of another size than the width's share: transformers reads it since its release 5.
    own = {} if heads * of["head_size"] == width else {"head_dim": of["head_size"]}
    taught = "WithTeacher" if answers == 2 else ""
    config: Settings = {
        "model_type": kind,
        "image_size": high if high == wide else [high, wide],
        "patch_size": first.conv.kernel_size[0],
        "num_channels": channels,
        "qkv_bias": True,
        **own,
        **settings_of(width, len(blocks), heads, hidden, of, classes),
    }
    padding = told_padding(layers, heads, hidden)
    cost = (told_cost(tensors, net),) if padding else ()
    pixels = {"preprocessor_config.json": _processor(label, high, wide, first.mean, first.std)}
    return Written(
        config,
        tensors,
        class_name=f"{label}ForImageClassification{taught}",
        label=label,
        loader="AutoModelForImageClassification",
        padding=(*padding, *cost),
        others=pixels,
        prepares="AutoImageProcessor",
    )


def _processor(label: str, high: int, wide: int, mean: Tensor, std: Tensor) -> Settings:
    """preprocessor_config.json: pictures are resized, brought to 0 to 1, and normalized as the network does itself."""
    return {
        "image_processor_type": f"{label}ImageProcessor",
        "do_resize": True,
        "size": {"height": high, "width": wide},
        "resample": _BILINEAR,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / _WHITE,
        "do_normalize": True,
        "image_mean": mean.flatten().tolist(),
        "image_std": std.flatten().tolist(),
    }
