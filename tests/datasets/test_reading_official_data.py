"""Where official data come from: a folder, our cache, the network; and what is said when none has them."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from core.datasets import load_dataset, official
from core.datasets.cifar10 import Cifar10
from core.datasets.fashion_mnist import FashionMnist
from core.datasets.idx import read_idx
from core.datasets.mnist import Mnist
from core.errors import Cancelled, DataUnavailable, InvalidInput

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARETOSCOPE_DATA", raising=False)
    return tmp_path / "home"


def silent(fraction: float, message: str) -> None:
    pass


def idx_bytes(array) -> bytes:
    array = np.asarray(array)
    return (
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


def write_idx_folder(folder: Path, first_labels, n_train=400, n_test=100, zipped=True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part, n in (("train", n_train), ("t10k", n_test)):
        y = np.arange(n) % 10
        if part == "train":
            y[: len(first_labels)] = first_labels
        for kind, array in (("images-idx3", rng.integers(0, 256, (n, 28, 28))), ("labels-idx1", y)):
            name = f"{part}-{kind}-ubyte"
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array), 1))
            else:
                (folder / name).write_bytes(idx_bytes(array))


@pytest.mark.skipif(
    not (SHARED / "fashion-mnist").is_dir(), reason="Fashion-MNIST is not beside this checkout"
)
def test_the_real_fashion_mnist_is_read_whole(monkeypatch):
    monkeypatch.setenv("PARETOSCOPE_DATA", str(SHARED))
    dataset = load_dataset("fashion_mnist")
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (55_000, 5_000, 10_000)
    assert dataset.input_shape == (1, 28, 28)
    # The official test set, in its own order: the first labels are published.
    order = np.argsort(dataset.test.ids)
    assert dataset.test.y[order][:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]
    np.testing.assert_array_equal(np.bincount(dataset.test.y), np.full(10, 1000))
    # The mean and deviation everybody uses for these 60,000 images.
    np.testing.assert_allclose(dataset.mean, 0.2860, atol=5e-4)
    np.testing.assert_allclose(dataset.std, 0.3530, atol=5e-4)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["fashion-mnist", "FashionMNIST/raw", "."])
def test_idx_files_are_found_in_the_usual_places(tmp_path, monkeypatch, place, zipped):
    write_idx_folder(tmp_path / "data" / place, FashionMnist.first_labels, zipped=zipped)
    monkeypatch.setenv("PARETOSCOPE_DATA", str(tmp_path / "data"))
    dataset = load_dataset("fashion_mnist", validation=100)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (300, 100, 100)
    assert dataset.test.ids.min() == 400, "the official test files stay the test split"


def test_mnist_files_are_not_taken_for_fashion_mnist(tmp_path):
    write_idx_folder(tmp_path / "data", Mnist.first_labels)
    source = FashionMnist(FashionMnist.Config(folder=str(tmp_path / "data")))
    assert source.read_folder(tmp_path / "data") is None
    assert Mnist(Mnist.Config()).read_folder(tmp_path / "data") is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x08",
        struct.pack(">HBBI", 0, 8, 1, 10) + b"123",
        struct.pack(">HBBI", 0, 8, 1, 2) + b"123",
        struct.pack(">HBBI", 0, 13, 1, 1) + b"1234",
        struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 2**31),
        struct.pack(">HBB", 0, 8, 200),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_idx_files_are_refused(tmp_path, data, zipped):
    path = tmp_path / ("x-ubyte.gz" if zipped else "x-ubyte")
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(InvalidInput):
        read_idx(path)


def test_a_gzip_cut_short_is_refused(tmp_path):
    whole = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, 5000)))
    (tmp_path / "x.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="cut short"):
        read_idx(tmp_path / "x.gz")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="There is no folder"):
        load_dataset("mnist", folder=str(tmp_path / "nowhere"))


def test_no_network_is_one_plain_sentence_and_quick(monkeypatch):
    def away(**kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", away)
    began = time.monotonic()
    with pytest.raises(DataUnavailable, match="PARETOSCOPE_DATA"):
        load_dataset("mnist")
    assert time.monotonic() - began < 5


def test_a_server_that_does_not_answer_is_given_up(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda **kwargs: release.wait(30))
    monkeypatch.setattr(official, "STALL_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(DataUnavailable, match="does not answer"):
        load_dataset("mnist")
    release.set()
    assert time.monotonic() - began < 5


def test_a_download_can_be_cancelled(monkeypatch):
    started, release = threading.Event(), threading.Event()

    def fetch(**kwargs):
        started.set()
        release.wait(30)

    def cancel(fraction: float, message: str) -> None:
        started.wait(10)
        raise Cancelled("stopped")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    with pytest.raises(Cancelled):
        load_dataset("mnist", on_progress=cancel)
    release.set()


def fake_openml(first, first_test, n_train=60_000, n_test=10_000, calls=None):
    def fetch(**kwargs):
        if calls is not None:
            calls.append(kwargs)
        y = np.arange(n_train + n_test) % 10
        y[: len(first)] = first
        y[n_train : n_train + len(first_test)] = first_test
        x = np.zeros((len(y), 784), dtype=np.uint8)
        x[:, 0] = y
        x[:, 1] = 255
        return x, np.array([str(label) for label in y], dtype=object)

    return fetch


def test_a_download_is_kept_and_never_repeated(monkeypatch, own_home):
    calls: list[dict] = []
    fetch = fake_openml(Mnist.first_labels, Mnist.first_test_labels, calls=calls)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    seen: list[tuple[float, str]] = []
    dataset = load_dataset("mnist", limit_train=1000, on_progress=lambda f, m: seen.append((f, m)))
    assert len(calls) == 1
    assert calls[0]["data_home"].startswith(str(own_home))
    assert dataset.test.ids.min() == 60_000
    np.testing.assert_array_equal(np.rint(dataset.train.x[:, 0, 0, 0] * 255), dataset.train.y)
    assert seen[-1][0] == 1.0
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)
    assert [path.name for path in (own_home / "datasets").iterdir() if path.is_file()] == ["mnist.npz"]
    load_dataset("mnist", limit_train=1001)
    assert len(calls) == 1, "the second load reads the cache"


def test_a_damaged_cache_is_fetched_again(monkeypatch, own_home):
    calls: list[dict] = []
    fetch = fake_openml(Mnist.first_labels, Mnist.first_test_labels, calls=calls)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    (own_home / "datasets").mkdir(parents=True)
    (own_home / "datasets" / "mnist.npz").write_bytes(b"PK\x03\x04 not really")
    load_dataset("mnist", limit_train=1002)
    assert len(calls) == 1


def test_a_shuffled_table_is_never_taken_for_the_official_order(monkeypatch):
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fake_openml((1, 1, 1), (2, 2, 2)))
    dataset = load_dataset("mnist", limit_train=1003)
    assert len(dataset.test) == 10_000
    assert dataset.test.ids.min() < 60_000, "held out by the seed, not the last rows"
    assert not set(dataset.test.ids.tolist()) & set(dataset.train.ids.tolist())


def cifar_batches() -> list[bytes]:
    rng = np.random.default_rng(0)
    batches = []
    for number in range(6):
        rows = np.zeros((10_000, 3073), dtype=np.uint8)
        rows[:, 0] = rng.permutation(np.arange(10_000) % 10)
        rows[:, 1] = rows[:, 0]
        rows[:, 1 + 1024] = number
        batches.append(rows.tobytes())
    return batches


def test_cifar10_is_read_from_the_binary_version_without_unpacking(tmp_path):
    names = [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz", compresslevel=1) as archive:
        for name, data in zip(names, cifar_batches(), strict=True):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    raw = Cifar10(Cifar10.Config()).read_folder(tmp_path)
    assert raw is not None
    assert raw.x.shape == (60_000, 3, 32, 32)
    assert raw.n_test == 10_000
    np.testing.assert_array_equal(raw.x[:, 0, 0, 0], raw.y)
    np.testing.assert_array_equal(np.unique(raw.x[-10_000:, 1, 0, 0]), [5])
    assert [path.name for path in tmp_path.iterdir() if path.is_dir() and path.name != "home"] == []


def test_the_pickled_cifar10_is_not_read(tmp_path):
    for name in [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch", "batches.meta"]:
        (tmp_path / "cifar-10-batches-py").mkdir(exist_ok=True)
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(b"\x80\x04cos\nsystem\n.")
    assert Cifar10(Cifar10.Config()).read_folder(tmp_path) is None


def test_a_truncated_cifar10_archive_is_refused(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(b"x" * 5000)[:-20])
    with pytest.raises(InvalidInput):
        Cifar10(Cifar10.Config()).read_folder(tmp_path)


@pytest.mark.slow
def test_a_cifar10_table_is_read_row_group_by_row_group(tmp_path, monkeypatch):
    import pandas as pd

    monkeypatch.setattr(Cifar10, "n_train", 50)
    monkeypatch.setattr(Cifar10, "n_test", 10)
    y = np.arange(60) % 10
    pixels = np.random.default_rng(0).integers(0, 256, (60, 3072))
    frame = pd.DataFrame(pixels, columns=[f"a{n}" for n in range(3072)])
    frame["class"] = y.astype(str)
    frame.to_parquet(tmp_path / "cifar10.parquet", row_group_size=25)
    raw = Cifar10(Cifar10.Config()).read_folder(tmp_path)
    assert raw is not None
    np.testing.assert_array_equal(raw.y, y)
    np.testing.assert_array_equal(raw.x.reshape(60, -1), pixels)
    assert raw.n_test == 0, "the order of this table proves nothing"
    (tmp_path / "cifar10.parquet").write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(InvalidInput):
        Cifar10(Cifar10.Config()).read_folder(tmp_path)
