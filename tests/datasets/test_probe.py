"""The probe: the same samples every time, every class with its share."""

from __future__ import annotations

import numpy as np
import pytest

from core.datasets import load_dataset
from core.datasets.probe import make_probe
from core.errors import InvalidInput


def test_the_probe_holds_the_images_of_its_ids() -> None:
    dataset = load_dataset("digits")
    probe = make_probe(dataset, n=100)
    position = {int(i): row for row, i in enumerate(dataset.validation.ids)}
    rows = [position[int(i)] for i in probe.ids]
    assert np.array_equal(probe.x, dataset.validation.x[rows])
    assert np.array_equal(probe.y, dataset.validation.y[rows])
    assert len(set(probe.ids.tolist())) == len(probe) == 100


def test_every_class_has_its_share() -> None:
    dataset = load_dataset("digits")
    probe = make_probe(dataset, n=97)
    share = np.bincount(dataset.validation.y) * 97 / len(dataset.validation)
    assert np.abs(np.bincount(probe.y) - share).max() < 1


def test_seed_and_split_decide_the_samples() -> None:
    dataset = load_dataset("digits")
    first, again, other = (make_probe(dataset, n=50, seed=s) for s in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert np.array_equal(first.ids, again.ids)
    assert not np.array_equal(first.ids, other.ids)
    assert make_probe(dataset, n=50, split="test").fingerprint != first.fingerprint


def test_a_small_split_is_taken_whole() -> None:
    dataset = load_dataset("digits")
    probe = make_probe(dataset, split="test", n=1000)
    assert sorted(probe.ids.tolist()) == sorted(dataset.test.ids.tolist())


def test_rows_are_found_by_id_and_strangers_left_out() -> None:
    probe = make_probe(load_dataset("digits"), n=20)
    asked = [int(probe.ids[7]), 10**9, int(probe.ids[2])]
    assert probe.rows_of(asked).tolist() == [7, 2]


@pytest.mark.parametrize("n", [0, 3, 1001])
def test_sizes_out_of_bounds_are_refused(n: int) -> None:
    with pytest.raises(InvalidInput, match="4 to 1,000"):
        make_probe(load_dataset("digits"), n=n)


@pytest.mark.parametrize("name", ["commands", "license_passages", "licenses"])
def test_a_probe_of_texts_holds_their_tokens_and_shows_what_a_person_reads(name: str) -> None:
    dataset = load_dataset(name)
    probe = make_probe(dataset, n=30, seed=1)
    position = {int(i): row for row, i in enumerate(dataset.validation.ids)}
    rows = [position[int(i)] for i in probe.ids]
    for mine, whole in zip(probe.x, dataset.validation.x, strict=True):
        np.testing.assert_array_equal(mine, whole[rows])
    shown = probe.shown(np.array([2, 0]))
    assert len(shown) == 2
    tokens = probe.x[0][2][probe.x[1][2]] if probe.task == "tokens" else probe.x[0][2]
    if dataset.tokenizer:
        from core.datasets.tokenizing import Tokenizing

        assert shown[0] == Tokenizing.read(dataset.tokenizer).decode(tokens.tolist())
        assert any(letter.isalpha() for letter in shown[0])
    else:
        assert shown[0] == " ".join(map(str, tokens))
