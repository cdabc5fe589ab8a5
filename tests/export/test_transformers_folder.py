"""Folders for transformers: padding changes no answer and is told; what no class has is refused in a sentence."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

from core.errors import InvalidInput
from core.export.exporting import export_subnet
from core.export.subnet import ExtractedSubnet
from core.export.transformers_folder import read_back
from core.networks.chain import build_net
from core.supernets.folders.writing import networks
from core.supernets.folders.writing.written import Written
from tests.export.subnets import subnet

FORMAT = "transformers_folder"
DECODER = {"width": 12, "head_size": 4, "heads": 3, "kv_heads": 3, "hidden": 10}
GPT2 = {"norm": "layer", "positions": "learned", "mlp": "gelu_tanh", "biases": "all"}


def randomized(blocks: list[tuple[str, dict[str, Any]]], seed: int = 0) -> nn.Sequential:
    """A chain of blocks with no number at the value that it starts with."""
    net = build_net([{"block": name, "arguments": arguments} for name, arguments in blocks]).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            around = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(around + 0.5 * torch.randn(parameter.shape, generator=generator))
    return net.requires_grad_(False)


def bert(heads: tuple[int, ...], hidden: tuple[int, ...], pooled: int = 12) -> ExtractedSubnet:
    """A BERT of width 12 with heads of 4."""
    same = {"width": 12, "head_size": 4, "epsilon": 1e-6, "activation": "gelu_tanh"}
    layers = [
        ("PostNormBlock", {**same, "heads": h, "hidden": f}) for h, f in zip(heads, hidden, strict=True)
    ]
    first = {"vocabulary": 38, "width": 12, "length": 18, "token_types": 2, "epsilon": 1e-6}
    last = {"width": 12, "pooled": pooled, "classes": 6}
    net = randomized([("BertEmbedding", first), *layers, ("PooledTokenHead", last)])
    return replace(subnet("elastic_bert"), net=net)


def vit(
    heads: tuple[int, ...], hidden: tuple[int, ...], tokens: int = 1, answers: int = 1
) -> ExtractedSubnet:
    """A ViT or DeiT of width 12 with heads of 4, for the digits."""
    layers = [
        ("TransformerBlock", {"width": 12, "head_size": 4, "heads": h, "hidden": f, "epsilon": 1e-6})
        for h, f in zip(heads, hidden, strict=True)
    ]
    first = {"in_channels": 1, "width": 12, "patch": 2, "patches": 16, "tokens": tokens}
    last = {"width": 12, "classes": 10, "answers": answers, "epsilon": 1e-6}
    net = randomized([("ClassTokenEmbedding", first), *layers, ("ClassTokenHead", last)])
    net[0].mean.fill_(0.3)  # type: ignore[operator, union-attr]
    net[0].std.fill_(0.2)  # type: ignore[operator, union-attr]
    return replace(subnet("plain_vit"), net=net)


def files_of(made: ExtractedSubnet) -> dict[str, bytes]:
    """The members of what is handed out, which has been read back and compared."""
    with zipfile.ZipFile(io.BytesIO(export_subnet(made, FORMAT).data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def config_of(files: dict[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["config.json"])
    return found


def test_equal_layers_are_written_as_they_are() -> None:
    made = bert((3, 3), (10, 10))
    files = files_of(made)
    assert config_of(files)["intermediate_size"] == 10
    own = sum(parameter.numel() for parameter in made.net.parameters())
    assert sum(tensor.numel() for tensor in load(files["model.safetensors"]).values()) == own
    assert "Every size is the subnet's own." in files["README.md"].decode()


def test_layers_of_different_sizes_are_padded_and_that_is_told() -> None:
    made = bert((1, 3, 2), (10, 4, 7), pooled=5)
    files = files_of(made)
    config, tensors = config_of(files), load(files["model.safetensors"])
    assert (config["num_hidden_layers"], config["num_attention_heads"], config["intermediate_size"]) == (
        3,
        3,
        10,
    )
    assert tensors["bert.encoder.layer.1.intermediate.dense.weight"].shape == (10, 12)
    assert not tensors["bert.encoder.layer.1.output.dense.weight"][:, 4:].any()
    assert not tensors["bert.encoder.layer.0.attention.output.dense.weight"][:, 4:].any()
    told = files["README.md"].decode()
    assert "10, 4, 7 hidden units" in told
    assert "1, 3, 2 attention heads" in told
    own = sum(parameter.numel() for parameter in made.net.parameters())
    total = sum(tensor.numel() for tensor in tensors.values())
    assert f"{own:,} parameters, this folder {total:,}" in told
    assert total > own


def test_padding_is_exact() -> None:
    """Beyond what the exporter asks of itself: every hidden vector's answer, to rounding."""
    for made in (bert((1, 3, 2), (10, 4, 7), pooled=5), vit((1, 3), (5, 9)), vit((2, 1), (5, 9), 2, 2)):
        again = read_back(export_subnet(made, FORMAT).data, made)
        inputs = made.probe(9)
        expected: Tensor = made.net(inputs)
        torch.testing.assert_close(again(inputs), expected, rtol=1e-5, atol=1e-5)


