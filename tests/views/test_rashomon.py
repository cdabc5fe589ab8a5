"""Equally good subnets: the set from the table, the decisions from the nets themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from core.errors import InvalidInput
from core.evaluation.evaluator import predictions
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.tasks.base import evaluation_data
from core.views import rashomon as rashomon_view
from core.views.rashomon import decisions
from core.words import format_share


def table_of(entry: SupernetEntry) -> pd.DataFrame:
    table = supernets.table(entry)
    assert table is not None
    return table


def test_the_set_is_the_tables(digits_entry: SupernetEntry) -> None:
    table = table_of(digits_entry)
    best = table["accuracy"].max()
    found = rashomon_view.rashomon_view(digits_entry, 0.02)
    expected = set(table.loc[table["accuracy"] >= best - 0.02 - 1e-9, "arch_id"])
    assert set(found.member_ids) == expected
    assert (found.size, found.total, found.best_value) == (len(expected), len(table), best)
    indexed = table.set_index("arch_id")
    assert indexed.loc[found.best, "accuracy"] == best
    assert indexed.loc[found.best, "macs"] == table.loc[table["accuracy"] == best, "macs"].min()
    assert indexed.loc[found.cheapest, "macs"] == indexed.loc[list(found.member_ids), "macs"].min()
    assert found.member_ids[0] == found.drawn[0] == found.best


def test_no_tolerance_leaves_the_best_and_all_of_it_everything(digits_entry: SupernetEntry) -> None:
    table = table_of(digits_entry)
    ties = set(table.loc[table["accuracy"] == table["accuracy"].max(), "arch_id"])
    assert set(rashomon_view.rashomon_view(digits_entry, 0.0).member_ids) == ties
    assert rashomon_view.rashomon_view(digits_entry, 1.0).size == digits_entry.space.size


def test_importances_by_hand(digits_entry: SupernetEntry) -> None:
    space, table = digits_entry.space, table_of(digits_entry).set_index("arch_id")
    found = rashomon_view.rashomon_view(digits_entry, 0.05)
    assert found.importance.shape == (len(found.drawn), len(space))
    for m, arch_id in list(enumerate(found.drawn))[:5]:
        arch = space.from_id(arch_id)
        for c, choice in enumerate(space.choices):
            if not space.is_active(arch, choice.name) or len(choice.options) == 1:
                assert np.isnan(found.importance[m, c])
                continue
            others = [(*arch[:c], o, *arch[c + 1 :]) for o in range(len(choice.options)) if o != arch[c]]
            there = [table.loc[space.arch_id(space.canonical(a)), "accuracy"] for a in others]
            assert found.importance[m, c] == pytest.approx(table.loc[arch_id, "accuracy"] - np.mean(there))


def test_a_supernet_without_a_table_says_what_to_do(digits_entry: SupernetEntry) -> None:
    bare = dataclasses.replace(digits_entry, read_table=None, table_sha256="")
    with pytest.raises(InvalidInput, match="evaluate the whole space"):
        rashomon_view.rashomon_view(bare, 0.01)


@pytest.fixture(scope="module")
def shipped() -> SupernetEntry:
    return supernets.find(None, "digits-cnn")


def test_predictions_are_those_of_the_extracted_nets(shipped: SupernetEntry) -> None:
    supernet, dataset = supernets.load(shipped), supernets.dataset(shipped)
    rng = np.random.default_rng(0)
    ids = table_of(shipped)["arch_id"].to_numpy()[rng.integers(0, shipped.space.size, 6)]
    rows = np.array([shipped.space.from_id(i) for i in ids], np.uint8)
    data = evaluation_data(dataset, ("validation",))
    found = dict(predictions(supernet, rows, data, "validation"))
    assert set(found) == set(range(6))
    images = torch.from_numpy(dataset.validation.x)
    for at, row in enumerate(rows):
        arch = tuple(int(v) for v in row)
        net = supernet.extract(arch, supernet.calibrate(arch, torch.from_numpy(dataset.calibration.x)))
        with torch.no_grad():
            assert np.array_equal(found[at], net(images).argmax(1).numpy())
    with pytest.raises(InvalidInput, match="test split"):
        next(iter(predictions(supernet, rows, data, "test")))


@pytest.mark.slow
def test_ambiguity_is_that_of_the_members(shipped: SupernetEntry) -> None:
    view = rashomon_view.rashomon_view(shipped, 0.002)
    found = decisions(shipped, 0.002)
    assert found.voters == view.size
    supernet, dataset = supernets.load(shipped), supernets.dataset(shipped)
    images, calibration = (torch.from_numpy(p.x) for p in (dataset.validation, dataset.calibration))
    answers = []
    for arch_id in view.member_ids:
        arch = shipped.space.from_id(arch_id)
        with torch.no_grad():
            net = supernet.extract(arch, supernet.calibrate(arch, calibration))
            answers.append(net(images).argmax(1).numpy())
    against = np.stack(answers) != answers[0]
    assert np.array_equal(found.reference, answers[0])
    assert found.found.ambiguity == against.any(0).mean()
    assert found.found.discrepancy == against.mean(1).max()
    assert np.mean(answers[0] == dataset.validation.y) == pytest.approx(view.best_value)
    shares = found.found.contested[found.contested]
    assert (np.diff(shares) <= 0).all()


def test_a_large_set_is_sampled_with_its_seed(
    shipped: SupernetEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rashomon_view, "MOST_VOTERS", 7)
    monkeypatch.setattr(rashomon_view, "MOST_DOTS", 9)
    first, other = (rashomon_view.rashomon_view(shipped, 0.021, seed=s) for s in (5, 6))
    assert len(first.drawn) == 9
    assert first.size > 100
    assert first.drawn[0] == other.drawn[0] == first.best
    assert first.drawn != other.drawn
    found = decisions(shipped, 0.021, seed=5)
    assert found.voters == 7
    assert found.found.ambiguity <= 7 * found.found.discrepancy


@pytest.mark.slow
def test_contested_pictures_name_both_answers(shipped: SupernetEntry) -> None:
    found = decisions(shipped, 0.02)
    images, captions, wrong = found.pictures(5)
    assert images.shape[0] == len(captions) == len(wrong) == 5
    row = int(found.contested[0])
    assert wrong[0] == (found.reference[row] != found.dataset.validation.y[row])
    assert f"{format_share(found.found.contested[row])}" in captions[0]
