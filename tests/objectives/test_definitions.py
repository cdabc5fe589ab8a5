"""Measured objectives against their definitions, and what the registry promises about choosing and asking."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput, NotFound
from core.objectives.base import (
    OBJECTIVES,
    FromCosts,
    FromFiles,
    FromOutputs,
    FromProfile,
    all_names,
    choosable_names,
    is_for,
    method,
    names_of,
    objective,
    objectives,
    quick_names,
    require_choosable,
)
from core.objectives.extracted import FromNetworks, FromWeights
from core.tasks import TASKS

KINDS = (FromOutputs, FromCosts, FromFiles, FromProfile, FromNetworks, FromWeights)
SMALL = settings(max_examples=50, deadline=None)


@SMALL
@given(
    subnets=st.integers(1, 4),
    n=st.integers(1, 9),
    classes=st.integers(2, 5),
    seed=st.integers(0, 99),
    task=st.sampled_from(TASKS.names()),
)
def test_accuracy_and_loss_are_means_over_samples(
    subnets: int, n: int, classes: int, seed: int, task: str
) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = 3 * torch.randn(subnets, n, classes, generator=generator)
    targets = torch.randint(0, classes, (n,), generator=generator)
    for prefix in ("", "test_"):
        right = method(f"{prefix}accuracy", FromOutputs).values(outputs, targets, TASKS.create(task))
        loss = method(f"{prefix}loss", FromOutputs).values(outputs, targets, TASKS.create(task))
        assert right.dtype == loss.dtype == np.float64
        for s, logits in enumerate(outputs.double().numpy()):
            picked = logits[np.arange(n), targets.numpy()]
            assert right[s] == sum(logits.argmax(1) == targets.numpy()) / n
            assert loss[s] == pytest.approx(
                np.mean(np.log(np.exp(logits).sum(1)) - picked), rel=1e-5, abs=1e-6
            )


class Columns:
    """Costs of two stages of three architectures, the second stage missing in the last one."""

    def __len__(self) -> int:
        return 3

    def total(self, quantity: str) -> np.ndarray:
        return {"macs": np.array([5, 6, 7]), "params": np.array([1, 2, 3]), "bytes": np.array([9, 8, 7])}[
            quantity
        ]

    def stages(self) -> Iterator[Any]:
        for held in ([40, 80, 120], [60, 280, 0]):
            yield SimpleNamespace(
                counted=lambda quantity, held=held: {"held_bytes": np.array(held)}[quantity]
            )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("macs", [5, 6, 7]),
        ("params", [1, 2, 3]),
        ("size_bytes", [9, 8, 7]),
        ("activation_bytes", [60, 280, 120]),
    ],
)
def test_counted_ones_are_sums_over_stages(name: str, values: list[int]) -> None:
    assert method(name, FromCosts).counted(Columns()).tolist() == values


def test_each_is_obtained_in_one_way_and_asked_in_no_other() -> None:
    for name in all_names():
        ways = [kind for kind in KINDS if name in names_of(kind)]
        assert len(ways) == 1
        for kind in KINDS:
            if kind is ways[0]:
                assert isinstance(method(name, kind), kind)
            else:
                with pytest.raises(InvalidInput, match=f"{objective(name).label} is not obtained this way"):
                    method(name, kind)


def test_names_come_in_the_order_of_menus_or_as_they_were_given() -> None:
    places = [OBJECTIVES.get(name).place for name in all_names()]
    assert places == sorted(places)
    assert sorted(all_names()) == OBJECTIVES.names()
    assert names_of(FromCosts, ["params", "accuracy", "macs"]) == ["params", "macs"]
    assert choosable_names(["params", "test_loss", "accuracy", "unheard_of"]) == ["accuracy", "params"]
    slow = [*names_of(FromFiles), *names_of(FromProfile), *names_of(FromNetworks)]
    anywhere = [name for name in all_names() if name not in slow and is_for(name, "")]
    assert quick_names() == anywhere
    assert {"perplexity", "bits_per_byte"} <= {*quick_names("language")} - {*anywhere}
    assert [found.name for found in objectives(["macs", "accuracy"])] == ["macs", "accuracy"]


def test_what_test_data_say_steers_nothing() -> None:
    for name in all_names():
        if OBJECTIVES.get(name).split == "test":
            assert name not in choosable_names()
            with pytest.raises(
                InvalidInput, match="cannot steer a search: test data must stay unseen"
            ) as refusal:
                require_choosable(name)
            assert objective(name).label in str(refusal.value)
        else:
            assert require_choosable(name) == objective(name)
    for ask in (require_choosable, objective):
        with pytest.raises(NotFound, match="'accuracy'"):
            ask("acuracy")
