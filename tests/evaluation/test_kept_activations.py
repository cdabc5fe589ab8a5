"""Outputs of prefixes kept between batches: the same bits, fewer computations, never more bytes than allowed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.device import device_of
from core.evaluation.evaluator import evaluate
from core.evaluation.kept_activations import KeptActivations
from core.evaluation.kept_bytes import KeptBytes
from core.evaluation.walking import outputs as _outputs
from core.networks.trees import leaves
from core.supernets import FAMILIES
from core.tasks.base import EvaluationData, evaluation_data
from tests.helpers.nets import disturb, random_dataset, small_cnn

NAMES = ("accuracy", "loss")
PLENTY = 1 << 30


@pytest.fixture(scope="module")
def net():
    return small_cnn()


@pytest.fixture(scope="module")
def data():
    return evaluation_data(random_dataset())


def batches(net, n=4, size=16, seed=0) -> list[np.ndarray]:
    rows = np.random.default_rng(seed).permutation(net.space.array())
    return [rows[i * size : (i + 1) * size] for i in range(n)]


def measured(net, rows, data, kept=None) -> dict[tuple[int, ...], bytes]:
    found = evaluate(net, rows, NAMES, data, kept)
    return {m.arch: np.array([m.values[n] for n in NAMES]).tobytes() + m.right["accuracy"] for m in found}


@pytest.mark.parametrize("limit", [0, 100_000, 400_000, PLENTY], ids=["none", "few", "some", "all"])
def test_gives_the_same_bits_and_stays_within_its_bytes(net, data, limit) -> None:
    kept = KeptActivations(limit)
    for rows in batches(net):
        alone = measured(net, rows, data)
        assert measured(net, rows, data, kept) == alone
        assert kept.used <= 0.9 * limit
        # What the tensors really hold, counted once per storage.
        stored = {
            leaf.untyped_storage().data_ptr(): leaf.untyped_storage().nbytes()
            for output in kept._outputs.values()
            for leaf in leaves(output)
        }
        assert sum(stored.values()) <= kept.used
    assert (kept.reused > 0) == (limit > 0)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES.names())
def test_every_family_gives_the_same_bits(family) -> None:
    for config in FAMILIES.get(family).examples():
        torch.manual_seed(0)
        net = disturb(FAMILIES.get(family)(config), seed=1)
        inputs = net.task.random_inputs(net.config, 40, torch.Generator().manual_seed(2))
        data = EvaluationData(inputs, torch.zeros(40, dtype=torch.int64), 16, {})
        rows = np.unique(net.space.sample_array(24, np.random.default_rng(3)), axis=0)
        kept = KeptActivations(PLENTY)
        with torch.inference_mode():
            alone = dict(_outputs(net, rows, data, device_of("cpu")))
            for part in np.array_split(np.random.default_rng(4).permutation(len(rows)), 4):
                for at, output in _outputs(net, rows[part], data, device_of("cpu"), kept):
                    assert all(map(torch.equal, leaves(output), leaves(alone[int(part[at])])))
        assert kept.reused


def test_what_is_kept_is_not_computed_again(net, data, monkeypatch) -> None:
    calls: list[int] = []
    for stage in net.stages:
        original = stage.branch
        monkeypatch.setattr(
            stage,
            "branch",
            lambda x, archs, c, original=original: calls.append(len(archs)) or original(x, archs, c),
        )
    kept, rows = KeptActivations(PLENTY), net.space.array()[::5][:40]
    list(evaluate(net, rows, NAMES, data, kept))
    first = sum(calls)
    calls.clear()
    list(evaluate(net, rows, NAMES, data, kept))
    # Last stages are not kept; everything before them is.
    assert sum(calls) <= len(rows)
    assert first > 2 * len(rows)
    calls.clear()
    list(evaluate(net, rows, NAMES, data))
    assert sum(calls) == first


def test_a_walk_that_is_closed_early_leaves_what_it_kept_usable(net, data) -> None:
    kept = KeptActivations(PLENTY)
    rows = batches(net)[0]
    steps = evaluate(net, rows, NAMES, data, kept)
    next(steps)
    steps.close()
    assert measured(net, rows, data, kept) == measured(net, rows, data)


def test_the_least_recently_used_goes_first_and_what_is_held_stays() -> None:
    kept = KeptBytes(100)
    assert [kept.touch(key, 40) for key in "ab"] == [[], []]
    assert kept.touch("a", 40) == []
    assert kept.touch("c", 40) == ["b"]
    assert kept.touch("d", 60, {"a"}) == ["c"]
    assert kept.touch("e", 70, {"a"}) == ["d", "e"]  # no room beside what is held
    assert ("a" in kept, kept.used, len(kept)) == (True, 40, 1)
    assert kept.touch("huge", 101) == ["huge"]
    assert kept.used == 40


def test_derived_weights_stay_until_they_are_too_many(net, data) -> None:
    few, plenty = KeptActivations(1000), KeptActivations(PLENTY)
    for rows in batches(net, 3):
        for kept in (few, plenty):
            assert measured(net, rows, data, kept) == measured(net, rows, data)
    assert plenty.context(1).cache
    assert not few.context(1).cache
