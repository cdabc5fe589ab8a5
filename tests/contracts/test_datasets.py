"""Every registered data set keeps the promises of `core.datasets.base`.

digits is built in. Where the project's real data lie beside the checkout, Fashion-MNIST and a part of
CIFAR-10 are the real ones; MNIST and a person's own images are made here. A data set added to the
registry without a way to get it here fails the suite.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cache import Cache
from core.datasets import DATASETS, SPLITS, Dataset, load_dataset
from core.datasets.class_images import fitting_images
from core.errors import DataUnavailable, InvalidInput, NotFound
from core.tasks.base import task_of
from tests.helpers.sounds import wav

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def idx_bytes(array: np.ndarray) -> bytes:
    return (
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


def make_mnist(folder: Path) -> dict[str, object]:
    rng = np.random.default_rng(0)
    (folder / "mnist").mkdir()
    for part, n in (("train", 900), ("t10k", 200)):
        y = np.arange(n) % 10
        x = rng.integers(0, 256, (n, 28, 28))
        (folder / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(x))
        (folder / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y))
    return {"validation": 200, "calibration": 64}


def make_cifar10(folder: Path) -> dict[str, object]:
    if not (SHARED / "cifar10-small").is_dir():
        pytest.skip("the real CIFAR-10 images are not beside this checkout")
    arrays = {}
    with np.load(SHARED / "cifar10-small" / "labels.npz") as labels:
        for part in ("train", "test"):
            with Image.open(SHARED / "cifar10-small" / f"{part}_0.webp") as mosaic:
                tiles = np.array(mosaic.convert("RGB"))
            rows = tiles.shape[0] // 32
            x = tiles.reshape(rows, 32, 50, 32, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 32, 32, 3)
            y = labels[f"{part}_0_y"]
            arrays[f"x_{part}"], arrays[f"y_{part}"] = x[: len(y)], y
    np.savez(folder / "cifar10.npz", **arrays)
    return {"validation": 1000}


def make_images(folder: Path) -> dict[str, object]:
    rng = np.random.default_rng(1)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, n in (("cat", 40), ("dog", 20)):
            for number in range(n):
                picture = io.BytesIO()
                Image.fromarray(rng.integers(0, 256, (12, 9, 3), dtype=np.uint8)).save(picture, "PNG")
                archive.writestr(f"{name}/{number}.png", picture.getvalue())
    (folder / "pets.zip").write_bytes(buffer.getvalue())
    return {"path": str(folder / "pets.zip"), "size": 10, "calibration": 16}


def make_class_images(folder: Path) -> dict[str, object]:
    make_images(folder)
    data = (folder / "pets.zip").read_bytes().replace(b"cat/", b"004/").replace(b"dog/", b"001/")
    return dict(fitting_images(data, input_shape=(3, 10, 10), classes=6, calibration=16).data["config"])


def fashion_folder(folder: Path) -> dict[str, object]:
    if not (SHARED / "fashion-mnist").is_dir():
        pytest.skip("the real Fashion-MNIST files are not beside this checkout")
    return {"folder": str(SHARED), "limit_train": 3000, "limit_test": 2000}


def make_citation(folder: Path) -> dict[str, object]:
    """A small graph in the layout of the real files; papers 1 and 2 have no field."""
    rng, n, words = np.random.default_rng(2), 900, 30
    labels = rng.integers(0, 7, n).astype(np.int8)
    labels[1:3] = -1
    known = np.flatnonzero(labels >= 0)
    rows, columns = np.nonzero(rng.random((n, words)) < 0.2)
    (folder / "graphs").mkdir()
    np.savez(
        folder / "graphs" / "cora.npz",
        feat_row=rows,
        feat_col=columns,
        feat_val=np.ones(len(rows), np.float32),
        shape=np.array([words, n]),
        label=labels,
        edges=rng.integers(0, n, (1500, 2)),
        train=known[:140],
        val=known[140:640],
        test=known[640:],
    )
    return {"division": "random", "calibration": 32}


def make_sounds(folder: Path) -> dict[str, object]:
    rng = np.random.default_rng(3)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, n in (("clap", 40), ("knock", 20)):
            for number in range(n):
                sound = (rng.standard_normal(900) * 3000).astype(np.int16)[:, None]
                archive.writestr(f"{name}/{number}.wav", wav(sound, rate=4000))
    (folder / "sounds.zip").write_bytes(buffer.getvalue())
    return {"path": str(folder / "sounds.zip"), "rate": 2000, "milliseconds": 200, "calibration": 16}


def make_texts(folder: Path) -> dict[str, object]:
    rng = np.random.default_rng(4)
    rows = [
        f'"{word} {rng.integers(10**6)}, {rng.integers(10**6)}",{word}' for word in ("yes", "no", "no") * 40
    ]
    (folder / "said.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    return {"path": str(folder / "said.csv"), "length": 16, "calibration": 16}


def make_corpus(folder: Path) -> dict[str, object]:
    rng = np.random.default_rng(5)
    words = rng.choice(["the", "old", "man", "and", "sea", "sees"], 6000)
    (folder / "story.txt").write_text(" ".join(words), encoding="utf-8")
    return {"path": str(folder / "story.txt"), "length": 24, "scored": 4, "calibration": 16}


MAKERS = {
    "digits": lambda folder: {},
    "fashion_mnist": fashion_folder,
    "mnist": make_mnist,
    "cifar10": make_cifar10,
    "images": make_images,
    "class_images": make_class_images,
    "commands": lambda folder: {"texts": 600},
    "generated_graph": lambda folder: {"nodes": 400, "calibration": 32},
    "citation": make_citation,
    "tones": lambda folder: {"clips": 400, "calibration": 32},
    "sounds": make_sounds,
    "licenses": lambda folder: {"length": 32, "scored": 6, "calibration": 32},
    "license_passages": lambda folder: {"length": 40, "calibration": 32},
    "texts": make_texts,
    "corpus": make_corpus,
}


@pytest.fixture(params=DATASETS.names(), scope="module")
def known(request, tmp_path_factory):
    """(name, config, data set), each made once for this file."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSCOPE_HOME", str(folder / "home"))
        patch.setenv("PARETOSCOPE_DATA", str(folder))
        config = MAKERS[request.param](folder)
        yield request.param, config, load_dataset(request.param, **config)


