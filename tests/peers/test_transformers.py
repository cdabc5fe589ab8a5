"""Against transformers itself, in its own environment: folders that it saved, read here, and texts split as it does.

`make test-peers` builds the environment and runs this; without it there is nothing to compare with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import transformers_peers
from core.errors import InvalidInput
from core.supernets.base import Supernet
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import of_path
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.tokenizer import tokenizer_json
from core.supernets.folders.understood import Understood

TOLERANCE = 1e-4
CLASSIFIERS = ("bert/classifier", "bert/relu", "bert/gelu_new")
PICTURES = ("vit/classifier", "deit/student", "deit/teacher", "deit/sharded")
DECODERS = (
    "gpt2/tied",
    "gpt2/untied",
    "llama/own_keys",
    "llama/grouped",
    "llama/one_key",
    "llama/wide_heads",
    "llama/half",
    "llama/biases",
)
REFUSED = {
    "vit/no_bias": "qkv_bias",
    "gpt2/inner": "relu",
    "llama/third": "rope",
    "llama/linear": "rope",
}
"""What is not supported, and a word of the sentence that says so."""
SPLIT = ("bert/classifier", "bert/relu", "gpt2/tied", "gpt2/inner", "llama/own_keys", "llama/third")
"""One of each way in which a tokenizer is saved."""
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        transformers_peers.python() is None,
        reason="the environment of transformers is not built: make test-peers builds it",
    ),
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders that transformers saved, with what it answered."""
    folder = tmp_path_factory.mktemp("transformers")
    transformers_peers.run("save", folder)
    return folder


def reference(saved: Path, name: str) -> dict[str, NDArray[Any]]:
    with np.load(saved / name / "reference.npz") as stored:
        return {each: stored[each] for each in stored.files}


def supernet(saved: Path, name: str, **options: Any) -> tuple[Supernet, Understood]:
    folder = of_path(saved / name / "folder")
    return architecture_of(folder).supernet(folder, FolderOptions(**options))


def both_ways(net: Supernet, inputs: Any) -> list[Tensor]:
    """What the supernet answers at its largest, and what is cut out of it."""
    with torch.no_grad():
        return [net(inputs, net.largest), net.extract(net.largest)(inputs)]


def require_equal(found: list[Tensor], expected: NDArray[Any]) -> None:
    assert np.ptp(expected, axis=0).max() > 0.5, "inputs are told apart"
    for each in found:
        np.testing.assert_allclose(each.numpy(), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_texts_are_classified_as_there(saved: Path, name: str) -> None:
    known = reference(saved, name)
    tokens, mask = torch.from_numpy(known["input_ids"]), torch.from_numpy(known["attention_mask"]).bool()
    net, told = supernet(saved, name, context=tokens.shape[1])
    assert told.classes == known["logits"].shape[1]
    require_equal(both_ways(net, (tokens, mask)), known["logits"])


def test_a_bert_without_a_classifier_has_its_vectors(saved: Path) -> None:
    known = reference(saved, "bert/base")
    tokens, mask = torch.from_numpy(known["input_ids"]), torch.from_numpy(known["attention_mask"]).bool()
    net, told = supernet(saved, "bert/base", context=tokens.shape[1])
    assert told.fresh
    whole = net.extract(net.largest)
    with torch.no_grad():
        vectors, _ = whole[:-1]((tokens, mask))
        pooled = whole[-1].pooler(vectors[:, 0]).tanh()
    kept = mask.numpy()  # what stands where a text has ended is read by nobody
    np.testing.assert_allclose(
        vectors.numpy()[kept], known["last_hidden_state"][kept], atol=TOLERANCE, rtol=0
    )
    np.testing.assert_allclose(pooled.numpy(), known["pooler_output"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_classified_as_there(saved: Path, name: str) -> None:
    """From pixels as they are: normalizing them is part of the network here."""
    known = reference(saved, name)
    net, told = supernet(saved, name)
    assert told.classes == known["logits"].shape[1]
    require_equal(both_ways(net, torch.from_numpy(known["pictures"]).float() / 255), known["logits"])


@pytest.mark.parametrize("name", DECODERS)
def test_next_tokens_are_told_as_there(saved: Path, name: str) -> None:
    known = reference(saved, name)
    tokens = torch.from_numpy(known["input_ids"])
    scored = torch.arange(tokens.shape[1]).expand_as(tokens)
    net, _ = supernet(saved, name, context=tokens.shape[1])
    require_equal(both_ways(net, (tokens, scored)), known["logits"])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_refused(saved: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=REFUSED[name]):
        supernet(saved, name)


@pytest.mark.parametrize("name", SPLIT)
def test_a_thousand_texts_are_split_as_there(saved: Path, name: str) -> None:
    from core.datasets.tokenizing import Tokenizing

    written = tokenizer_json(of_path(saved / name / "folder"))
    assert written is not None
    tokenizing = Tokenizing.read(written)
    known = json.loads((saved / name / "tokens.json").read_text())
    texts = json.loads((saved / "texts.json").read_text())
    assert len(known) == len(texts) == 1_000
    assert len({tuple(each) for each in known}) > 500
    assert [list(tokenizing.encode(text, special=True)) for text in texts] == known
