"""Dividing images: the stratified order against its definition, and what must not disturb it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cache import Cache
from core.datasets import DATASETS, load_dataset, loading, write_npz
from core.datasets.base import FractionConfig, RawImages, SplitConfig, channel_statistics
from core.datasets.splitting import split_ids, stratified_order
from core.errors import InvalidInput, StorageFailed


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=60), seed=st.integers(0, 5))
def test_every_prefix_is_stratified(labels, seed):
    y = np.array(labels)
    order = stratified_order(y, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(y)))
    for label in np.unique(y):
        share = (y == label).mean()
        taken = np.cumsum(y[order] == label)
        # An even spread is never more than one image (and its classmates' ties) off.
        assert np.abs(taken - share * np.arange(1, len(y) + 1)).max() <= 1 + len(np.unique(y)) / 2


def test_the_order_is_random_within_a_class():
    y = np.zeros(50, dtype=np.int64)
    assert stratified_order(y, np.random.default_rng(0)).tolist() != list(range(50))


def test_too_few_images_are_refused():
    raw = RawImages(x=np.zeros((10, 1, 4, 4), np.uint8), y=np.arange(10) % 2, classes=("a", "b"))
    with pytest.raises(InvalidInput, match="too few"):
        split_ids(raw, (8, 2), SplitConfig(), seed=0, name="x")


def test_an_official_test_set_does_not_depend_on_the_seed():
    raw = RawImages(
        x=np.zeros((100, 1, 4, 4), np.uint8), y=np.arange(100) % 5, classes=tuple("abcde"), n_test=30
    )
    for seed in range(3):
        ids = split_ids(raw, (20, 0), SplitConfig(), seed=seed, name="x")
        assert sorted(ids.test.tolist()) == list(range(70, 100))
        assert sorted([*ids.train, *ids.validation]) == list(range(70))


def test_scaling_is_exact_at_black_and_white():
    raw = RawImages(
        x=np.array([[[[0, 16, 8]]]], np.uint8), y=np.zeros(1, np.int64), classes=("a",), scale=16.0
    )
    np.testing.assert_array_equal(raw.take(np.array([0])).x, [[[[0.0, 1.0, 0.5]]]])


def test_statistics_match_numpy_and_a_flat_channel_divides_by_one():
    x = np.random.default_rng(0).random((20, 2, 5, 4), dtype=np.float32)
    x[:, 1] = 0.25
    mean, std = channel_statistics(x)
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, [x[:, 0].std(), 1.0], rtol=1e-5)


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    dataset = load_dataset("digits")
    bunch = load_digits()
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (1079, 359, 359)
    assert len(dataset.calibration) == 256
    for split in (dataset.train, dataset.validation, dataset.test):
        np.testing.assert_array_equal(split.y, bunch.target[split.ids])
        np.testing.assert_array_equal(split.x[:, 0], bunch.images[split.ids].astype(np.float32) / 16)


def test_two_threads_share_one_reading(monkeypatch):
    monkeypatch.setattr(loading, "_loaded", Cache(6))
    digits = DATASETS.get("digits")
    reads, original, barrier = [], digits.read, threading.Barrier(4)

    def counted(self, on_progress):
        reads.append(1)
        return original(self, on_progress)

    monkeypatch.setattr(digits, "read", counted)
    found = []

    def load() -> None:
        barrier.wait()
        found.append(load_dataset("digits", seed=41))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1
    assert len({id(dataset) for dataset in found}) == 1


def test_only_a_few_data_sets_are_kept(monkeypatch):
    monkeypatch.setattr(loading, "_loaded", Cache(6))
    first = load_dataset("digits", seed=100)
    for seed in range(101, 101 + 6):
        load_dataset("digits", seed=seed)
    assert len(loading._loaded) == 6
    again = load_dataset("digits", seed=100)
    assert again is not first
    assert again.fingerprint == first.fingerprint


def test_a_written_split_reads_back_without_pickle(tmp_path):
    dataset = load_dataset("digits")
    path = write_npz(dataset, "test", tmp_path / "deep" / "test.npz")
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["x"], dataset.test.x)
        np.testing.assert_array_equal(arrays["y"], dataset.test.y)
        assert arrays["x"].dtype == np.float32
        assert arrays["y"].dtype == np.int64
        assert tuple(arrays["classes"]) == dataset.classes
    assert [file.name for file in path.parent.iterdir()] == ["test.npz"]
    with pytest.raises(InvalidInput):
        write_npz(dataset, "test", tmp_path / "test.txt")


def test_a_failed_write_keeps_the_older_file(tmp_path, monkeypatch):
    target = tmp_path / "test.npz"
    target.write_bytes(b"older")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageFailed, match="No space left"):
        write_npz(load_dataset("digits"), "test", target)
    assert target.read_bytes() == b"older"
    assert [file.name for file in tmp_path.iterdir()] == ["test.npz"]


def test_fractions_decide_the_sizes():
    dataset = load_dataset("digits", validation_fraction=0.1, test_fraction=0.3, calibration=100)
    assert (len(dataset.validation), len(dataset.test), len(dataset.calibration)) == (180, 539, 100)
    assert FractionConfig().validation_fraction == 0.2
