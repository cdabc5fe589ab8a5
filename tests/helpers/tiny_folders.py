"""Tiny Hugging Face folders with random weights, as transformers writes them, made without that library.

Names, shapes and config.json are those that `save_pretrained` of huggingface/transformers (Apache 2.0) writes for the
five architectures. Each builder returns file name -> bytes; `zipped`, `on_disk` and `sharded` make more of them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

Files = dict[str, bytes]
Tensors = dict[str, Tensor]

WORDS = [
    "the",
    "a",
    "license",
    "of",
    "and",
    "to",
    "in",
    "software",
    "you",
    "may",
    "not",
    "this",
    "is",
    "copy",
    "it",
    "work",
    "any",
    "or",
    "by",
    "with",
]
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]


class Drawn:
    """Random tensors by name, in the order in which they are asked for."""

    def __init__(self, seed: int = 0, scale: float = 0.3) -> None:
        self.tensors: Tensors = {}
        self._generator, self._scale = torch.Generator().manual_seed(seed), scale

    def __call__(self, name: str, *shape: int, around: float = 0.0) -> None:
        drawn = torch.randn(shape, generator=self._generator) * self._scale
        self.tensors[name] = drawn + around

    def linear(self, name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        self(f"{name}.weight", outputs, inputs)
        if bias:
            self(f"{name}.bias", outputs)

    def norm(self, name: str, width: int, bias: bool = True) -> None:
        self(f"{name}.weight", width, around=1.0)
        if bias:
            self(f"{name}.bias", width)


def bert(
    kind: str = "BertForSequenceClassification",
    *,
    width: int = 16,
    layers: int = 2,
    heads: int = 4,
    hidden: int = 24,
    positions: int = 20,
    classes: int = 3,
    seed: int = 0,
    **config: Any,
) -> Files:
    """BERT: `BertModel`, `BertForSequenceClassification` or `BertForMaskedLM`, with vocab.txt."""
    tokens = word_pieces()
    draw = Drawn(seed)
    base = "" if kind == "BertModel" else "bert."
    draw(f"{base}embeddings.word_embeddings.weight", len(tokens), width)
    draw(f"{base}embeddings.position_embeddings.weight", positions, width)
    draw(f"{base}embeddings.token_type_embeddings.weight", 2, width)
    draw.norm(f"{base}embeddings.LayerNorm", width)
    for layer in range(layers):
        at = f"{base}encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            draw.linear(f"{at}.attention.{part}", width, width)
        draw.norm(f"{at}.attention.output.LayerNorm", width)
        draw.linear(f"{at}.intermediate.dense", width, hidden)
        draw.linear(f"{at}.output.dense", hidden, width)
        draw.norm(f"{at}.output.LayerNorm", width)
    if kind != "BertForMaskedLM":
        draw.linear(f"{base}pooler.dense", width, width)
    if kind == "BertForSequenceClassification":
        draw.linear("classifier", width, classes)
    if kind == "BertForMaskedLM":
        draw.linear("cls.predictions.transform.dense", width, width)
        draw.norm("cls.predictions.transform.LayerNorm", width)
        draw("cls.predictions.bias", len(tokens))
    settings = {
        "architectures": [kind],
        "model_type": "bert",
        "vocab_size": len(tokens),
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": positions,
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "use_cache": True,
        "classifier_dropout": None,
    }
    if kind == "BertForSequenceClassification":
        settings |= labels(classes)
    return {
        **written(settings | config, draw.tensors),
        "vocab.txt": "\n".join([*tokens, ""]).encode(),
        "tokenizer_config.json": dumped({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}),
    }


def vit(
    kind: str = "ViTForImageClassification",
    *,
    width: int = 16,
    layers: int = 2,
    heads: int = 4,
    hidden: int = 24,
    image: int = 16,
    patch: int = 4,
    channels: int = 3,
    classes: int = 3,
    seed: int = 0,
    **config: Any,
) -> Files:
    """ViT: `ViTModel` or `ViTForImageClassification`."""
    draw = Drawn(seed)
    base = "" if kind == "ViTModel" else "vit."
    _vision(draw, base, 1, width, layers, hidden, image, patch, channels)
    if kind == "ViTForImageClassification":
        draw.linear("classifier", width, classes)
    else:
        draw.linear(f"{base}pooler.dense", width, width)
    settings = _vision_config("vit", kind, width, layers, heads, hidden, image, patch, channels)
    return {
        **written(settings | labels(classes) | config, draw.tensors),
        "preprocessor_config.json": dumped(_pictures(image, "ViTImageProcessor", (0.5,) * 3, (0.5,) * 3)),
    }


def deit(
    kind: str = "DeiTForImageClassificationWithTeacher",
    *,
    width: int = 16,
    layers: int = 2,
    heads: int = 4,
    hidden: int = 24,
    image: int = 16,
    patch: int = 4,
    channels: int = 3,
    classes: int = 3,
    seed: int = 0,
    **config: Any,
) -> Files:
    """DeiT with its distillation token: with both classifiers, with the class token's alone, or with none."""
    draw = Drawn(seed)
    base = "" if kind == "DeiTModel" else "deit."
    _vision(draw, base, 2, width, layers, hidden, image, patch, channels)
    if kind == "DeiTForImageClassificationWithTeacher":
        draw.linear("cls_classifier", width, classes)
        draw.linear("distillation_classifier", width, classes)
    elif kind == "DeiTForImageClassification":
        draw.linear("classifier", width, classes)
    else:
        draw.linear(f"{base}pooler.dense", width, width)
    settings = _vision_config("deit", kind, width, layers, heads, hidden, image, patch, channels)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return {
        **written(settings | labels(classes) | config, draw.tensors),
        "preprocessor_config.json": dumped(_pictures(image, "DeiTImageProcessor", mean, std)),
    }


