"""Lesson 3 says what the real file holds: cut out, exported, and read back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import load

from core.errors import InvalidInput
from core.export.exporting import export_subnet
from core.export.subnet import extract_subnet
from core.lessons.base import SUPERNET, Shown, controls_of
from core.lessons.slices import Slices
from core.library import supernets
from core.library.library import Library

LESSON = Slices()
ENTRY = supernets.find(None, SUPERNET)


def test_the_bytes_are_those_of_the_exported_file() -> None:
    evidence = LESSON.read(Library(), ENTRY, 0)
    net, data = supernets.load(ENTRY), supernets.dataset(ENTRY)
    for arch, said in (
        (ENTRY.space.from_id(evidence.subnet), evidence.bytes_asked),
        (ENTRY.space.largest, evidence.bytes_all),
    ):
        file = export_subnet(extract_subnet(net, arch, data, splits=()), "safetensors").data
        header = int.from_bytes(file[:8], "little")
        assert len(file) - 8 - header == said
        assert sum(tensor.nbytes for tensor in load(file).values()) == said


@pytest.mark.parametrize("inputs", [2, 8])
@pytest.mark.parametrize("kernel", [3, 5])
def test_what_is_bright_is_what_the_exported_layer_holds(inputs: int, kernel: int) -> None:
    evidence = LESSON.read(Library(), ENTRY, 0)
    given = {"inputs": str(inputs), "outputs": "4", "kernel": str(kernel)}
    chart = LESSON.figure(evidence, Shown(controls_of(LESSON, evidence, given)))
    values, active = np.array(chart.values), np.array(chart.active)
    space = ENTRY.space
    options = space.to_dict(space.largest) | dict(zip(evidence.choices, (inputs, 4, kernel), strict=True))
    subnet = extract_subnet(
        supernets.load(ENTRY), space.from_dict(options), supernets.dataset(ENTRY), splits=()
    )
    layer = next(t for t in subnet.net.state_dict().values() if tuple(t.shape) == (4, inputs, kernel, kernel))
    # Full kernels touch: one rectangle is in use, not one square per kernel.
    borders = np.count_nonzero(np.diff(np.r_[0, active.any(1), 0]))
    assert borders == (2 if kernel == 5 else 2 * inputs)
    cut = values[active & np.isfinite(values)].reshape(inputs, kernel, 4, kernel).transpose(2, 0, 1, 3)
    np.testing.assert_allclose(cut, layer.numpy(), atol=5.1e-4)


def test_a_supernet_that_computes_its_small_kernels_is_refused() -> None:
    transformed = {**ENTRY.header, "config": {**ENTRY.header["config"], "kernel_transform": True}}
    other = supernets.SupernetEntry("x", "x", "file", "0", transformed, ENTRY.read)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="computed from large ones"):
        LESSON.read(Library(), other, 0)
    foreign = supernets.SupernetEntry(
        "x", "x", "file", "0", {**ENTRY.header, "family": "elastic_vit"}, ENTRY.read
    )
    with pytest.raises(InvalidInput, match="choose an elastic CNN"):
        LESSON.read(Library(), foreign, 0)


def test_sizes_come_from_the_measured_table_and_are_counted_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bare = dataclasses.replace(ENTRY, read_table=None, costs=None, sha256="bare")
    counted = LESSON.read(Library(), bare, 0)
    monkeypatch.delattr(supernets, "counted")
    assert LESSON.read(Library(), ENTRY, 0) == counted
