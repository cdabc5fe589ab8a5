"""Transformers' side of tests/peers: runs in its own environment, and knows nothing of this project.

    python transformers_peers_worker.py save FOLDER            # FOLDER/KIND/VARIANT/{folder/, reference.npz, tokens.json}
    python transformers_peers_worker.py answer FOLDER NAME...  # loads FOLDER/NAME/folder by its class
    python transformers_peers_worker.py uneven FOLDER          # which classes build layers of different sizes

`save` makes small BERT, ViT, DeiT, GPT-2 and Llama with random weights (none left as it starts), trains their
tokenizers on FOLDER/texts.json, saves both as `save_pretrained` does, and writes what the networks answer and how each
text is split. `answer` reads inputs from FOLDER/NAME/inputs.npz and writes answers.npz (and tokens.json, generated.npz)
beside it, and problem.txt in place of them where the folder does not load. `uneven` writes uneven.json: class -> whether it
was built with hidden units of its own for the first layer, by either way that the library has.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

LENGTH, ROWS = 24, 8
Inputs = dict[str, Tensor]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def randomized(network: nn.Module, seed: int) -> nn.Module:
    """No weight at the value it starts with: norms away from one, biases away from zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, each in sorted(network.named_parameters()):
            spread = 0.3 if each.dim() < 2 or "position" in name or "token" in name else 0.25
            each.add_(torch.randn(each.shape, generator=generator) * spread)
    return network.eval()