def gpt2(
    kind: str = "GPT2LMHeadModel",
    *,
    width: int = 16,
    layers: int = 2,
    heads: int = 4,
    hidden: int | None = None,
    positions: int = 20,
    seed: int = 0,
    **config: Any,
) -> Files:
    """GPT-2: `GPT2LMHeadModel` or `GPT2Model`, its head tied to the embedding, with vocab.json and merges.txt."""
    vocabulary, merges = byte_pairs()
    draw = Drawn(seed)
    base = "" if kind == "GPT2Model" else "transformer."
    draw(f"{base}wte.weight", len(vocabulary), width)
    draw(f"{base}wpe.weight", positions, width)
    inner = hidden or 4 * width
    for layer in range(layers):
        at = f"{base}h.{layer}"
        draw.norm(f"{at}.ln_1", width)
        for part, inputs, outputs in (
            ("attn.c_attn", width, 3 * width),
            ("attn.c_proj", width, width),
            ("mlp.c_fc", width, inner),
            ("mlp.c_proj", inner, width),
        ):
            draw(f"{at}.{part}.weight", inputs, outputs)  # stored (inputs, outputs)
            draw(f"{at}.{part}.bias", outputs)
        draw.norm(f"{at}.ln_2", width)
    draw.norm(f"{base}ln_f", width)
    settings = {
        "architectures": [kind],
        "model_type": "gpt2",
        "vocab_size": len(vocabulary),
        "n_positions": positions,
        "n_embd": width,
        "n_layer": layers,
        "n_head": heads,
        "n_inner": hidden,
        "activation_function": "gelu_new",
        "resid_pdrop": 0.1,
        "embd_pdrop": 0.1,
        "attn_pdrop": 0.1,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.02,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
        "use_cache": True,
        "bos_token_id": len(vocabulary) - 1,
        "eos_token_id": len(vocabulary) - 1,
        "tie_word_embeddings": True,
    }
    return {
        **written(settings | config, draw.tensors),
        "vocab.json": dumped(vocabulary),
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]).encode(),
        "tokenizer_config.json": dumped({"tokenizer_class": "GPT2Tokenizer"}),
    }