def test_labels_and_arrays_belong_together(known):
    name, _, dataset = known
    assert dataset.task == DATASETS.get(name).task
    for each in SPLITS:
        split = dataset.split(each)
        assert len(split) > 0
        assert split.y.dtype == split.ids.dtype == np.int64
        assert split.y.shape[:1] == split.ids.shape == (len(split),)
        assert split.y.ndim == 1 + task_of(dataset).per_position
        assert split.y.min() >= 0
        assert split.y.max() < len(dataset.classes)
        assert len(split.arrays()) == len(dataset.arrays)
        few = split.first(5)
        assert (few.y.tolist(), few.ids.tolist()) == (split.y[:5].tolist(), split.ids[:5].tolist())
        assert all((a[:5] == b[:5]).all() for a, b in zip(few.arrays()[:1], split.arrays()[:1], strict=True))


def test_shapes_types_and_range_of_images(known):
    _, _, dataset = known
    if dataset.task != "image":
        pytest.skip("not images")
    assert isinstance(dataset, Dataset)
    for name in SPLITS:
        split = dataset.split(name)
        assert split.x.dtype == np.float32
        assert split.x.shape == (len(split), *dataset.input_shape)
        assert split.x.min() >= 0.0
        assert split.x.max() <= 1.0
    assert dataset.train.x.max() > 0.9, "white is 1, not 1/255"


def test_splits_are_disjoint_and_calibration_is_training_data(known):
    _, _, dataset = known
    ids = {name: set(dataset.split(name).ids.tolist()) for name in SPLITS}
    for name in SPLITS:
        assert len(ids[name]) == len(dataset.split(name)), "no image twice"
    assert not ids["train"] & ids["validation"]
    assert not ids["train"] & ids["test"]
    assert not ids["validation"] & ids["test"]
    assert ids["calibration"] <= ids["train"]
    where = {int(number): row for row, number in enumerate(dataset.train.ids)}
    rows = [where[int(number)] for number in dataset.calibration.ids]
    again = dataset.train.rows(np.array(rows))
    # The other nodes of a graph follow, in an order of their own.
    found, expected = (split.arrays()[0][: len(rows)] for split in (dataset.calibration, again))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(dataset.calibration.y, dataset.train.y[rows])


