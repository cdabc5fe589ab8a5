"""BERT, ViT and DeiT by their published formulas, from tensors by the names that transformers gives them.

Written with torch.nn.functional alone, at full size, one layer after another: what the families are compared with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

Tensors = dict[str, Tensor]
_ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_new": lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "relu": F.relu,
}


def bert_logits(t: Tensors, config: dict[str, Any], tokens: Tensor, mask: Tensor) -> Tensor:
    """(n, classes) of token numbers (n, t) and their mask, of a BertForSequenceClassification's tensors."""
    at = "bert.embeddings."
    length = tokens.shape[1]
    x = t[f"{at}word_embeddings.weight"][tokens] + t[f"{at}token_type_embeddings.weight"][0]
    x = _norm(t, f"{at}LayerNorm", x + t[f"{at}position_embeddings.weight"][:length], config)
    added = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)[:, None, None]
    for layer in range(config["num_hidden_layers"]):
        at = f"bert.encoder.layer.{layer}."
        y = _attention(t, f"{at}attention.self.", x, config["num_attention_heads"], added)
        x = _norm(
            t, f"{at}attention.output.LayerNorm", x + _linear(t, f"{at}attention.output.dense", y), config
        )
        y = _ACTIVATIONS[config["hidden_act"]](_linear(t, f"{at}intermediate.dense", x))
        x = _norm(t, f"{at}output.LayerNorm", x + _linear(t, f"{at}output.dense", y), config)
    return _linear(t, "classifier", torch.tanh(_linear(t, "bert.pooler.dense", x[:, 0])))


