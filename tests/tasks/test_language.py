"""Language: what is scored, what its numbers mean, and that a walk through the trie measures what one subnet would say."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from core.datasets import Dataset, load_dataset, write_npz
from core.errors import InvalidInput
from core.evaluation.evaluator import evaluate_table
from core.evaluation.spread_walk import walk_on
from core.executors import EXECUTORS
from core.export.predicting import common, predict_language
from core.export.subnet import extract_subnet
from core.objectives.base import OBJECTIVES, choosable_names, is_for, quick_names
from core.supernets.base import Supernet
from core.supernets.elastic_decoder import ElasticDecoder
from core.supernets.files import dump_supernet, load_supernet
from core.tasks.base import evaluation_data, task_of
from tests.helpers.nets import disturb, random_dataset, small_cnn

TOGETHER = ("accuracy", "loss", "perplexity", "bits_per_byte", "kv_cache_bytes", "macs")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("licenses", length=24, scored=5, limit_train=60, limit_validation=30, limit_test=20)


@pytest.fixture(scope="module")
def net(data: Dataset) -> Supernet:
    torch.manual_seed(0)
    settings = task_of(data).settings_from(data)
    config = ElasticDecoder.Config(
        layers=2, widths=(8, 12), hidden=(4, 9), head_size=4, heads=(2,), **settings
    )
    made = disturb(ElasticDecoder(config))
    made.tokenizer = data.tokenizer
    return made


def test_a_walk_measures_what_each_subnet_answers_by_itself(net: Supernet, data: Dataset) -> None:
    rows = net.space.array()
    table = evaluate_table(net, rows, TOGETHER, evaluation_data(data))
    tokens, scored = map(torch.from_numpy, data.validation.x)
    for row, arch in enumerate(rows.tolist()):
        with torch.no_grad():
            logits = net.extract(arch, None)((tokens, scored)).double()
        nats, right, total = 0.0, 0, 0
        for window in range(len(tokens)):
            for place, at in enumerate(scored[window].tolist()):
                target = int(tokens[window, at + 1])
                nats -= float(logits[window, place].log_softmax(0)[target])
                right += int(logits[window, place].argmax()) == target
                total += 1
        size = int(data.target_bytes[data.validation.ids].sum())
        assert total == 30 * 5
        assert table["accuracy"][row] == right / total
        assert table["loss"][row] == pytest.approx(nats / total, rel=1e-5)
        assert table["perplexity"][row] == pytest.approx(math.exp(nats / total), rel=1e-5)
        assert table["bits_per_byte"][row] == pytest.approx(nats / math.log(2) / size, rel=1e-5)
        # Keys and values of two layers with two heads of four numbers, float32.
        assert table["kv_cache_bytes"][row] == 2 * 2 * (2 * 4) * 4
    assert len(set(table["loss"].tolist())) == len(rows) == 8


def test_perplexity_is_e_to_the_loss_and_infinite_beyond(net: Supernet, data: Dataset) -> None:
    table = evaluate_table(net, net.space.array(), ("loss", "perplexity"), evaluation_data(data))
    np.testing.assert_allclose(table["perplexity"], np.exp(table["loss"]), rtol=1e-12)
    outputs = torch.full((1, 2, 3, 5), 0.0)
    outputs[..., 0] = 5000.0
    far = OBJECTIVES.create("perplexity").values(outputs, torch.ones(2, 3, dtype=torch.int64), task_of(data))
    assert far.tolist() == [math.inf]


@pytest.mark.parametrize("tokenizer", ["byte_pairs", "bytes"])
def test_a_model_for_which_all_bytes_are_as_likely_has_eight_bits_per_byte_under_every_tokenizer(
    tokenizer: str,
) -> None:
    data = load_dataset("licenses", tokenizer=tokenizer, length=32, scored=7)
    every = evaluation_data(data, ("validation",))
    # Its loss is ln 256 for each byte that a target stands for; one logit is set so that the loss is just that.
    vocabulary, size = data.inputs["vocabulary"], torch.from_numpy(data.target_bytes[data.validation.ids])
    nats = (size.double() * math.log(256) / 7)[:, None].expand(-1, 7)
    # -log softmax of the target, against others of 0: log(e^z + v - 1) - z = nats.
    z = torch.log((vocabulary - 1) / (torch.exp(nats) - 1).clamp_min(1e-12))
    outputs = torch.zeros(1, len(size), 7, vocabulary, dtype=torch.float64)
    outputs[0].scatter_(2, every.targets[:, :, None], z[:, :, None])
    told = every.target_bytes["validation"]
    found = OBJECTIVES.create("bits_per_byte").of_split(outputs, every.targets, task_of(data), told)
    assert found[0] == pytest.approx(8, rel=1e-6)


def test_parts_of_a_split_have_bytes_of_their_own(data: Dataset) -> None:
    some = data.validation.rows(np.array([3, 1, 20]))
    found = task_of(data).evaluation(data, {"some": some, "test": data.test})
    wanted = int(data.target_bytes[some.ids].sum()) / 15
    assert found.target_bytes == {"some": wanted, "test": int(data.target_bytes[data.test.ids].sum()) / 100}
    assert (found.calibration_rows, found.answers("some"), found.answers("test")) == (0, 15, 100)


@pytest.mark.slow
def test_several_processes_say_the_same(net: Supernet, data: Dataset) -> None:
    rows = net.space.array()[::3]
    one = evaluate_table(net, rows, ("accuracy", "bits_per_byte"), evaluation_data(data))
    executor = EXECUTORS.create("processes", {"processes": 1})
    for indices, values in walk_on(executor, net, rows, ("accuracy", "bits_per_byte"), evaluation_data(data)):
        for name in one:
            assert values[name].tolist() == one[name][indices].tolist()


def test_objectives_of_language_are_offered_for_language_alone(data: Dataset) -> None:
    own = {"perplexity", "bits_per_byte", "kv_cache_bytes"}
    assert own <= set(quick_names("language"))
    assert {"bits_per_byte", "perplexity"} <= set(choosable_names(task="language"))
    for task in ("", "image", "tokens"):
        assert not own & set(quick_names(task) + choosable_names(task=task))
        assert not any(is_for(name, task) for name in own)
    with pytest.raises(
        InvalidInput, match="Perplexity is for language data, and this supernet takes image data"
    ):
        evaluate_table(
            small_cnn(), small_cnn().space.array()[:1], ["perplexity"], evaluation_data(random_dataset())
        )


def test_bits_per_byte_of_data_that_stand_for_no_text_are_refused(net: Supernet, data: Dataset) -> None:
    silent = replace(data, target_bytes=np.empty(0, np.int64))
    with pytest.raises(InvalidInput, match="stand for no bytes"):
        evaluate_table(net, net.space.array()[:1], ["bits_per_byte"], evaluation_data(silent))


def test_a_supernet_s_file_keeps_its_tokenizer(net: Supernet) -> None:
    again, _ = load_supernet(dump_supernet(net, {}))
    assert again.tokenizer == net.tokenizer != b""
    assert dump_supernet(again, {}) == dump_supernet(net, {})
    assert load_supernet(dump_supernet(small_cnn(), {}))[0].tokenizer == b""


def test_a_tokenizer_in_a_file_that_is_no_row_of_bytes_is_refused(net: Supernet) -> None:
    data = dump_supernet(net, {})
    tensors = load(data)
    described = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    for wrong in (
        torch.zeros(3),
        torch.zeros(2, 2, dtype=torch.uint8),
        torch.zeros(33 << 20, dtype=torch.uint8),
    ):
        with pytest.raises(InvalidInput, match="tokenizer in this file is damaged"):
            load_supernet(save(tensors | {"tokenizer_json": wrong}, metadata=described))


def test_data_split_by_another_tokenizer_do_not_fit(net: Supernet) -> None:
    other = load_dataset("licenses", tokenizer="bytes", length=24, scored=5)
    with pytest.raises(InvalidInput, match="tokenizer is"):
        net.task.require_fit(net.config, other)


def test_predict_says_what_the_table_and_the_card_say(
    net: Supernet,
    data: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    subnet = extract_subnet(net, net.largest, data)
    path = write_npz(data, "test", tmp_path / "test.npz")
    about = {"input_shape": list(subnet.input_shape), "classes": list(subnet.classes)}
    (tmp_path / "architecture.json").write_text(json.dumps(about))
    monkeypatch.setattr(common, "HERE", tmp_path)
    monkeypatch.setattr(predict_language, "load_subnet", lambda: subnet.net)
    predict_language.main([str(path)])
    said = json.loads(capsys.readouterr().out)
    assert said["accuracy"] == subnet.card["test_accuracy"].value
    assert said["n"] == subnet.card["test_accuracy"].n == 100
    assert said["bits_per_byte"] == subnet.card["test_bits_per_byte"].value
    measured = evaluate_table(
        net, np.array([net.largest], np.uint8), ["test_accuracy", "test_loss"], evaluation_data(data)
    )
    assert said["accuracy"] == measured["test_accuracy"][0]
    assert said["bits_per_token"] == pytest.approx(measured["test_loss"][0] / math.log(2), rel=1e-6)
    shares = data.target_bytes[data.test.ids].sum() / 100
    assert said["bits_per_byte"] == pytest.approx(said["bits_per_token"] / shares, rel=1e-12)


WRONG = {
    "x": (np.zeros((3, 4, 2), np.int64), "shape"),
    "x ": (np.zeros((3, 40), np.int64), "24 positions"),
    "x  ": (np.full((3, 24), 512), "outside 0 to 511"),
    "x   ": (np.zeros((3, 24)), "float64"),
    "scored": (np.zeros((2, 5), np.int64), "both need"),
    "scored ": (np.full((3, 5), 24), "outside 0 to 23"),
    "y": (np.zeros((3, 4), np.int64), "both need"),
    "y ": (np.full((3, 5), -1), "outside"),
    "bytes": (np.zeros(2, np.int64), "bytes needs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_predict_refuses_wrong_arrays_in_a_sentence(
    name: str,
    net: Supernet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    array, why = WRONG[name]
    arrays = {
        "x": np.zeros((3, 24), np.int64),
        "scored": np.tile(np.arange(5), (3, 1)),
        "y": np.zeros((3, 5), np.int64),
        "bytes": np.ones(3, np.int64),
    } | {name.strip(): array}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (tmp_path / "test.npz").write_bytes(buffer.getvalue())
    about = {"input_shape": [24], "classes": [str(i) for i in range(512)]}
    (tmp_path / "architecture.json").write_text(json.dumps(about))
    monkeypatch.setattr(common, "HERE", tmp_path)
    monkeypatch.setattr(predict_language, "load_subnet", lambda: net.extract(net.largest, None))
    with pytest.raises(SystemExit) as end:
        predict_language.main([str(tmp_path / "test.npz")])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1


def test_noise_changes_what_is_read_and_not_what_is_told(data: Dataset) -> None:
    plain, noisy = (
        list(task_of(data).epoch(data, batch_size=20, seed=0, epoch=0, augmentation={"noise": share}))
        for share in (0.0, 0.5)
    )
    for one, other in zip(plain, noisy, strict=True):
        assert torch.equal(one.targets, other.targets)
        assert torch.equal(one.targets, one.inputs[0][:, 1:])
        share = float((one.inputs[0] != other.inputs[0]).float().mean())
        assert 0.4 < share < 0.55
        assert set(other.inputs[0].unique().tolist()) <= set(one.inputs[0].unique().tolist())
