"""Which samples were right, beside a table: shipped, measured, read, damaged; and what follows for a front."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.chance.bits import CorrectBits, dump_bits
from core.errors import InvalidInput
from core.library import chance, correct, supernets
from core.library.chance import FrontChance, Unknown, chance_or_why, compute_chance, known_chance
from core.library.chance_columns import chance_columns, interval_columns
from core.library.evaluate_subnet import evaluate_subnet
from core.library.fronts import front
from core.pareto import Constraint
from core.settings import ASSETS

PAIR = ("macs", "accuracy")
SHIPPED = ("digits-cnn", "fashion-cnn")


@pytest.fixture(scope="module")
def measured(digits_entry: Any) -> supernets.SupernetEntry:
    """The small supernet with bits that fit its table."""
    table = supernets.table(digits_entry)
    assert table is not None
    rng = np.random.default_rng(0)
    kept = []
    for name, split in (("accuracy", "validation"), ("test_accuracy", "test")):
        n = correct.samples_of(digits_entry, table, name, digits_entry.revision)
        assert n is not None
        difficulty = rng.random(n)
        right = np.zeros((len(table), n), bool)
        for row, share in enumerate(table[name]):
            right[row, np.argsort(difficulty + rng.random(n) * 0.2)[: round(share * n)]] = True
        kept.append(CorrectBits(np.packbits(right, axis=1), n, split, digits_entry.table_sha256))
    data = dump_bits(kept)
    return dataclasses.replace(digits_entry, read_bits=lambda: data)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_bits_are_what_the_table_says_for_every_subnet(name: str) -> None:
    entry = supernets.find(None, name)
    table, known = supernets.table(entry), correct.known_bits(entry)
    assert table is not None
    assert not known.sentence
    for split, column in (("validation", "accuracy"), ("test", "test_accuracy")):
        bits = known.by_split[split]
        assert bits.table_sha256 == entry.table_sha256
        assert (bits.correct() / bits.n_samples == table[column].to_numpy()).all()


def test_shipped_bits_are_what_an_evaluation_gives() -> None:
    entry = supernets.find(None, "digits-cnn")
    table, known = supernets.table(entry), correct.known_bits(entry)
    assert table is not None
    for row in (0, 4321, len(table) - 1):
        arch = entry.space.from_id(table["arch_id"].iloc[row])
        found = evaluate_subnet(entry, arch, ["accuracy", "test_accuracy"])
        for name, split in (("accuracy", "validation"), ("test_accuracy", "test")):
            assert found.right[name] == known.by_split[split].bits[row].tobytes()


def test_everything_shipped_stays_small() -> None:
    assert sum(path.stat().st_size for path in (ASSETS / "supernets").rglob("*")) < 5_000_000


@pytest.mark.slow
@pytest.mark.parametrize("name", [SHIPPED[0], pytest.param(SHIPPED[1], marks=pytest.mark.long)])
def test_what_is_shipped_of_chance_is_what_is_computed(name: str) -> None:
    entry = supernets.find(None, name)
    table = supernets.table(entry)
    assert table is not None
    shipped = known_chance(entry, entry.revision, PAIR)
    assert isinstance(shipped, FrontChance)
    anew = compute_chance(entry, table, ("accuracy", "macs"))
    assert shipped.members == anew.members == tuple(front(table, PAIR).members["arch_id"])
    assert shipped.steps == anew.steps
    assert shipped.cheaper == anew.cheaper
    for member in shipped.members:
        assert shipped.share[member] == pytest.approx(anew.share[member], abs=0.01)
        assert shipped.stays[member] == pytest.approx(anew.stays[member], abs=0.05)
        assert shipped.promises[member].value == pytest.approx(anew.promises[member].value, abs=0.002)
    assert shipped.shift == anew.shift


# --- reading ------------------------------------------------------------------------------------


def damaged(data: bytes) -> bytes:
    return data[: len(data) // 2]


def test_a_table_without_bits_a_damaged_and_a_foreign_file_are_a_sentence_each(
    measured: supernets.SupernetEntry, digits_entry: Any
) -> None:
    data = measured.read_bits()  # type: ignore[misc]
    foreign = dataclasses.replace(measured, table_sha256="another", read_bits=lambda: data)
    broken = dataclasses.replace(measured, table_sha256="table-b", read_bits=lambda: damaged(data))
    gone = dataclasses.replace(measured, table_sha256="table-c", read_bits=Path("/nowhere/at/all").read_bytes)
    for entry in (digits_entry, foreign, broken, gone):
        known = correct.known_bits(entry)
        assert not known.by_split
        assert known.sentence
        table = supernets.table(entry)
        why = chance_or_why(entry, table, entry.revision, PAIR)
        assert isinstance(why, Unknown)
        assert why.sentence == known.sentence
        ids = table["arch_id"].tolist()  # type: ignore[index]
        assert correct.paired_test(entry, ids[0], ids[1]) is None
        # Single accuracies have their interval all the same.
        assert np.isfinite(interval_columns(table, ["accuracy"])["accuracy_low"]).all()


def test_bits_that_are_not_the_tables_accuracies_are_not_taken(measured: supernets.SupernetEntry) -> None:
    bits = correct.known_bits(measured).by_split["validation"]
    other = bits.bits.copy()
    other[3, 0] ^= 0x80
    data = dump_bits([CorrectBits(other, bits.n_samples, "validation", measured.table_sha256)])
    wrong = dataclasses.replace(measured, sha256="other", read_bits=lambda: data)
    assert not correct.known_bits(wrong).by_split


def test_the_number_of_samples_is_known_without_bits(digits_entry: Any) -> None:
    table = supernets.table(digits_entry)
    assert table is not None
    assert correct.samples_of(digits_entry, table, "accuracy", "a") == 359
    # Of a few rows as well: the supernet's own table says it.
    assert correct.samples_of(digits_entry, table.iloc[:1], "accuracy", "b") == 359
    assert correct.samples_of(digits_entry, table, "macs", "a") is None
    assert correct.samples_of(digits_entry, table, "loss", "a") is None


# --- the front ----------------------------------------------------------------------------------


def test_what_is_said_of_a_front_fits_together(measured: supernets.SupernetEntry) -> None:
    table = supernets.table(measured)
    found = chance_or_why(measured, table, measured.revision, PAIR)
    assert isinstance(found, FrontChance)
    assert found.members == tuple(front(table, PAIR).members["arch_id"])  # type: ignore[arg-type]
    assert set(found.stays) == set(found.promises) == set(found.members)
    assert set(found.steps) <= set(found.members)
    assert found.steps[0] == found.members[0]
    costs = dict(zip(table["arch_id"], table["macs"], strict=True))  # type: ignore[index]
    for member, cheaper in found.cheaper.items():
        assert costs[cheaper.arch_id] < costs[member]
        test = correct.paired_test(measured, cheaper.arch_id, member)
        assert test is not None
        assert (test.difference, test.p) == (cheaper.difference, cheaper.p)
        assert test.p >= 0.05 or test.difference > 0
    assert FrontChance.decode(found.encode()) == found
    assert known_chance(measured, measured.revision, PAIR) is found
    assert known_chance(measured, measured.revision, PAIR[::-1]) is found


def test_a_limit_on_the_axes_changes_nothing_and_another_one_decides_who_competes(
    measured: supernets.SupernetEntry,
) -> None:
    table = supernets.table(measured)
    assert table is not None
    whole = chance_or_why(measured, table, "x", PAIR)
    cheap = Constraint("macs", upper=float(table["macs"].median()))
    assert chance_or_why(measured, table, "x", PAIR, [cheap]) is whole
    few = chance_or_why(
        measured, table, "x", PAIR, [Constraint("params", upper=float(table["params"].median()))]
    )
    assert isinstance(few, FrontChance)
    assert few is not whole
    left = table[table["params"] <= table["params"].median()]
    assert few.members == tuple(front(left, PAIR).members["arch_id"])


def test_fronts_without_an_accuracy_and_of_other_numbers_say_so(measured: supernets.SupernetEntry) -> None:
    table = supernets.table(measured)
    assert table is not None
    for pair in (("macs", "params"), ("macs", "test_accuracy"), ("macs", "loss")):
        assert isinstance(chance_or_why(measured, table, "y", pair), Unknown)
    other = table.assign(accuracy=table["accuracy"] - 1 / 359)
    why = chance_or_why(measured, other, "z", PAIR)
    assert isinstance(why, Unknown)
    assert why.sentence == chance.OTHER_NUMBERS


def test_columns_of_a_file(measured: supernets.SupernetEntry) -> None:
    table = supernets.table(measured)
    assert table is not None
    found = chance_columns(measured, table, ["accuracy", "macs"], ["test_accuracy"])
    assert list(found) == [
        "accuracy_low",
        "accuracy_high",
        "test_accuracy_low",
        "test_accuracy_high",
        "front_share",
    ]
    assert (
        (found["accuracy_low"] <= table["accuracy"]) & (table["accuracy"] <= found["accuracy_high"])
    ).all()
    known = compute_chance(measured, table, ("accuracy", "macs"))
    at = dict(zip(table["arch_id"], found["front_share"], strict=True))
    assert {i: at[i] for i in known.share} == known.share
    with pytest.raises(InvalidInput, match="accuracy"):
        chance_columns(measured, table, ["macs", "params"])