def vit_logits(t: Tensors, config: dict[str, Any], pixels: Tensor) -> Tensor:
    """(n, classes) of normalized pixels (n, c, h, w), of the tensors of a ViT's or DeiT's classifier."""
    base, patch = config["model_type"], config["patch_size"]
    at = f"{base}.embeddings."
    weight, bias = (t[f"{at}patch_embeddings.projection.{each}"] for each in ("weight", "bias"))
    n, channels, height, width = pixels.shape
    # Patches row by row, each a vector of its channels' pixels: the convolution as a product.
    cut = pixels.view(n, channels, height // patch, patch, width // patch, patch).permute(0, 2, 4, 1, 3, 5)
    x = cut.reshape(n, -1, channels * patch * patch) @ weight.flatten(1).T + bias
    first = [t[f"{at}{name}"] for name in ("cls_token", "distillation_token") if f"{at}{name}" in t]
    x = torch.cat([*(token.expand(n, 1, -1) for token in first), x], 1) + t[f"{at}position_embeddings"]
    for layer in range(config["num_hidden_layers"]):
        at = f"{base}.encoder.layer.{layer}."
        y = _norm(t, f"{at}layernorm_before", x, config)
        y = _attention(t, f"{at}attention.attention.", y, config["num_attention_heads"], None)
        x = x + _linear(t, f"{at}attention.output.dense", y)
        y = _linear(t, f"{at}intermediate.dense", _norm(t, f"{at}layernorm_after", x, config))
        x = x + _linear(t, f"{at}output.dense", _ACTIVATIONS[config["hidden_act"]](y))
    x = _norm(t, f"{base}.layernorm", x, config)
    if "cls_classifier.weight" in t:
        return (_linear(t, "cls_classifier", x[:, 0]) + _linear(t, "distillation_classifier", x[:, 1])) / 2
    return _linear(t, "classifier", x[:, 0])


def bert_folder(folder: Path, *, seed: int = 0, leave_out: tuple[str, ...] = (), **changes: Any) -> Tensors:
    """Write a BertForSequenceClassification of random weights as the library does; its tensors."""
    config: dict[str, Any] = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "vocab_size": 60,
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 40,
        "hidden_act": "gelu",
        "max_position_embeddings": 20,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "id2label": {"0": "calm", "1": "glad", "2": "sad"},
        "label2id": {"calm": 0, "glad": 1, "sad": 2},
        **changes,
    }
    width, inner, at = config["hidden_size"], config["intermediate_size"], "bert.embeddings."
    shapes: dict[str, tuple[int, ...]] = {
        f"{at}word_embeddings.weight": (config["vocab_size"], width),
        f"{at}position_embeddings.weight": (config["max_position_embeddings"], width),
        f"{at}token_type_embeddings.weight": (config["type_vocab_size"], width),
        **_norm_shapes(f"{at}LayerNorm", width),
        **_linear_shapes("bert.pooler.dense", width, width),
        **_linear_shapes("classifier", width, len(config["id2label"])),
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"bert.encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            shapes |= _linear_shapes(f"{at}attention.self.{part}", width, width)
        shapes |= _linear_shapes(f"{at}attention.output.dense", width, width)
        shapes |= _norm_shapes(f"{at}attention.output.LayerNorm", width)
        shapes |= _linear_shapes(f"{at}intermediate.dense", width, inner)
        shapes |= _linear_shapes(f"{at}output.dense", inner, width)
        shapes |= _norm_shapes(f"{at}output.LayerNorm", width)
    return _written(folder, config, shapes, seed, leave_out)


def vit_folder(
    folder: Path, *, kind: str = "vit", seed: int = 0, leave_out: tuple[str, ...] = (), **changes: Any
) -> Tensors:
    """Write an image classifier of random weights as the library does; its tensors.

    Args:
        folder: where to.
        kind: "vit", "deit", or "taught" (DeiT with two classifiers).
        seed: of the weights.
        leave_out: beginnings of names that are not written.
        changes: of config.json.
    """
    base = "vit" if kind == "vit" else "deit"
    name = {"vit": "ViTForImageClassification", "deit": "DeiTForImageClassification"}.get(
        kind, "DeiTForImageClassificationWithTeacher"
    )
    config: dict[str, Any] = {
        "architectures": [name],
        "model_type": base,
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 40,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "image_size": 12,
        "patch_size": 4,
        "num_channels": 3,
        "qkv_bias": True,
        "id2label": {"0": "cat", "1": "dog", "2": "bird"},
        "label2id": {"cat": 0, "dog": 1, "bird": 2},
        **changes,
    }
    width, inner, at = config["hidden_size"], config["intermediate_size"], f"{base}.embeddings."
    patch, channels = config["patch_size"], config["num_channels"]
    patches = (config["image_size"] // patch) ** 2
    first = ("cls_token",) if kind == "vit" else ("cls_token", "distillation_token")
    shapes: dict[str, tuple[int, ...]] = {
        **{f"{at}{token}": (1, 1, width) for token in first},
        f"{at}position_embeddings": (1, patches + len(first), width),
        f"{at}patch_embeddings.projection.weight": (width, channels, patch, patch),
        f"{at}patch_embeddings.projection.bias": (width,),
        **_norm_shapes(f"{base}.layernorm", width),
    }
    for head in ("cls_classifier", "distillation_classifier") if kind == "taught" else ("classifier",):
        shapes |= _linear_shapes(head, width, len(config["id2label"]))
    for layer in range(config["num_hidden_layers"]):
        at = f"{base}.encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            shapes |= _linear_shapes(f"{at}attention.attention.{part}", width, width)
        shapes |= _linear_shapes(f"{at}attention.output.dense", width, width)
        shapes |= _linear_shapes(f"{at}intermediate.dense", width, inner)
        shapes |= _linear_shapes(f"{at}output.dense", inner, width)
        shapes |= _norm_shapes(f"{at}layernorm_before", width) | _norm_shapes(f"{at}layernorm_after", width)
    return _written(folder, config, shapes, seed, leave_out)


def _written(
    folder: Path,
    config: dict[str, Any],
    shapes: dict[str, tuple[int, ...]],
    seed: int,
    leave_out: tuple[str, ...],
) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        # Nothing is a default: norms are no ones, biases no zeros, and spreads as in a trained network.
        name: torch.randn(shape, generator=generator) * (0.3 if len(shape) > 1 else 0.2)
        + ("orm" in name) * 0.9
        for name, shape in shapes.items()
        if not name.startswith(leave_out or ("!",))
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return tensors


def _linear_shapes(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _linear(t: Tensors, name: str, x: Tensor) -> Tensor:
    return F.linear(x, t[f"{name}.weight"], t[f"{name}.bias"])


def _norm(t: Tensors, name: str, x: Tensor, config: dict[str, Any]) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"], config["layer_norm_eps"])


def _attention(t: Tensors, at: str, x: Tensor, heads: int, added: Tensor | None) -> Tensor:
    query, key, value = (
        _linear(t, f"{at}{part}", x).unflatten(2, (heads, -1)).transpose(1, 2)
        for part in ("query", "key", "value")
    )
    return F.scaled_dot_product_attention(query, key, value, added).transpose(1, 2).flatten(2)
