"""transformers loads what is exported here, and answers as the subnet does (`make test-peers`, in its own environment)."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks import transformers_peers
from core.datasets.tokenizing import Tokenizing
from core.export.subnet import ExtractedSubnet
from core.export.transformers_folder import TransformersFolder
from core.networks.generating import generate
from tests.export import test_transformers_folder as small
from tests.export.subnets import subnet
from tests.export.test_texts_outside import classifier

TOLERANCE = 1e-4
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        transformers_peers.python() is None,
        reason="the environment of transformers is not built: make test-peers builds it",
    ),
]


def of_decoder(net: nn.Sequential) -> ExtractedSubnet:
    """A decoder with a card; what it was trained on is not looked at."""
    return replace(subnet("elastic_bert"), net=net)


def decoders() -> dict[str, nn.Sequential]:
    """Llamas and GPT-2s whose layers differ in every size that may."""
    mixed = [
        {"hidden": 3, "heads": 2, "kv_heads": 1},
        {"heads": 4, "kv_heads": 2},
        {"heads": 2, "kv_heads": 1},
    ]
    plain = [{"hidden": 7}, {"heads": 1, "kv_heads": 1}, {"hidden": 4, "heads": 2, "kv_heads": 2}]
    return {
        "llama-mixed": small.decoder(mixed),
        "llama-untied": small.decoder(mixed, "own", theta=500.0, epsilon=1e-6),
        "llama-queries": small.decoder(mixed, biases="queries"),
        "llama-all": small.decoder(mixed, biases="all"),
        "llama-wide": small.decoder([{"heads": 5, "kv_heads": 5, "head_size": 2}]),
        "gpt2-mixed": small.decoder(plain, **small.GPT2),
        "gpt2-untied": small.decoder(plain, "own", **{**small.GPT2, "mlp": "gelu", "epsilon": 1e-3}),
        "gpt2-bare": small.decoder(plain, **{**small.GPT2, "biases": "none"}),
    }


def encoders() -> dict[str, ExtractedSubnet]:
    """Subnets of the families, and chains whose layers differ in every size that may."""
    return {
        "bert-largest": subnet("elastic_bert", 0),
        "bert-smallest": subnet("elastic_bert", 1),
        "bert-mixed": small.bert((1, 3, 2), (10, 4, 7), pooled=5),
        "vit-largest": subnet("plain_vit", 0),
        "vit-smallest": subnet("plain_vit", 1),
        "vit-mixed": small.vit((1, 2), (5, 9)),
        "deit-mixed": small.vit((2, 1, 3), (5, 9, 7), 2),
        "deit-taught": small.vit((2, 1), (5, 9), 2, 2),
    }


def unpack(data: bytes, place: Path, inputs: Mapping[str, NDArray[Any]]) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(place / "folder")
    np.savez(place / "inputs.npz", **inputs)  # type: ignore[arg-type]


def theirs(name: str, probe: Any, net: nn.Module) -> dict[str, NDArray[Any]]:
    """Inputs as transformers names them; of pictures what their processor would make."""
    if name.startswith("bert"):
        return {"input_ids": probe[0].numpy(), "attention_mask": probe[1].long().numpy()}
    if name.startswith(("llama", "gpt2")):
        return {"input_ids": probe[0].numpy()}
    return {"pixel_values": ((probe - net[0].mean) / net[0].std).numpy()}  # type: ignore[index, union-attr]


def with_tokenizers() -> dict[str, ExtractedSubnet]:
    """Subnets that bring their own tokenizer: byte pairs."""
    return {"bert-texts": classifier(), "llama-texts": subnet("elastic_decoder", 2)}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every export, and what transformers says of it."""
    folder = tmp_path_factory.mktemp("exported")
    every = encoders() | with_tokenizers() | {name: of_decoder(net) for name, net in decoders().items()}
    for name, made in every.items():
        probe = tokens() if name in decoders() else made.probe(6)
        unpack(TransformersFolder().export(made), folder / name, theirs(name, probe, made.net))
    transformers_peers.run("answer", folder, *every)
    return folder


def tokens() -> tuple[torch.Tensor, torch.Tensor]:
    """Six texts of nine tokens; every position is scored."""
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 20, (6, 9), generator=generator), torch.arange(9).repeat(6, 1)


def require_loaded(place: Path) -> None:
    problem = place / "problem.txt"
    assert not problem.is_file(), problem.read_text()


def test_no_class_that_is_written_takes_sizes_by_layer(tmp_path: Path) -> None:
    """Why layers are padded; where a release takes them, the exporter can do without."""
    transformers_peers.run("uneven", tmp_path)
    assert set(json.loads((tmp_path / "uneven.json").read_text()).values()) == {False}


@pytest.mark.parametrize("name", sorted(encoders()))
def test_a_classifier_answers_as_the_subnet(answered: Path, name: str) -> None:
    require_loaded(answered / name)
    made = encoders()[name]
    expected = made.outputs(made.probe(6)).numpy()
    assert np.ptp(expected, axis=0).max() > 0.01
    with np.load(answered / name / "answers.npz") as found:
        np.testing.assert_allclose(found["logits"], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", sorted(decoders()))
def test_a_language_model_answers_and_goes_on_as_the_subnet(answered: Path, name: str) -> None:
    require_loaded(answered / name)
    net = decoders()[name]
    with torch.no_grad():
        expected = net(tokens()).numpy()
    with np.load(answered / name / "answers.npz") as found:
        np.testing.assert_allclose(found["logits"], expected, rtol=0, atol=TOLERANCE)
    with np.load(answered / name / "generated.npz") as found:
        start, made = found["start"][0].tolist(), found["made"][0].tolist()
    assert made[:5] == start
    assert made[5:] == generate(net, start, 4, temperature=0)


@pytest.mark.parametrize("name", sorted(with_tokenizers()))
def test_texts_are_split_as_here(answered: Path, name: str) -> None:
    require_loaded(answered / name)
    tokenizer = Tokenizing.read(with_tokenizers()[name].tokenizer)
    texts = json.loads((answered / "texts.json").read_text())
    found = json.loads((answered / name / "tokens.json").read_text())
    assert len(found) == 1_000
    assert found == [tokenizer.encode(text, special=True) for text in texts]


def test_a_decoder_of_the_family_answers_as_there(answered: Path) -> None:
    made = with_tokenizers()["llama-texts"]
    tokens, scored = made.probe(6)
    expected = made.outputs((tokens, scored)).numpy()
    with np.load(answered / "llama-texts" / "answers.npz") as found:
        asked = np.take_along_axis(found["logits"], scored.numpy()[:, :, None], 1)
    np.testing.assert_allclose(asked, expected, rtol=0, atol=TOLERANCE * max(1.0, np.abs(expected).max()))