def text_inputs(vocabulary: int, seed: int, *, padded: bool) -> Inputs:
    """Token ids (ROWS, LENGTH), with a mask where rows differ in length."""
    rng = np.random.default_rng(seed)
    ids = torch.from_numpy(rng.integers(5, vocabulary, (ROWS, LENGTH)))
    if not padded:
        return {"input_ids": ids}
    lengths = torch.from_numpy(rng.integers(3, LENGTH + 1, ROWS))
    mask = (torch.arange(LENGTH)[None] < lengths[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


def pictures(processor: Any, side: int, channels: int, seed: int) -> Inputs:
    """Pictures (ROWS, channels, side, side) of whole numbers to 255, and what a processor makes of them."""
    drawn = np.random.default_rng(seed).integers(0, 256, (ROWS, side, side, channels)).astype(np.uint8)
    made = processor(list(drawn), return_tensors="pt", input_data_format="channels_last")
    raw = torch.from_numpy(np.ascontiguousarray(drawn.transpose(0, 3, 1, 2)))
    return {"pictures": raw, "pixel_values": made["pixel_values"]}


def word_piece(texts: list[str]) -> Any:
    """BERT's tokenizer, trained on texts."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=900, special_tokens=BERT_SPECIAL, show_progress=False)
    made.train_from_iterator(texts, trainer)
    return hf.BertTokenizer(vocab=made.get_vocab())


def byte_pairs(texts: list[str]) -> Any:
    """GPT-2's tokenizer, trained on texts."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return hf.GPT2Tokenizer(**_parts(made))


def sentence_pieces(texts: list[str]) -> Any:
    """Llama's tokenizer (byte pairs behind a marked space, bytes for what is unknown), trained on texts."""
    made = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=special, limit_alphabet=150, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    return hf.LlamaTokenizer(**_parts(made))


def third_llama(texts: list[str]) -> Any:
    """The tokenizer of Llama 3: byte pairs behind a pattern, and a first token."""
    made = Tokenizer(models.BPE())
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
        r"\s+(?!\S)|\s+"
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640,
        special_tokens=["<|begin_of_text|>", "<|end_of_text|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A",
        pair="<|begin_of_text|> $A <|begin_of_text|> $B",
        special_tokens=[("<|begin_of_text|>", 0)],
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>"
    )


def _parts(made: Tokenizer) -> dict[str, Any]:
    """Vocabulary and merges of a trained tokenizer, as its class in transformers takes them."""
    model = json.loads(made.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


Made = tuple[str, str, nn.Module, Inputs, Any, dict[str, Any]]


def every(texts: list[str]) -> Iterator[Made]:
    """(kind, variant, network, inputs, tokenizer, how to save) of every reference."""
    yield from berts(word_piece(texts))
    yield from vision()
    yield from gpts(byte_pairs(texts))
    yield from llamas(sentence_pieces(texts), third_llama(texts))


def berts(tokenizer: Any) -> Iterator[Made]:
    """BERT: a classifier, one with another activation, the base model, and with the head of its pretraining."""
    common = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    }
    inputs = text_inputs(len(tokenizer), 0, padded=True)
    kinds: dict[str, tuple[Callable[[Any], nn.Module], dict[str, Any]]] = {
        "classifier": (hf.BertForSequenceClassification, {"num_labels": 3}),
        "relu": (
            hf.BertForSequenceClassification,
            {"num_labels": 5, "hidden_act": "relu", "type_vocab_size": 3, "layer_norm_eps": 1e-5},
        ),
        "gelu_new": (hf.BertForSequenceClassification, {"num_labels": 2, "hidden_act": "gelu_new"}),
        "base": (hf.BertModel, {}),
        "masked": (hf.BertForMaskedLM, {}),
    }
    for at, (variant, (kind, settings)) in enumerate(kinds.items()):
        network = randomized(kind(hf.BertConfig(**(common | settings))), at)
        how = {"labels": ["bad", "fine", "good"]} if variant == "classifier" else {}
        if variant == "relu":
            how = {"vocabulary_files": True}
        if variant == "gelu_new":
            how = {"max_shard_size": "30KB"}
        yield "bert", variant, network, inputs, tokenizer, how


def vision() -> Iterator[Made]:
    """ViT with and without biases of the queries, DeiT without and with the head of its teacher."""
    common = {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "image_size": 32,
        "patch_size": 8,
        "num_labels": 6,
    }
    gray = {"num_channels": 1, "image_size": 16, "patch_size": 4, "hidden_act": "relu", "num_labels": 10}
    kinds: dict[str, tuple[str, Any, Any, dict[str, Any]]] = {
        "classifier": ("vit", hf.ViTForImageClassification, hf.ViTConfig, {}),
        "no_bias": ("vit", hf.ViTForImageClassification, hf.ViTConfig, {**gray, "qkv_bias": False}),
        "base": ("vit", hf.ViTModel, hf.ViTConfig, {}),
        "student": ("deit", hf.DeiTForImageClassification, hf.DeiTConfig, {}),
        "teacher": ("deit", hf.DeiTForImageClassificationWithTeacher, hf.DeiTConfig, {}),
        "sharded": ("deit", hf.DeiTForImageClassificationWithTeacher, hf.DeiTConfig, gray),
    }
    for at, (variant, (kind, made, config, settings)) in enumerate(kinds.items()):
        said = config(**(common | settings))
        network = randomized(made(said), 10 + at)
        side, channels = {"height": said.image_size, "width": said.image_size}, said.num_channels
        processor = ViTImageProcessorPil if kind == "vit" else DeiTImageProcessorPil
        sizes: dict[str, Any] = {"size": side} if kind == "vit" else {"size": side, "do_center_crop": False}
        if variant == "teacher":
            sizes |= {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
        if channels == 1:
            sizes |= {"image_mean": [0.3], "image_std": [0.2]}
        prepare = processor(**sizes)
        how: dict[str, Any] = {"max_shard_size": "20KB"} if variant == "sharded" else {}
        # The student's folder does not say how pixels are normalized: the library's own numbers count.
        how |= {} if variant == "student" else {"processor": prepare}
        yield kind, variant, network, pictures(prepare, said.image_size, channels, at), None, how


def gpts(tokenizer: Any) -> Iterator[Made]:
    """GPT-2: as it is, with a head of its own, and with other sizes and activations."""
    common = {
        "vocab_size": len(tokenizer),
        "n_embd": 32,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": 64,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "tied": (hf.GPT2LMHeadModel, {}),
        "untied": (hf.GPT2LMHeadModel, {"tie_word_embeddings": False}),
        "inner": (hf.GPT2LMHeadModel, {"n_inner": 80, "activation_function": "relu", "n_head": 2}),
        "base": (hf.GPT2Model, {}),
    }
    inputs = text_inputs(len(tokenizer), 2, padded=False)
    for at, (variant, (kind, settings)) in enumerate(kinds.items()):
        network = randomized(kind(hf.GPT2Config(**(common | settings))), 20 + at)
        how: dict[str, Any] = {"max_shard_size": "40KB"} if variant == "untied" else {}
        if variant == "inner":
            how = {"vocabulary_files": True}
        yield "gpt2", variant, network, inputs, tokenizer, how


def llamas(pieces: Any, third: Any) -> Iterator[Made]:
    """Llama: queries with keys of their own, in groups, with one for all; heads of another size; scaled rotations."""
    common = {
        "hidden_size": 32,
        "intermediate_size": 72,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 64,
    }
    scaled = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    }
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "own_keys": (pieces, {}),
        "grouped": (pieces, {"num_key_value_heads": 2}),
        "one_key": (pieces, {"num_key_value_heads": 1, "tie_word_embeddings": True}),
        "wide_heads": (pieces, {"head_dim": 12, "num_key_value_heads": 2}),
        "biases": (pieces, {"attention_bias": True, "mlp_bias": True, "rms_norm_eps": 1e-5}),
        "third": (
            third,
            {"num_key_value_heads": 2, "rope_parameters": scaled, "tie_word_embeddings": True},
        ),
        "linear": (pieces, {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}}),
        "half": (pieces, {"num_key_value_heads": 2}),
    }
    for at, (variant, (tokenizer, settings)) in enumerate(kinds.items()):
        ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        said = hf.LlamaConfig(**(common | settings | ends | {"vocab_size": len(tokenizer)}))
        network = randomized(hf.LlamaForCausalLM(said), 30 + at)
        if variant == "half":  # weights of 16 bits in the file; answers are of the same weights in 32
            for parameter in network.parameters():  # rotary frequencies are no weights, and are never rounded
                parameter.data = parameter.data.to(torch.bfloat16)
        how = {"max_shard_size": "40KB"} if variant == "grouped" else {}
        yield "llama", variant, network, text_inputs(len(tokenizer), 3, padded=False), tokenizer, how