def llama(
    kind: str = "LlamaForCausalLM",
    *,
    width: int = 16,
    layers: int = 2,
    heads: int = 4,
    groups: int = 2,
    head_size: int | None = None,
    hidden: int = 24,
    positions: int = 20,
    tied: bool = False,
    bias: bool = False,
    seed: int = 0,
    **config: Any,
) -> Files:
    """Llama with grouped keys: `LlamaForCausalLM` or `LlamaModel`, with tokenizer.json."""
    vocabulary, merges = byte_pairs()
    size = head_size or width // heads
    draw = Drawn(seed)
    base = "" if kind == "LlamaModel" else "model."
    draw(f"{base}embed_tokens.weight", len(vocabulary), width)
    for layer in range(layers):
        at = f"{base}layers.{layer}"
        draw.linear(f"{at}.self_attn.q_proj", width, heads * size, bias)
        draw.linear(f"{at}.self_attn.k_proj", width, groups * size, bias)
        draw.linear(f"{at}.self_attn.v_proj", width, groups * size, bias)
        draw.linear(f"{at}.self_attn.o_proj", heads * size, width, bias)
        draw.linear(f"{at}.mlp.gate_proj", width, hidden, False)
        draw.linear(f"{at}.mlp.up_proj", width, hidden, False)
        draw.linear(f"{at}.mlp.down_proj", hidden, width, False)
        draw.norm(f"{at}.input_layernorm", width, False)
        draw.norm(f"{at}.post_attention_layernorm", width, False)
    draw.norm(f"{base}norm", width, False)
    if kind == "LlamaForCausalLM" and not tied:
        draw.linear("lm_head", width, len(vocabulary), False)
    settings = {
        "architectures": [kind],
        "model_type": "llama",
        "vocab_size": len(vocabulary),
        "hidden_size": width,
        "intermediate_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "head_dim": size,
        "hidden_act": "silu",
        "max_position_embeddings": positions,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "use_cache": True,
        "bos_token_id": 0,
        "eos_token_id": len(vocabulary) - 1,
        "tie_word_embeddings": tied,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "attention_bias": bias,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "pretraining_tp": 1,
    }
    return {
        **written(settings | config, draw.tensors),
        "tokenizer.json": byte_level_json(vocabulary, merges),
        "tokenizer_config.json": dumped({"tokenizer_class": "PreTrainedTokenizerFast"}),
    }


FOLDERS: dict[str, Callable[..., Files]] = {
    "bert": bert,
    "vit": vit,
    "deit": deit,
    "gpt2": gpt2,
    "llama": llama,
}
"""A builder for each architecture, by what config.json calls it."""


def word_pieces() -> list[str]:
    """A vocabulary of BERT's kind: special tokens, letters, letters that go on, some words and endings."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    marks = list(".,;:!?'\"()-0123456789")
    pieces = [*LETTERS, *(f"##{letter}" for letter in LETTERS), "##ing", "##ed", "##s", "é", "中"]
    return list(dict.fromkeys([*special, *marks, *pieces, *WORDS]))


def byte_pairs() -> tuple[dict[str, int], list[str]]:
    """A vocabulary of GPT-2's kind and its merges: 256 bytes, some pairs, the end of a text."""
    merges = ["t h", "Ġ t", "Ġt h", "Ġth e", "i n", "e r", "Ġ a", "o f", "Ġ of", "l i", "a n", "an d"]
    pairs = [pair.replace(" ", "") for pair in merges]
    tokens = [*byte_letters(), *pairs, "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}, merges


def byte_letters() -> list[str]:
    """GPT-2's letter for each byte (Radford et al., 2019): printable ones stand for themselves, others lie above 255."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def byte_level_json(vocabulary: Mapping[str, int], merges: list[str]) -> bytes:
    """A tokenizer.json of byte pairs, as the library itself writes it."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(
        models.BPE(vocab=dict(vocabulary), merges=[(m.split()[0], m.split()[1]) for m in merges])
    )
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    return str(made.to_str()).encode()


