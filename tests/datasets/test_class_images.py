"""Folders of a person's images as classes of a supernet: by name, WordNet id or number; no image calibrates and counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.datasets import load_dataset
from core.datasets.class_images import fitting_images
from core.datasets.foreign import foreign_settings
from core.datasets.imagenet_classes import class_names, imagenet_classes, match_folders
from core.errors import InvalidInput
from core.supernets.files import dump_supernet, load_supernet
from core.supernets.headers import peek_supernet, with_data
from tests.helpers.nets import small_cnn
from tests.helpers.picture_folders import pictures


def test_the_list_is_imagenets() -> None:
    known = imagenet_classes()
    assert len(known) == len({wnid for wnid, _ in known}) == len(set(class_names(1000))) == 1000
    assert list(known) == sorted(known), "networks answer in the order of the WordNet ids"
    assert (known[0], known[207], known[999]) == (
        ("n01440764", "tench"),
        ("n02099601", "golden retriever"),
        ("n15075141", "toilet tissue"),
    )
    assert class_names(3) == ("class 0", "class 1", "class 2")


def test_folders_are_matched_by_name_id_or_number() -> None:
    assert match_folders(["Golden_Retriever", "n01440764", "0999"], 1000).numbers == (207, 0, 999)
    assert match_folders(["1", "4"], 6).numbers == (1, 4)
    in_order = match_folders(["ants", "bees"], 2)
    assert in_order.numbers == (0, 1)
    assert "sorted order" in in_order.sentence
    for folders, classes, said in (
        (["tench", "my dog"], 1000, "1 of 2 folders are no class of this supernet .my dog."),
        (["ants", "bees"], 3, "2 of 2 folders are no class"),
        (["tench", "n01440764"], 1000, "are the same class"),
        (["crane"], 1000, "no class"),  # a bird and a machine
        (["7"], 7, "no class"),
    ):
        with pytest.raises(InvalidInput, match=said):
            match_folders(folders, classes)


def test_images_come_at_the_supernets_input_in_its_classes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    own = fitting_images(pictures({"4": 20, "1": 30}), input_shape=(3, 12, 12), classes=6)
    assert own.data["config"]["numbers"] == [1, 4]
    assert own.found.total("samples") == 50
    # What a card from elsewhere may say: hashes and numbers, no text.
    settings = foreign_settings(own.data["name"], own.data["config"])
    dataset = load_dataset(own.data["name"], **settings)
    assert dataset.input_shape == (3, 12, 12)
    assert len(dataset.classes) == 6
    every = [dataset.split(name) for name in ("train", "validation", "test")]
    assert {int(label) for split in every for label in split.y} == {1, 4}
    ids = np.concatenate([split.ids for split in every])
    assert sorted(ids) == list(range(50))
    assert set(dataset.calibration.ids) <= set(dataset.train.ids)
    assert f"{len(dataset.calibration)} images calibrate" in " ".join(own.sentences)
    assert f"measured on {len(dataset.validation)} others" in " ".join(own.sentences)
    with pytest.raises(InvalidInput, match="other classes"):
        load_dataset(own.data["name"], **{**settings, "numbers": (1,)})
    with pytest.raises(InvalidInput, match="takes inputs of 3x12x10"):
        fitting_images(pictures({"0": 8}), input_shape=(3, 12, 10), classes=6)


def test_a_card_gets_its_data_and_the_weights_stay() -> None:
    net = small_cnn()
    file = dump_supernet(net, {"title": "Tiny"})
    changed = with_data(file, {"name": "class_images", "seed": 0, "config": {"upload": "0" * 64}})
    assert peek_supernet(changed)["card"]["data"]["name"] == "class_images"
    again, card = load_supernet(changed)
    assert card["title"] == "Tiny"
    assert dump_supernet(again, {}) == dump_supernet(net, {})
