"""Models by id: found, described without torch, loaded once, refused with a sentence."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from core.errors import CoreError, InvalidInput, NotFound
from core.library import supernets
from core.library.activations import ProbeChoice, all_activations, common_probe, layers, logits, probe_of
from core.library.network_id import is_network_id
from core.library.networks import describe, load_model, subnet_id
from core.library.suggestions import suggestions

LARGEST, SMALLEST = "subnet:digits-cnn:311131113111", "subnet:digits-cnn:000000000000"


def test_a_subnet_is_described_by_its_id() -> None:
    info = describe(None, LARGEST)
    assert (info.origin, info.supernet_id, info.arch_id) == ("subnet", "digits-cnn", "311131113111")
    assert "largest" in info.title
    assert subnet_id(supernets.find(None, "digits-cnn"), info.arch_id) == LARGEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "digits-cnn",
        "subnet:digits-cnn",
        "subnet:digits-cnn:1:2",
        "pickle:a:b",
        "subnet:../../etc:1",
        "subnet:a:<b>",
    ],
)
def test_texts_that_name_no_model_are_refused(text: str) -> None:
    assert not is_network_id(text)
    with pytest.raises(InvalidInput, match="names no network"):
        describe(None, text)


@pytest.mark.parametrize(
    "text",
    ["subnet:nobody:000000000000", "subnet:digits-cnn:9", "subnet:digits-cnn:999999999999", "alone:none:0"],
)
def test_models_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(CoreError):
        describe(None, text)


def test_a_loaded_subnet_answers_as_its_supernet_does() -> None:
    model = load_model(None, SMALLEST)
    entry = supernets.find(None, "digits-cnn")
    supernet, dataset = supernets.load(entry), supernets.dataset(entry)
    probe = probe_of(model, ProbeChoice(n=60))
    arch = entry.space.smallest
    with torch.no_grad():
        statistics = supernet.calibrate(arch, torch.from_numpy(dataset.calibration.x))
        expected = supernet(torch.from_numpy(probe.x.copy()), arch, statistics).numpy()
    assert np.allclose(logits(model, probe), expected, atol=1e-4)
    assert model.labels[0] == "stem"
    assert len(model.labels) == len(model.net)
    assert load_model(None, SMALLEST) is model


def test_activations_are_kept_and_cannot_be_written() -> None:
    model = load_model(None, SMALLEST)
    probe = common_probe(model, load_model(None, LARGEST), ProbeChoice(n=50))
    names = [layer.layer_id for layer in layers(model)]
    first = all_activations(model, probe, names)
    again = all_activations(model, probe, names[1:3])
    assert again[names[1]] is first[names[1]]
    assert [first[name].shape for name in names] == [(50, layer.units) for layer in layers(model)]
    with pytest.raises(ValueError, match="read-only"):
        first[names[0]][0, 0] = 1


def test_suggestions_hold_the_ends_the_best_and_the_knees() -> None:
    entry = supernets.find(None, "digits-cnn")
    found = suggestions(None, entry)
    ids = [info.arch_id for info in found]
    assert ids[:2] == ["000000000000", "311131113111"]
    table = supernets.table(entry)
    assert table is not None
    named = next(info for info in found if "most accurate" in info.title)
    best = table.set_index("arch_id").loc[named.arch_id]
    assert best["accuracy"] == table["accuracy"].max()
    assert best["macs"] == table.loc[table["accuracy"] == table["accuracy"].max(), "macs"].min()
    assert sum("knee" in info.title for info in found) in (1, 2)
    assert len(set(ids)) == len(ids)


def test_describing_needs_no_torch() -> None:
    code = (
        "import sys; from core.library.networks import describe; from core.library.suggestions import suggestions; from core.library import supernets;"
        "e = supernets.find(None, 'digits-cnn'); suggestions(None, e); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_stand_alone_net_says_what_to_do() -> None:
    with pytest.raises(NotFound, match="train it again"):
        describe(None, "alone:0123456789abcdef:0")
