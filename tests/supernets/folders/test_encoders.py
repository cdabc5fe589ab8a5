"""Folders of BERT, ViT and DeiT: at full size the supernet's logits are those of the published formulas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import InvalidInput
from core.supernets.base import Supernet
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import of_path
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.understood import Understood
from tests.helpers.public_formulas import bert_folder, bert_logits, vit_folder, vit_logits

ELASTIC = FolderOptions(width=(0.5, 1.0))


def made(path: Path, options: FolderOptions = ELASTIC) -> tuple[Supernet, Understood]:
    folder = of_path(path)
    return architecture_of(folder).supernet(folder, options)


def config_of(path: Path) -> dict:
    return json.loads((path / "config.json").read_text(encoding="utf-8"))


def texts(vocabulary: int, length: int, rows: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(1, vocabulary, (rows, length), generator=generator)
    mask = torch.arange(length)[None] < torch.randint(1, length + 1, (rows, 1), generator=generator)
    return torch.where(mask, tokens, 0), mask


@pytest.mark.parametrize(
    "changes",
    [{}, {"hidden_act": "gelu_new", "layer_norm_eps": 1e-3}, {"hidden_act": "relu", "type_vocab_size": 1}],
    ids=["as saved", "tanh", "relu"],
)
def test_bert_answers_as_the_folder_does(tmp_path: Path, changes: dict) -> None:
    tensors = bert_folder(tmp_path / "mood", **changes)
    net, told = made(tmp_path / "mood")
    tokens, mask = texts(60, 20)
    expected = bert_logits(tensors, config_of(tmp_path / "mood"), tokens, mask)
    with torch.no_grad():
        found = net((tokens, mask), net.largest)
        assert expected.std(0).min() > 0.01, "the texts are told apart"
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(net.extract(net.largest)((tokens, mask)), expected, atol=1e-4, rtol=0)
        assert not torch.allclose(net((tokens, mask), net.smallest), expected, atol=0.01)
    assert (told.family, told.classes, told.title) == ("elastic_bert", 3, "mood")
    assert "Its classes: calm, glad, sad." in told.facts
    assert {each.part: each.options for each in told.elastic}["layers, the first ones"] == (2, 3)
    assert not told.fresh


@pytest.mark.parametrize("kind", ["vit", "deit", "taught"])
def test_vision_transformers_answer_as_the_folder_does(tmp_path: Path, kind: str) -> None:
    tensors = vit_folder(tmp_path, kind=kind)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    processor = {"do_rescale": True, "rescale_factor": 1 / 255, "image_mean": mean, "image_std": std}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    net, told = made(tmp_path)
    pictures = torch.randint(0, 256, (20, 3, 12, 12), generator=torch.Generator().manual_seed(0))
    # What the library's processor does with pixels of a picture.
    normalized = (pictures * (1 / 255) - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    expected = vit_logits(tensors, config_of(tmp_path), normalized)
    images = pictures.float() / 255
    with torch.no_grad():
        assert expected.std(0).min() > 0.05
        torch.testing.assert_close(net(images, net.largest), expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(net.extract(net.largest)(images), expected, atol=1e-4, rtol=0)
        assert not torch.allclose(net(images, net.smallest), expected, atol=0.01)
    assert "Its classes: cat, dog, bird." in told.facts
    assert net.config.distillation == {"vit": "none", "deit": "token", "taught": "teacher"}[kind]


@pytest.mark.parametrize(
    ("processor", "mean", "std"),
    [
        ({"image_mean": [0.1] * 3, "image_std": [0.5] * 3}, 0.1, 0.5),
        ({"image_mean": 0.1, "image_std": 0.5}, 0.1, 0.5),
        ({"do_rescale": False, "image_mean": [51.0] * 3, "image_std": [51.0] * 3}, 0.2, 0.2),
        ({"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3}, 0.5, 0.5),
        ({"do_normalize": False}, 0.0, 1.0),
        ({}, 0.5, 0.5),
        (None, 0.5, 0.5),
    ],
)
def test_pixels_are_normalized_as_the_processor_says(
    tmp_path: Path, processor: dict | None, mean: float, std: float
) -> None:
    vit_folder(tmp_path)
    if processor is not None:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    net, told = made(tmp_path)
    assert net.config.pixel_mean == pytest.approx((mean,) * 3)
    assert net.config.pixel_std == pytest.approx((std,) * 3)
    assert any("normalize" in fact for fact in told.facts)


def test_names_of_earlier_releases_and_of_a_base_model_are_known(tmp_path: Path) -> None:
    tensors = bert_folder(tmp_path / "new")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
        for name, t in tensors.items()
    } | {"bert.embeddings.position_ids": torch.arange(20)[None]}
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_bytes((tmp_path / "new" / "config.json").read_bytes())
    save_file(old, tmp_path / "old" / "model.safetensors")
    tokens, mask = texts(60, 20)
    with torch.no_grad():
        first, second = (made(tmp_path / each)[0] for each in ("new", "old"))
        assert torch.equal(first((tokens, mask), first.largest), second((tokens, mask), second.largest))


def test_a_folder_without_a_classifier_gets_a_fresh_one_and_says_so(tmp_path: Path) -> None:
    bert_folder(tmp_path, leave_out=("classifier", "bert.pooler"), architectures=["BertForMaskedLM"])
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({**tensors, "cls.predictions.bias": torch.zeros(60)}, tmp_path / "model.safetensors")
    net, told = made(tmp_path, FolderOptions(classes=5))
    assert told.classes == net.classes == 5
    assert told.fresh == ("stages.4.pooler.", "stages.4.linear.")
    assert any("a new one for 5 classes is drawn" in fact for fact in told.facts)
    assert any("no pooler" in fact for fact in told.facts)
    assert [part.part for part in told.skipped] == ["cls"]


@pytest.mark.parametrize("kind", ["bert", "vit", "taught"])
def test_other_classes_than_the_folders_draw_a_fresh_classifier(tmp_path: Path, kind: str) -> None:
    tensors = bert_folder(tmp_path) if kind == "bert" else vit_folder(tmp_path, kind=kind)
    net, told = made(tmp_path, FolderOptions(classes=7))
    assert net.classes == 7
    assert any("other classes" in fact for fact in told.facts)
    assert not any("Its classes" in fact for fact in told.facts)
    assert all("3 classes" in part.why for part in told.skipped if "classifier" in part.part)
    assert len([part for part in told.skipped if "classifier" in part.part]) == (2 if kind == "taught" else 1)
    theirs = "bert.encoder.layer.2.output.dense.weight" if kind == "bert" else None
    if theirs:
        assert torch.equal(net.chain[3].contract.weight, tensors[theirs])


def test_the_same_folder_gives_the_same_fresh_classifier(tmp_path: Path) -> None:
    bert_folder(tmp_path)
    first = made(tmp_path, FolderOptions(classes=7))[0]
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    again = made(tmp_path, FolderOptions(classes=7))[0]
    assert torch.equal(torch.random.get_rng_state(), before), "no other use of chance is disturbed"
    assert torch.equal(first.chain[-1].linear.weight, again.chain[-1].linear.weight)


def test_as_many_classes_as_the_folder_has_keep_its_classifier(tmp_path: Path) -> None:
    tensors = bert_folder(tmp_path)
    net, told = made(tmp_path, FolderOptions(classes=3))
    assert torch.equal(net.chain[-1].linear.weight, tensors["classifier.weight"])
    assert not told.fresh


def test_a_shorter_context_answers_the_same_on_short_texts(tmp_path: Path) -> None:
    tensors = bert_folder(tmp_path)
    net, told = made(tmp_path, FolderOptions(context=8))
    tokens, mask = texts(60, 8)
    assert net.config.input_shape == (8,)
    with torch.no_grad():
        expected = bert_logits(tensors, config_of(tmp_path), tokens, mask)
        torch.testing.assert_close(net((tokens, mask), net.largest), expected, atol=1e-4, rtol=0)
    assert any("more than 8 tokens are cut" in fact for fact in told.facts)


BERT_REFUSED = {
    "relative positions": ({"position_embedding_type": "relative_key"}, "relative_key"),
    "offset positions of RoBERTa": ({"model_type": "roberta"}, "roberta"),
    "a decoder": ({"is_decoder": True}, "decoder"),
    "an unknown activation": ({"hidden_act": "silu"}, "silu"),
    "heads that do not divide": ({"num_attention_heads": 5}, "do not divide"),
    "a regression": ({"problem_type": "regression"}, "not with one class"),
    "several answers": ({"problem_type": "multi_label_classification"}, "not with one class"),
    "another size": ({"intermediate_size": 41}, "does not fit the sizes"),
    "more layers than there are": ({"num_hidden_layers": 4}, "lacks"),
    "fewer layers than there are": ({"num_hidden_layers": 2}, "does not have"),
    "a million layers": ({"num_hidden_layers": 10**6}, "num_hidden_layers"),
    "a text for a number": ({"hidden_size": "24"}, "hidden_size"),
    "another class": ({"architectures": ["BertForQuestionAnswering"]}, "BertForQuestionAnswering"),
}


@pytest.mark.parametrize("case", BERT_REFUSED)
def test_what_is_not_supported_is_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    changes, words = BERT_REFUSED[case]
    bert_folder(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_of(tmp_path) | changes), encoding="utf-8")
    with pytest.raises(InvalidInput, match=words) as refused:
        made(tmp_path)
    assert str(refused.value).endswith(".")


VIT_REFUSED = {
    "no biases": ({"qkv_bias": False}, {}, "qkv_bias"),
    "patches that do not fill": ({"image_size": 13}, {}, "13x13"),
    "patches that are not square": ({"patch_size": [4, 2]}, {}, "4x2"),
    "three sides": ({"image_size": [12, 12, 12]}, {}, "3 sides"),
    "no size": ({"image_size": 0}, {}, "1 to 1,024"),
    "constants for two channels": ({}, {"image_mean": [0.1, 0.2]}, "2 numbers for 3 channels"),
    "no spread": ({}, {"image_std": [0.0, 0.0, 0.0]}, "out of bounds"),
    "a factor of nothing": ({}, {"rescale_factor": 0.0}, "rescale_factor"),
}


@pytest.mark.parametrize("case", VIT_REFUSED)
def test_images_that_cannot_be_are_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    changes, processor, words = VIT_REFUSED[case]
    vit_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config_of(tmp_path) | changes), encoding="utf-8")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    with pytest.raises(InvalidInput, match=words):
        made(tmp_path)


def test_a_crop_of_the_middle_is_told(tmp_path: Path) -> None:
    vit_folder(tmp_path, kind="deit")
    (tmp_path / "preprocessor_config.json").write_text('{"do_center_crop": true}', encoding="utf-8")
    assert any("middle cut out" in fact for fact in made(tmp_path)[1].facts)


def test_the_space_is_instatunes(tmp_path: Path) -> None:
    """Of twelve layers the first 6 to 12, as InstaTune's BERT has them; nothing is skipped where nobody wants it."""
    bert_folder(tmp_path, num_hidden_layers=12)
    net, _ = made(tmp_path, FolderOptions(heads=(0.5, 1.0), ffn=(0.5, 1.0)))
    depth = next(choice for choice in net.space.choices if choice.name == "depth")
    assert depth.options == (6, 7, 8, 9, 10, 11, 12)
    assert net.space.size == sum(4**layers for layers in depth.options)
    whole, _ = made(tmp_path, FolderOptions(heads=(1.0,), ffn=(1.0,), skip=False))
    assert whole.space.size == 1
