"""Which samples were right: packed, written, read, and refused where it is not what it says."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from core.chance.bits import CorrectBits, dump_bits, packed_length, parse_bits
from core.errors import InvalidInput

RNG = np.random.default_rng(0)


def some(
    n_subnets: int = 50, n_samples: int = 37, split: str = "validation"
) -> tuple[np.ndarray, CorrectBits]:
    right = RNG.random((n_subnets, n_samples)) < 0.9
    return right, CorrectBits(np.packbits(right, axis=1), n_samples, split, "table")


@pytest.mark.parametrize("n_samples", [1, 7, 8, 9, 359])
def test_bits_are_the_samples(n_samples: int) -> None:
    right, bits = some(20, n_samples)
    assert len(bits) == 20
    assert bits.bits.shape == (20, packed_length(n_samples))
    np.testing.assert_array_equal(bits.matrix(), right)
    np.testing.assert_array_equal(bits.matrix(np.array([3, 1])), right[[3, 1]])
    np.testing.assert_array_equal(bits.row(7), right[7])
    np.testing.assert_array_equal(bits.correct(), right.sum(1))


def test_a_file_gives_back_what_was_written_for_each_split() -> None:
    first, validation = some(50, 37)
    second, test = some(50, 41, "test")
    data = dump_bits([validation, test])
    found = parse_bits(data, n_subnets=50, table_sha256="table")
    assert set(found) == {"validation", "test"}
    np.testing.assert_array_equal(found["validation"].matrix(), first)
    np.testing.assert_array_equal(found["test"].matrix(), second)
    assert found["test"].table_sha256 == "table"
    assert dump_bits([validation, test]) == data, "equal content is an equal file"


def test_alike_subnets_pack_well() -> None:
    """A sample that nearly all get right costs next to nothing: a file is written by samples, not by subnets."""
    easy = np.ones((4000, 200), bool)
    easy[:, :10] = RNG.random((4000, 10)) < 0.5
    file = dump_bits([CorrectBits(np.packbits(easy, axis=1), 200, "validation", "t")])
    assert len(file) < 4000 * 10 / 8 * 1.25


@pytest.mark.parametrize(
    ("n_subnets", "table"), [(49, "table"), (51, "table"), (50, "another")], ids=["fewer", "more", "foreign"]
)
def test_a_file_of_another_table_is_refused(n_subnets: int, table: str) -> None:
    _, bits = some()
    with pytest.raises(InvalidInput, match="another table"):
        parse_bits(dump_bits([bits]), n_subnets=n_subnets, table_sha256=table)


def test_a_damaged_file_is_one_sentence_wherever_it_is_damaged() -> None:
    _, bits = some()
    data = dump_bits([bits])
    intact = parse_bits(data, n_subnets=50, table_sha256="table")["validation"].bits
    refused = 0
    for place in range(0, len(data), 3):
        broken = bytearray(data)
        broken[place] ^= 0x5A
        try:
            found = parse_bits(bytes(broken), n_subnets=50, table_sha256="table")
        except InvalidInput:
            refused += 1
        else:  # a byte that nobody reads
            np.testing.assert_array_equal(found["validation"].bits, intact)
    assert refused > len(data) / 3 * 0.6
    for cut in (0, 1, 30, len(data) // 2, len(data) - 1):
        with pytest.raises(InvalidInput):
            parse_bits(data[:cut], n_subnets=50, table_sha256="table")


def test_other_archives_are_refused() -> None:
    plain = io.BytesIO()
    np.savez(plain, values=np.zeros(3))
    objects = io.BytesIO()
    np.savez(objects, about=np.array([{"a": 1}], dtype=object))
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("about.npy", b"nothing")
    for content in (plain, objects, empty):
        with pytest.raises(InvalidInput, match="Measure every subnet again"):
            parse_bits(content.getvalue(), n_subnets=50, table_sha256="table")


@pytest.mark.parametrize(
    ("bits", "n"),
    [
        (np.zeros((4, 2), np.uint8), 17),
        (np.zeros((4, 3), np.uint8), 16),
        (np.zeros((4, 2), np.int64), 16),
        (np.zeros(4, np.uint8), 8),
        (np.zeros((4, 0), np.uint8), 0),
        (np.ones((4, 2), np.uint8), 15),
    ],
    ids=[
        "too few bytes",
        "too many bytes",
        "no bytes",
        "one subnet",
        "no samples",
        "bits beyond the samples",
    ],
)
def test_bits_that_fit_no_samples_are_refused(bits: np.ndarray, n: int) -> None:
    with pytest.raises(InvalidInput):
        CorrectBits(bits, n, "validation")