def save(folder: Path) -> None:
    """Every reference."""
    texts = json.loads((folder / "texts.json").read_text())
    for kind, variant, network, inputs, tokenizer, how in every(texts):
        place = folder / kind / variant
        write(place, network, inputs, tokenizer, texts, **how)


def write(
    place: Path,
    network: Any,
    inputs: Inputs,
    tokenizer: Any,
    texts: list[str],
    max_shard_size: str = "50GB",
    labels: list[str] | None = None,
    vocabulary_files: bool = False,
    processor: Any = None,
) -> None:
    """One reference: the folder as saved, inputs and answers, and the tokens of every text."""
    saved = place / "folder"
    if labels is not None:
        network.config.id2label = dict(enumerate(labels))
        network.config.label2id = {label: number for number, label in enumerate(labels)}
    network.save_pretrained(saved, max_shard_size=max_shard_size)
    if processor is not None:
        processor.save_pretrained(saved)
    found = {name: value.numpy() for name, value in inputs.items()} | answers(network.float(), inputs)
    np.savez(place / "reference.npz", **found)
    if tokenizer is None:
        return
    tokenizer.save_pretrained(saved)
    if vocabulary_files:  # as earlier releases saved them: no tokenizer.json
        (saved / "tokenizer.json").unlink()
        tokenizer.backend_tokenizer.model.save(str(saved))
    tokens = split(hf.AutoTokenizer.from_pretrained(saved), texts)
    (place / "tokens.json").write_text(json.dumps(tokens))


def answers(network: Any, inputs: Inputs) -> dict[str, np.ndarray[Any, Any]]:
    """What a network says of its inputs, by the names of transformers' outputs."""
    with torch.no_grad():
        said = network(**{name: value for name, value in inputs.items() if name != "pictures"})
    wanted = ("logits", "cls_logits", "distillation_logits", "last_hidden_state", "pooler_output")
    return {name: said[name].float().numpy() for name in wanted if name in said and said[name] is not None}


def split(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids of every text, special ones included."""
    return [list(ids) for ids in tokenizer(texts)["input_ids"]]


def answer(folder: Path, names: list[str]) -> None:
    """What folders that others wrote answer."""
    for name in names:
        try:
            _answer(folder, folder / name)
        except Exception:
            (folder / name / "problem.txt").write_text(traceback.format_exc())


def _answer(folder: Path, place: Path) -> None:
    saved = place / "folder"
    config = hf.AutoConfig.from_pretrained(saved)
    kind = getattr(hf, config.architectures[0])
    network, told = kind.from_pretrained(saved, output_loading_info=True)
    left = {key: sorted(map(str, value)) for key, value in told.items() if value}
    assert not left, f"not every tensor found its place: {left}"
    network = network.eval().float()
    with np.load(place / "inputs.npz") as stored:
        inputs = {name: torch.from_numpy(stored[name]) for name in stored.files}
    np.savez(place / "answers.npz", **answers(network, inputs))
    if (saved / "tokenizer.json").is_file():
        texts = json.loads((folder / "texts.json").read_text())
        (place / "tokens.json").write_text(json.dumps(split(hf.AutoTokenizer.from_pretrained(saved), texts)))
    if network.can_generate():
        start = inputs["input_ids"][:1, :5]
        ends = {"eos_token_id": None, "pad_token_id": 0}
        made = network.generate(start, max_new_tokens=4, do_sample=False, **ends)
        np.savez(place / "generated.npz", start=start.numpy(), made=made.numpy())


def uneven(folder: Path) -> None:
    """Whether each class takes a number of hidden units per layer."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    text, image = {"vocab_size": 50}, {"image_size": 16, "patch_size": 8}
    kinds: dict[str, tuple[Any, str, dict[str, Any]]] = {
        "LlamaForCausalLM": (hf.LlamaConfig, "intermediate_size", sizes | text),
        "BertForSequenceClassification": (hf.BertConfig, "intermediate_size", sizes | text),
        "ViTForImageClassification": (hf.ViTConfig, "intermediate_size", sizes | image),
        "DeiTForImageClassification": (hf.DeiTConfig, "intermediate_size", sizes | image),
        "GPT2LMHeadModel": (hf.GPT2Config, "n_inner", {"n_embd": 32, "n_layer": 2, "n_head": 4, **text}),
    }
    found = {}
    for name, (config, field, settings) in kinds.items():
        getattr(hf, name)(config(**settings, **({"n_inner": 64} if field == "n_inner" else {})))
        found[name] = False
        for how in ({"per_layer_config": {0: {field: 16}}}, {field: [16, 64]}):
            try:
                getattr(hf, name)(config(**{**settings, **how}))
                found[name] = True
            except Exception as error:  # each release refuses in a way of its own
                print(name, type(error).__name__)
    (folder / "uneven.json").write_text(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    hf.logging.set_verbosity_error()
    if sys.argv[1] == "save":
        save(Path(sys.argv[2]))
    elif sys.argv[1] == "uneven":
        uneven(Path(sys.argv[2]))
    else:
        answer(Path(sys.argv[2]), sys.argv[3:])
