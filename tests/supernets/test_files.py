"""Supernet files of earlier releases, whose choices said less, and files that say what is not so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from core.errors import InvalidInput
from core.library.supernets import from_bytes
from core.supernets import FAMILIES
from core.supernets.files import dump_supernet, load_supernet
from core.supernets.headers import KEY, described_space, peek_supernet

MEANING = ("kind", "unit", "ends")


def written(family: str, change: Callable[[list[dict[str, Any]]], None] = lambda space: None) -> bytes:
    """A file of a small supernet whose description of the space was changed."""
    torch.manual_seed(0)
    cls = FAMILIES.get(family)
    data = dump_supernet(cls(cls.example((1, 8, 8))), {"title": "small"})
    header = peek_supernet(data)
    change(header["space"])
    return save(load(data), metadata={KEY: json.dumps(header)})


def as_before(space: list[dict[str, Any]]) -> None:
    for choice in space:
        for field in MEANING:
            choice.pop(field, None)


@pytest.mark.parametrize("family", FAMILIES.names())
def test_files_from_before_choices_had_a_kind_are_read(family: str) -> None:
    net, _ = load_supernet(written(family, as_before))
    old, new = from_bytes(written(family, as_before), title="old"), from_bytes(written(family), title="new")
    assert old.space == new.space == net.space
    assert old.space.fingerprint == new.space.fingerprint
    assert old.space.ends == new.space.ends == net.space.ends
    assert old.reference == net.largest
    assert all(choice.kind for choice in net.space.choices)
    assert [c.kind for c in new.space.choices] == [c.kind for c in net.space.choices]


@pytest.mark.parametrize("family", FAMILIES.names())
@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "bits"), ("unit", "bananas"), ("ordinal", 3), ("options", [5, 6]), ("more", 1)],
)
def test_a_file_that_says_something_else_of_a_choice_is_refused(family: str, field: str, value: Any) -> None:
    def lie(space: list[dict[str, Any]]) -> None:
        space[1][field] = value

    with pytest.raises(InvalidInput, match="not the one its configuration builds"):
        load_supernet(written(family, lie))


def test_a_file_that_leaves_a_condition_out_is_refused() -> None:
    def forget(space: list[dict[str, Any]]) -> None:
        del next(c for c in space if "requires" in c)["requires"]

    with pytest.raises(InvalidInput, match="not the one its configuration builds"):
        load_supernet(written("elastic_cnn", forget))


@pytest.mark.parametrize("space", [[], [1, 2], [None] * 6, [{}] * 6])
def test_a_file_that_describes_no_space_is_refused(space: list[Any]) -> None:
    def replace(said: list[Any]) -> None:
        said[:] = space

    with pytest.raises(InvalidInput):
        load_supernet(written("nas_bench_201", replace))
    if space:
        with pytest.raises(InvalidInput):
            described_space(peek_supernet(written("nas_bench_201", replace)))
