"""Folders of GPT-2 and Llama: at full size the supernet's logits are those of the published formulas."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from core.errors import InvalidInput
from core.supernets.base import Supernet
from core.supernets.files import dump_supernet, load_supernet
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import of_zip
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.understood import Understood
from tests.helpers.decoder_formulas import gpt2_logits, llama_logits
from tests.helpers.tiny_folders import (
    Files,
    gpt2,
    llama,
    sharded,
    tensors_of,
    with_config,
    with_tensors,
    zipped,
)

ELASTIC = FolderOptions(width=(0.5, 1.0))
FORMULAS: dict[str, Callable[..., Tensor]] = {"gpt2": gpt2_logits, "llama": llama_logits}
LENGTH = 12


def made(files: Files, options: FolderOptions = ELASTIC) -> tuple[Supernet, Understood]:
    folder = of_zip("tiny.zip", zipped(files))
    return architecture_of(folder).supernet(folder, options)


def windows(vocabulary: int = 269, rows: int = 8) -> tuple[Tensor, Tensor]:
    """Tokens, and scored positions: every one."""
    tokens = torch.randint(0, vocabulary, (rows, LENGTH), generator=torch.Generator().manual_seed(3))
    return tokens, torch.arange(LENGTH).expand(rows, LENGTH)


@pytest.mark.parametrize(
    "files",
    [
        gpt2(),
        gpt2(hidden=24, layers=3, heads=2, layer_norm_epsilon=1e-2),
        gpt2("GPT2Model"),
        llama(),
        llama(tied=True, groups=1, rms_norm_eps=1e-2, rope_theta=100),
        llama(groups=4, head_size=6, bias=True),
        llama("LlamaModel", tied=True),
        sharded(llama(), 3),
    ],
    ids=["gpt2", "gpt2 narrow", "gpt2 bare", "llama", "one key", "biases", "llama bare", "in parts"],
)
def test_a_decoder_answers_as_the_folder_does(files: Files) -> None:
    net, told = made(files)
    config = json.loads(files["config.json"])
    tensors = _with_heads(files, config)
    tokens, scored = windows()
    expected = FORMULAS[config["model_type"]](tensors, config, tokens)
    with torch.no_grad():
        assert expected.std(0).min() > 0.01, "the texts are told apart"
        torch.testing.assert_close(net((tokens, scored), net.largest), expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(net.extract(net.largest)((tokens, scored)), expected, atol=1e-4, rtol=0)
        assert not torch.allclose(net((tokens, scored), net.smallest), expected, atol=0.01)
    assert told.family == "elastic_decoder"
    assert told.tokenizer.startswith("Texts are split by byte pairs of 269 tokens")


def _with_heads(files: Files, config: dict[str, Any]) -> dict[str, Tensor]:
    """Tensors as the class with a head names them, of a folder that may be in parts or without one."""
    whole = files if "model.safetensors" in files else llama()
    base = {"gpt2": "transformer.", "llama": "model."}[config["model_type"]]
    named = tensors_of(whole)
    return {n if n.startswith((base, "lm_head")) else base + n: t for n, t in named.items()}


def test_what_becomes_elastic_is_told_before_anything_is_built() -> None:
    folder = of_zip("tiny.zip", zipped(llama(heads=8, groups=4, hidden=40)))
    told = architecture_of(folder).understood(folder, FolderOptions(heads=(0.5, 1.0), ffn=(0.25, 0.5, 1.0)))
    elastic = {each.part: (each.options, each.choices) for each in told.elastic}
    assert elastic == {
        "attention heads of a layer, with the keys they share": ((4, 8), 2),
        "hidden units of a layer's FFN": ((10, 20, 40), 2),
        "layers: each there (1) or skipped (0)": ((0, 1), 2),
    }
    assert told.size == (1 + 2 * 3) ** 2
    assert dict(told.sizes)["key heads"] == "4"
    assert (told.task, told.classes, told.input_shape) == ("language", 269, (20,))
    fixed = architecture_of(folder).understood(
        folder, FolderOptions(heads=(1.0,), ffn=(0.5, 1.0), skip=False)
    )
    assert [each.part for each in fixed.elastic] == ["hidden units of a layer's FFN"]
    assert fixed.size == 2**2


def test_a_head_that_is_the_table_is_stored_once() -> None:
    net, _ = made(gpt2())
    file = dump_supernet(net, {})
    again, _ = load_supernet(file)
    tokens, scored = windows()
    with torch.no_grad():
        assert torch.equal(again((tokens, scored), net.largest), net((tokens, scored), net.largest))
    assert sum(p.numel() for p in net.parameters()) == sum(t.numel() for t in tensors_of(gpt2()).values())


def test_old_masks_and_a_copy_of_the_table_are_left_out_and_told() -> None:
    files = gpt2()
    tensors = tensors_of(files)
    more = {f"transformer.h.{layer}.attn.bias": torch.ones(1, 1, 20, 20).tril().bool() for layer in range(2)}
    more |= {"transformer.h.0.attn.masked_bias": torch.tensor([-1e4]), "lm_head.weight": torch.zeros(269, 16)}
    net, told = made(with_tensors(files, tensors | more))
    assert {each.part for each in told.skipped} == {"attn.bias", "attn.masked_bias", "lm_head.weight"}
    tokens, scored = windows()
    with torch.no_grad():
        plain, _ = made(files)
        assert torch.equal(net((tokens, scored), net.largest), plain((tokens, scored), net.largest))


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            llama(rope_scaling={"rope_type": "llama3", "factor": 8.0}),
            r"stretches its rotary positions \(llama3\)",
        ),
        (llama(rope_scaling={"type": "linear", "factor": 2.0}), r"rotary positions \(linear\)"),
        (llama(rope_parameters={"rope_type": "yarn", "rope_theta": 1e4}), r"rotary positions \(yarn\)"),
        (llama(partial_rotary_factor=0.5), "only a part of each head"),
        (llama(hidden_act="gelu"), "The activation gelu is not known in a Llama"),
        (llama(rope_parameters={"rope_theta": "x"}), "not between 100 and 1e9"),
        (with_config(llama(), num_key_value_heads=3), "which do not divide them"),
        (with_config(llama(), "head_dim", hidden_size=17), "in a width of 17, which they do not divide"),
        (llama("LlamaModel"), r"lacks lm_head\.weight, which Llama of these sizes has"),
        (with_config(llama(), hidden_size=32), "does not fit the sizes in config.json"),
        (with_config(llama(), num_hidden_layers=3), r"lacks layers\.2\.self_attn\.q_proj\.weight"),
        (with_config(llama(), num_hidden_layers=1), r"holds model\.layers\.1\..*, which Llama does not have"),
        (with_config(llama(), vocab_size=200), "do not belong together"),
        (
            with_config(llama(), num_hidden_layers=10**9),
            "num_hidden_layers: Input should be less than or equal",
        ),
        (with_config(llama(), hidden_size=True), "hidden_size: Input should be a valid integer"),
        (llama(positions=1), "a single position"),
        (gpt2(activation_function="relu"), "The activation relu is not known in a GPT-2"),
        (gpt2(scale_attn_by_inverse_layer_idx=True), "scales its attention in another way"),
        (gpt2(scale_attn_weights=False), "scales its attention in another way"),
        (gpt2(add_cross_attention=True), "reads another network"),
        (with_config(gpt2(), n_head=3), "3 attention heads in a width of 16, which they do not divide"),
        (with_config(gpt2(), tie_word_embeddings=False), r"lacks lm_head\.weight"),
    ],
)  # one a line
def test_what_is_not_supported_is_told(files: Files, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        made(files)


def test_newer_releases_say_the_base_elsewhere() -> None:
    old, new = llama(rope_theta=500), with_config(llama(), "rope_theta", "rope_scaling")
    new = with_config(new, rope_parameters={"rope_theta": 500.0, "rope_type": "default"})
    tokens, scored = windows()
    with torch.no_grad():
        first, second = made(old)[0], made(new)[0]
        assert torch.equal(first((tokens, scored), first.largest), second((tokens, scored), second.largest))
        other = made(llama())[0]
        assert not torch.allclose(
            first((tokens, scored), first.largest), other((tokens, scored), first.largest)
        )
