"""The citation format on six papers that fit on a screen, and every way in which a file can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.datasets import Dataset, load_dataset
from core.datasets.base import DATASETS, DataSource
from core.datasets.graphs import RawGraph
from core.errors import DataUnavailable, InvalidInput

# Paper 1 has no field. 0-1 and 1-0 are one citation, 3-3 is none; words 0 to 3.
PAPERS: dict[str, Any] = {
    "feat_row": np.array([0, 0, 2, 3, 5, 1], np.int32),
    "feat_col": np.array([0, 3, 1, 2, 0, 1], np.int32),
    "feat_val": np.array([1, 0.5, 1, 2, 1, 3], np.float64),
    "shape": np.array([6, 4]),
    "label": np.array([2, -1, 0, 6, 0, 2], np.int8),
    "edges": np.array([[0, 1], [1, 0], [2, 4], [3, 3], [1, 5]]),
    "train": np.array([5, 2]),
    "val": np.array([0, 1]),
    "test": np.array([3, 4]),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSCOPE_DATA", str(tmp_path / "nothing"))
    return tmp_path


def written(folder: Path, name: str = "cora.npz", **changes: Any) -> Path:
    arrays = {key: array for key, array in (PAPERS | changes).items() if array is not None}
    np.savez(folder / name, **arrays)
    return folder / name


def source(folder: Path, **config: Any) -> DataSource:
    return DATASETS.create("citation", {"folder": str(folder), **config})


def read(folder: Path, **config: Any) -> RawGraph:
    raw = source(folder, **config).read(lambda fraction, message: None)
    assert isinstance(raw, RawGraph)
    return raw


def loaded(folder: Path, **config: Any) -> Dataset:
    return load_dataset("citation", folder=str(folder), calibration=8, **config)


def test_papers_without_a_field_stand_last_and_still_cite(folder: Path) -> None:
    written(folder)
    raw = read(folder)
    # In the order 0, 2, 3, 4, 5, then 1.
    assert raw.y.tolist() == [2, 0, 6, 0, 2]
    assert raw.x.tolist() == [
        [1, 0, 0, 0.5],
        [0, 1, 0, 0],
        [0, 0, 2, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 3, 0, 0],
    ]
    assert raw.x.dtype == np.float32
    pairs = set(map(tuple, raw.edges.T.tolist()))
    assert pairs == {(0, 5), (5, 0), (1, 3), (3, 1), (5, 4), (4, 5)}
    assert raw.edges.shape == (2, 6)


def test_the_usual_division_names_the_same_papers_after_they_moved(folder: Path) -> None:
    written(folder)
    division = read(folder).division
    assert division is not None
    assert [part.tolist() for part in division] == [[4, 1], [0], [2, 3]]
    assert read(folder, division="random").division is None


def test_a_data_set_holds_what_the_file_says(folder: Path) -> None:
    written(folder)
    dataset = loaded(folder)
    assert sorted(zip(dataset.train.ids.tolist(), dataset.train.y.tolist(), strict=True)) == [(1, 0), (4, 2)]
    assert dataset.validation.y.tolist() == [2]
    assert sorted(dataset.test.y.tolist()) == [0, 6]
    assert dataset.inputs == {"input_shape": (4,), "nodes": 6, "edges": 6}
    assert len(dataset.classes) == 7
    first = dataset.test.x[0][: len(dataset.test)]
    assert sorted(first.tolist()) == [[0, 0, 0, 0], [0, 0, 2, 0]]


def test_words_by_papers_is_the_same_as_papers_by_words(folder: Path) -> None:
    written(folder)
    one = read(folder)
    written(folder, shape=np.array([4, 6]))
    np.testing.assert_array_equal(read(folder).x, one.x)


def test_the_seed_orders_the_usual_division_and_draws_the_random_one(folder: Path) -> None:
    rng, n = np.random.default_rng(0), 800
    label = np.arange(n) % 6
    rows = np.arange(n)
    written(
        folder,
        "citeseer.npz",
        feat_row=rows,
        feat_col=rows % 9,
        feat_val=np.ones(n),
        shape=np.array([n, 9]),
        label=label,
        edges=rng.integers(0, n, (1000, 2)),
        train=rows[:120],
        val=rows[120:620],
        test=rows[620:],
    )
    one, other = (loaded(folder, graph="citeseer", seed=seed) for seed in (0, 1))
    assert sorted(one.train.ids) == sorted(other.train.ids) == rows[:120].tolist()
    drawn = [loaded(folder, graph="citeseer", division="random", seed=seed) for seed in (0, 1)]
    assert sorted(drawn[0].train.ids) != sorted(drawn[1].train.ids)
    for dataset in drawn:
        assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (120, 500, 180)


def test_a_file_that_changes_is_read_again(folder: Path) -> None:
    file = written(folder)
    before = loaded(folder)
    assert loaded(folder) is before
    written(folder, label=np.array([2, 1, 0, 6, 0, 2]))
    assert file.stat().st_size
    after = loaded(folder)
    assert after.fingerprint != before.fingerprint
    assert len(after.validation) == 2


@pytest.mark.parametrize("place", [".", "graphs"])
def test_the_file_is_found_where_the_sentence_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("PARETOSCOPE_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match=r"needs a file cora\.npz"):
        load_dataset("citation")
    (tmp_path / place).mkdir(exist_ok=True)
    written(tmp_path / place)
    assert len(load_dataset("citation", calibration=8).train) == 2
    with pytest.raises(DataUnavailable, match=r"citeseer\.npz"):
        load_dataset("citation", graph="citeseer")


def test_a_named_folder_goes_before_the_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("PARETOSCOPE_DATA", str(tmp_path))
    written(tmp_path)
    written(tmp_path / "mine", label=np.array([2, 1, 0, 6, 0, 2]))
    assert len(read(tmp_path / "mine").y) == 6


DAMAGED: dict[str, dict[str, Any]] = {
    "an array is missing": {"edges": None},
    "a word of no paper": {"feat_row": np.array([0, 0, 2, 6, 5, 1])},
    "a negative word": {"feat_col": np.array([0, 3, 1, -1, 0, 1])},
    "too few values": {"feat_val": np.ones(5)},
    "no words": {"feat_row": np.array([], int), "feat_col": np.array([], int), "feat_val": np.array([])},
    "words in a table": {name: np.zeros((2, 3), int) for name in ("feat_row", "feat_col", "feat_val")},
    "a value that is no number": {"feat_val": np.array([1, np.nan, 1, 2, 1, 3])},
    "a value beyond float32": {"feat_val": np.array([1, 1e300, 1, 2, 1, 3])},
    "values of text": {"feat_val": np.array(list("abcdef"))},
    "complex values": {"feat_val": np.ones(6, complex)},
    "values of time": {"feat_val": np.ones(6, "m8[s]")},
    "rows of time": {"feat_row": np.full(6, np.timedelta64("NaT"))},
    "edges of time": {"edges": np.full((2, 2), np.timedelta64("NaT"))},
    "rows that are no whole numbers": {"feat_row": np.zeros(6)},
    "shape of three": {"shape": np.array([6, 4, 1])},
    "shape of no paper": {"shape": np.array([0, 6])},
    "shape of others": {"shape": np.array([7, 4])},
    "labels in a table": {"label": np.zeros((6, 1), int)},
    "a field that does not exist": {"label": np.array([2, -1, 0, 7, 0, 2])},
    "nobody has a field": {"label": np.full(6, -1)},
    "edges of three": {"edges": np.zeros((2, 3), int)},
    "an edge to nobody": {"edges": np.array([[0, 6]])},
    "no edges": {"edges": np.zeros((0, 2), int)},
    "a paper twice in training": {"train": np.array([5, 2, 5])},
    "a paper to learn and to test": {"test": np.array([3, 2])},
    "a paper to learn and to choose by": {"val": np.array([5])},
    "training in a table": {"train": np.array([[5, 2]])},
    "only papers without a field to learn": {"train": np.array([1])},
    "only papers without a field to test": {"test": np.array([1])},
    "pickled labels": {"label": np.array([2, None, 0, 6, 0, 2], object)},
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_wrong_file_is_refused_in_one_sentence(folder: Path, case: str) -> None:
    written(folder, **DAMAGED[case])
    with pytest.raises(InvalidInput, match=r"^cora\.npz is not a citation graph") as refusal:
        loaded(folder)
    assert str(refusal.value).endswith(".")


def test_any_cut_or_flipped_byte_is_refused_or_harmless(folder: Path) -> None:
    data = written(folder).read_bytes()
    whole, rng = read(folder), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        cut = bytes(damaged) if rng.random() < 0.7 else data[: rng.integers(len(data))]
        (folder / "cora.npz").write_bytes(cut)
        try:
            found = read(folder)
        except InvalidInput:
            refused += 1
        else:
            np.testing.assert_array_equal(found.x, whole.x)
            np.testing.assert_array_equal(found.edges, whole.edges)
            np.testing.assert_array_equal(found.y, whole.y)
    assert refused > 75


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import core.datasets.citation as module

    np.savez_compressed(folder / "cora.npz", **PAPERS, more=np.zeros(50_000))
    monkeypatch.setattr(module, "_MOST_BYTES", 100_000)
    with pytest.raises(InvalidInput, match="unpacks to more"):
        read(folder)
    np.savez(folder / "cora.npz", **PAPERS, more=np.zeros(50_000))
    with pytest.raises(InvalidInput, match="is larger than"):
        read(folder)
    monkeypatch.setattr(module, "_MOST_BYTES", 1_000_000)
    monkeypatch.setattr(module, "_MOST_NUMBERS", 23)
    with pytest.raises(InvalidInput, match="do not fit each other"):
        read(folder)