def test_heads_of_a_vision_transformer_need_not_fill_its_width() -> None:
    config = config_of(files_of(vit((2, 1), (6, 6))))
    assert (config["num_attention_heads"], config["head_dim"], config["hidden_size"]) == (2, 4, 12)
    assert "head_dim" not in config_of(files_of(vit((3, 1), (6, 6))))


@pytest.mark.parametrize(
    ("tokens", "answers", "name"),
    [
        (1, 1, "ViTForImageClassification"),
        (2, 1, "DeiTForImageClassification"),
        (2, 2, "DeiTForImageClassificationWithTeacher"),
    ],
)
def test_classes_and_pixels(tokens: int, answers: int, name: str) -> None:
    files = files_of(vit((2, 3), (6, 6), tokens, answers))
    assert config_of(files)["architectures"] == [name]
    assert config_of(files)["id2label"]["3"] == "3"
    pixels = json.loads(files["preprocessor_config.json"])
    assert pixels["image_mean"] == pytest.approx([0.3])
    assert pixels["image_std"] == pytest.approx([0.2])


def test_a_width_without_room_for_its_heads_is_refused() -> None:
    with pytest.raises(InvalidInput, match="12 entries have no room for 4 heads of 4"):
        export_subnet(bert((4, 1), (6, 6)), FORMAT)


def decoder(layers: list[dict[str, Any]], table: str = "shared", **same: Any) -> nn.Sequential:
    """A decoder of width 12 for 20 tokens."""
    norms = {key: same[key] for key in ("norm", "epsilon") if key in same}
    positions = {key: same[key] for key in ("positions",) if key in same}
    blocks = [("DecoderBlock", {**DECODER, **same, **each}) for each in layers]
    first = {"vocabulary": 20, "width": 12, "context": 9, "table": table, **positions}
    last = {"width": 12, "vocabulary": 20, "table": table, **norms}
    return randomized([("DecoderEmbedding", first), *blocks, ("DecoderHead", last)])


def written(net: nn.Sequential) -> Written:
    return networks.written(net, (), (9,))


def test_a_llama_is_padded_by_whole_groups() -> None:
    made = written(decoder([{"heads": 2, "kv_heads": 1, "hidden": 3}, {"heads": 4, "kv_heads": 2}]))
    assert made.class_name == "LlamaForCausalLM"
    config = made.config
    assert (config["num_attention_heads"], config["num_key_value_heads"]) == (4, 2)
    assert (config["head_dim"], config["intermediate_size"], config["tie_word_embeddings"]) == (4, 10, True)
    assert made.tensors["model.layers.0.self_attn.k_proj.weight"].shape == (8, 12)
    assert "lm_head.weight" not in made.tensors


def test_llama_wants_heads_that_divide_the_width() -> None:
    config = written(decoder([{"heads": 5, "kv_heads": 5, "head_size": 2}])).config
    assert config["num_attention_heads"] == 6
    with pytest.raises(InvalidInput, match="multiple of its heads"):
        written(decoder([{"heads": 10, "kv_heads": 2, "head_size": 2}]))


def test_biases_that_llama_has_only_together_are_zero() -> None:
    tensors = written(decoder([{}], biases="queries")).tensors
    assert tensors["model.layers.0.self_attn.q_proj.bias"].any()
    assert not tensors["model.layers.0.self_attn.o_proj.bias"].any()
    assert "model.layers.0.mlp.up_proj.bias" not in tensors


def test_gpt2_keeps_its_layers_turned() -> None:
    net = decoder([{"hidden": 7}, {"heads": 1, "kv_heads": 1}], "own", **GPT2)
    made = written(net)
    assert made.class_name == "GPT2LMHeadModel"
    assert (made.config["n_head"], made.config["n_inner"], made.config["n_positions"]) == (3, 10, 9)
    assert made.tensors["transformer.h.0.attn.c_attn.weight"].shape == (12, 36)
    assert torch.equal(made.tensors["transformer.h.0.mlp.c_fc.weight"][:, :7], net[1].expand.weight.T)  # type: ignore[union-attr]
    assert "lm_head.weight" in made.tensors


@pytest.mark.parametrize(
    "settings",
    [{"norm": "layer"}, {"positions": "learned"}, {**GPT2, "heads": 3, "kv_heads": 1}, {"mlp": "gelu"}],
    ids=["rotary LayerNorm", "learned RMSNorm", "GPT-2 with one key head", "plain MLP"],
)
def test_mixtures_that_no_class_has_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"Take the bundle|take the bundle"):
        written(decoder([{}], **settings))