def labels(classes: int) -> dict[str, Any]:
    """Names of classes, as config.json holds them."""
    names = [f"class {number}" for number in range(classes)]
    return {
        "id2label": {str(n): name for n, name in enumerate(names)},
        "label2id": {name: n for n, name in enumerate(names)},
    }


def written(config: Mapping[str, Any], tensors: Tensors) -> Files:
    """config.json and model.safetensors."""
    return {
        "config.json": dumped({"transformers_version": "4.56.0", "dtype": "float32", **config}),
        "model.safetensors": save(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, metadata={"format": "pt"}
        ),
    }


def tensors_of(files: Files) -> Tensors:
    """The tensors of a folder that is whole."""
    from safetensors.torch import load

    return load(files["model.safetensors"])


def with_tensors(files: Files, tensors: Tensors) -> Files:
    """The folder with other tensors."""
    whole = save({name: each.contiguous() for name, each in tensors.items()}, metadata={"format": "pt"})
    return files | {"model.safetensors": whole}


def with_config(files: Files, *without: str, **changed: Any) -> Files:
    """The folder with some of config.json said otherwise, or no longer."""
    config = json.loads(files["config.json"]) | changed
    return files | {"config.json": dumped({k: v for k, v in config.items() if k not in without})}


def sharded(files: Files, parts: int = 2) -> Files:
    """The same with its weights in parts, and their index."""
    tensors = tensors_of(files)
    names = list(tensors)
    made = {name: content for name, content in files.items() if name != "model.safetensors"}
    listed: dict[str, str] = {}
    for part in range(parts):
        file = f"model-{part + 1:05d}-of-{parts:05d}.safetensors"
        mine = names[part::parts]
        listed |= dict.fromkeys(mine, file)
        made[file] = save({name: tensors[name] for name in mine}, metadata={"format": "pt"})
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    made["model.safetensors.index.json"] = dumped({"metadata": {"total_size": total}, "weight_map": listed})
    return made


def zipped(files: Files, folder: str = "tiny", packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of the folder, whose members bear no time of day."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}" if folder else name), content, packing)
    return buffer.getvalue()


def on_disk(files: Files, path: Path) -> Path:
    """The folder written to a disk."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def dumped(content: Any) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode()


def _vision(
    draw: Drawn,
    base: str,
    tokens: int,
    width: int,
    layers: int,
    hidden: int,
    image: int,
    patch: int,
    channels: int,
) -> None:
    """What ViT and DeiT share; DeiT has a second token."""
    draw(f"{base}embeddings.cls_token", 1, 1, width)
    if tokens == 2:
        draw(f"{base}embeddings.distillation_token", 1, 1, width)
    draw(f"{base}embeddings.position_embeddings", 1, (image // patch) ** 2 + tokens, width)
    draw(f"{base}embeddings.patch_embeddings.projection.weight", width, channels, patch, patch)
    draw(f"{base}embeddings.patch_embeddings.projection.bias", width)
    for layer in range(layers):
        at = f"{base}encoder.layer.{layer}"
        for part in ("attention.query", "attention.key", "attention.value", "output.dense"):
            draw.linear(f"{at}.attention.{part}", width, width)
        draw.linear(f"{at}.intermediate.dense", width, hidden)
        draw.linear(f"{at}.output.dense", hidden, width)
        draw.norm(f"{at}.layernorm_before", width)
        draw.norm(f"{at}.layernorm_after", width)
    draw.norm(f"{base}layernorm", width)


def _vision_config(
    model: str,
    kind: str,
    width: int,
    layers: int,
    heads: int,
    hidden: int,
    image: int,
    patch: int,
    channels: int,
) -> dict[str, Any]:
    return {
        "architectures": [kind],
        "model_type": model,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "image_size": image,
        "patch_size": patch,
        "num_channels": channels,
        "qkv_bias": True,
        "encoder_stride": 16,
    }


def _pictures(image: int, kind: str, mean: tuple[float, ...], std: tuple[float, ...]) -> dict[str, Any]:
    return {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(mean),
        "image_processor_type": kind,
        "image_std": list(std),
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": image, "width": image},
    }