def test_every_split_and_prefix_holds_the_classes_in_proportion(known):
    _, _, dataset = known
    if task_of(dataset).per_position:
        pytest.skip("its classes are tokens, which nobody stratifies")
    n_classes = len(dataset.classes)
    pool = np.concatenate([dataset.train.y, dataset.validation.y])
    share = np.bincount(pool, minlength=n_classes) / len(pool)
    # Whole groups of texts that share sentences make the splits unequal.
    together = dataset.name == "license_passages"
    for name in ("train", "calibration", "validation"):
        y = dataset.split(name).y
        own = np.bincount(y, minlength=n_classes) / len(y)
        assert np.abs(own - share).max() < 0.05
        for n in (len(y), len(y) // 2):
            counts = np.bincount(y[:n], minlength=n_classes)
            assert np.abs(counts - n * (own if together else share)).max() <= 3, (name, n)


def test_statistics_are_those_of_the_training_images(known):
    _, _, dataset = known
    if dataset.task != "image":
        pytest.skip("not images")
    x = dataset.train.x.astype(np.float64)
    np.testing.assert_allclose(dataset.mean, x.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(dataset.std, x.std(axis=(0, 2, 3)), rtol=1e-4)


def test_the_same_arguments_give_the_same_object_and_a_seed_changes_the_split(known):
    name, config, dataset = known
    assert load_dataset(name, **config) is dataset
    other = load_dataset(name, seed=1, **config)
    assert other.fingerprint != dataset.fingerprint
    assert set(other.train.ids.tolist()) != set(dataset.train.ids.tolist())
    # Groups that stay together do not fill a part to the last sample.
    assert len(other.train) == pytest.approx(len(dataset.train), rel=0.02)


def test_the_fingerprint_is_stable_across_loads(known, monkeypatch):
    name, config, dataset = known
    monkeypatch.setattr("core.datasets.loading._loaded", Cache(6))
    again = load_dataset(name, **config)
    assert again is not dataset
    assert again.fingerprint == dataset.fingerprint
    assert len(again.fingerprint) == 64


def test_a_limit_leaves_a_subset_and_the_other_splits_alone(known):
    name, config, dataset = known
    fewer = load_dataset(name, **{**config, "limit_train": 20, "limit_validation": 12})
    assert len(fewer.train) == 20
    assert len(fewer.validation) == 12
    assert set(fewer.train.ids.tolist()) <= set(dataset.train.ids.tolist())
    assert set(fewer.validation.ids.tolist()) <= set(dataset.validation.ids.tolist())
    np.testing.assert_array_equal(fewer.test.ids, dataset.test.ids)


def test_what_a_person_reads_is_there(known):
    name, _, dataset = known
    info = DATASETS.info(name)
    assert dataset.name == name
    assert dataset.title == info.label != name
    assert info.source
    assert info.summary
    assert dataset.source
    assert dataset.licence
    assert len(set(dataset.classes)) == len(dataset.classes) >= 2


def test_nobody_can_swap_a_split(known):
    _, _, dataset = known
    with pytest.raises(FrozenInstanceError):
        dataset.test = dataset.train
    with pytest.raises(InvalidInput, match="no split called"):
        dataset.split("everything")


def test_unknown_fields_and_values_are_refused(known):
    name, config, _ = known
    with pytest.raises(InvalidInput, match="colour"):
        load_dataset(name, **config, colour=1)
    with pytest.raises(InvalidInput, match="limit_train"):
        load_dataset(name, **{**config, "limit_train": -1})


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(NotFound, match="digits"):
        load_dataset("digit")


def test_listing_imports_no_library():
    code = (
        "import sys; from core.datasets import DATASETS; DATASETS.names(); "
        "print([m for m in ('torch', 'sklearn', 'PIL', 'pandas') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_split_of_a_graph_is_the_same_graph_in_another_order(known):
    _, _, dataset = known
    if dataset.task != "graph":
        pytest.skip("not a graph")

    def described(split) -> set[tuple[bytes, bytes]]:
        features, edges = split.x
        return {(features[a].tobytes(), features[b].tobytes()) for a, b in edges.T}

    whole = described(dataset.train)
    assert whole == {(b, a) for a, b in whole}, "both directions"
    for name in SPLITS:
        split = dataset.split(name)
        assert described(split) == whole
        assert len(np.unique(split.ids)) == len(split) < len(split.x[0])
    place = {row.tobytes(): label for row, label in zip(dataset.test.x[0], dataset.test.y, strict=False)}
    picked = dataset.test.rows(np.array([7, 2]))
    assert [place[row.tobytes()] for row in picked.x[0][:2]] == dataset.test.y[[7, 2]].tolist()


def test_texts_end_where_their_mask_ends(known):
    _, _, dataset = known
    if dataset.task != "tokens":
        pytest.skip("not texts")
    for name in SPLITS:
        tokens, mask = dataset.split(name).x
        assert tokens.shape == mask.shape == (len(dataset.split(name)), *dataset.input_shape)
        np.testing.assert_array_equal(mask, tokens > 0)
        assert (np.diff(mask.astype(int), axis=1) <= 0).all(), "padding comes last"
        assert mask.any(1).all()
        assert tokens.max() < dataset.inputs["vocabulary"]


def test_the_usual_division_of_a_citation_graph_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETOSCOPE_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match="PARETOSCOPE_DATA"):
        load_dataset("citation")
    make_citation(tmp_path)
    dataset = load_dataset("citation")
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (140, 500, 258)
    with np.load(tmp_path / "graphs" / "cora.npz") as file:
        wanted, labels = file["test"], file["label"]
    features, _ = dataset.test.x
    assert len(features) == 900
    assert (
        np.bincount(dataset.test.y, minlength=7).tolist() == np.bincount(labels[wanted], minlength=7).tolist()
    )


@pytest.mark.parametrize("spoil", ["edges", "feat_row", "train", "label"])
def test_a_citation_graph_with_numbers_out_of_place_is_refused(tmp_path, monkeypatch, spoil):
    monkeypatch.setenv("PARETOSCOPE_DATA", str(tmp_path))
    make_citation(tmp_path)
    file = tmp_path / "graphs" / "cora.npz"
    with np.load(file) as arrays:
        found = dict(arrays)
    found[spoil] = found[spoil].astype(np.int64) if spoil != "label" else found[spoil][:10]
    if spoil != "label":
        found[spoil].flat[0] = 10**6
    np.savez(file, **found)
    with pytest.raises(InvalidInput, match=r"cora\.npz is not a citation graph"):
        load_dataset("citation")
