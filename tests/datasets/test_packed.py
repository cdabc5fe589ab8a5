"""Data sets as bytes: everything comes back as it was, of every kind."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from core.datasets import load_dataset
from core.datasets.packed import arrived_dataset, dump_dataset, read_dataset
from core.tasks.base import task_of


def same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and one and isinstance(one[0], np.ndarray):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one)
        )
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("name", ["digits", "generated_graph", "tones", "licenses", "license_passages"])
def test_a_data_set_comes_back_as_it_was(name: str) -> None:
    dataset = load_dataset(name)
    data = dump_dataset(dataset)
    found = read_dataset(data)
    assert same(found, dataset)
    task = task_of(dataset)
    given: dict[str, Any] = {"batch_size": 16, "seed": 3, "epoch": 1, "augmentation": {}}
    ours, theirs = (next(iter(task.epoch(each, **given))) for each in (dataset, found))
    assert str(ours) == str(theirs)


def test_it_is_built_once_of_the_same_bytes() -> None:
    data = dump_dataset(load_dataset("digits"))
    assert arrived_dataset(data) is arrived_dataset(data)
    other = bytes(bytearray(data))
    assert arrived_dataset(other) is not arrived_dataset(data)
