"""The tiny BERT that is shipped: a folder as transformers writes it, trained by the preset, to be made elastic."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.datasets import Dataset, load_dataset
from core.library.presets import PRESETS
from core.settings import ASSETS
from core.supernets.base import Supernet
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import of_path
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.understood import Understood
from tests.helpers.public_formulas import bert_logits

FOLDER = ASSETS / "folders" / "tiny-bert"
PRESET = PRESETS["tiny-bert"]
MEASURED = 0.73
"""Of the test passages, when it was made."""


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset(PRESET["data"]["name"], seed=0, **PRESET["data"]["config"])


@pytest.fixture(scope="module")
def loaded() -> tuple[Supernet, Understood]:
    folder = of_path(FOLDER)
    return architecture_of(folder).supernet(folder, FolderOptions(width=(0.5, 0.75, 1.0)))


def test_it_is_small_and_of_the_presets_sizes(loaded: tuple[Supernet, Understood]) -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 1_500_000
    net, told = loaded
    config = PRESET["config"]
    assert [net.config.widths[-1], net.config.depths[-1], net.config.heads[-1], net.config.hidden[-1]] == [
        config[name][-1] for name in ("widths", "depths", "heads", "hidden")
    ]
    assert not told.fresh
    macs = [sum(cost.macs for cost in net.costs(arch)) for arch in (net.smallest, net.largest)]
    assert macs[1] / macs[0] > 4


def test_it_reads_the_built_in_passages_as_it_was_trained_to(
    loaded: tuple[Supernet, Understood], data: Dataset
) -> None:
    net, told = loaded
    net.task.require_fit(net.config, data)
    assert f"Its classes: {', '.join(data.classes)}." in told.facts
    tokens, mask = (torch.from_numpy(each) for each in data.test.x)
    with torch.no_grad():
        found = net((tokens, mask), net.largest)
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    expected = bert_logits(load_file(FOLDER / "model.safetensors"), config, tokens, mask)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    right = float(np.mean(found.argmax(1).numpy() == data.test.y))
    assert right == pytest.approx(MEASURED, abs=0.005)
    assert right > np.bincount(data.test.y).max() / len(data.test.y) + 0.15, "more than the largest class"


def test_its_slices_alone_know_little(loaded: tuple[Supernet, Understood], data: Dataset) -> None:
    """What InstaTune has to gain: nobody asked the parts of a plainly trained network to work by themselves."""
    net, _ = loaded
    tokens, mask = (torch.from_numpy(each) for each in data.validation.x)
    with torch.no_grad():
        whole, part = (
            float(np.mean(net((tokens, mask), arch).argmax(1).numpy() == data.validation.y))
            for arch in (net.largest, net.smallest)
        )
    assert whole - part > 0.1
