"""Weights in one file or in parts, in 32 or 16 bits; parts that do not fit together are refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save

from core.errors import InvalidInput
from core.supernets.folders import weights
from core.supernets.folders.folder import of_zip
from tests.helpers.tiny_folders import Files, bert, dumped, sharded, tensors_of, with_tensors, zipped

NAME = "bert.encoder.layer.0.output.dense.weight"
INDEX = "model.safetensors.index.json"


def stored(files: Files) -> dict[str, weights.Stored]:
    return weights.stored(of_zip("x.zip", zipped(files)))


def read(files: Files, names: list[str]) -> dict[str, torch.Tensor]:
    folder = of_zip("x.zip", zipped(files))
    return weights.read(folder, weights.stored(folder), names)


def test_parts_hold_what_one_file_holds() -> None:
    files = bert()
    tensors = tensors_of(files)
    for each in (files, sharded(files, 3)):
        found = read(each, list(tensors))
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert {entry.file for entry in stored(sharded(files, 3)).values()} == {
        f"model-0000{part}-of-00003.safetensors" for part in (1, 2, 3)
    }


def test_only_what_is_asked_for_is_read() -> None:
    assert list(read(bert(), [NAME])) == [NAME]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read_as_float32(dtype: torch.dtype) -> None:
    tensors = {name: tensor.to(dtype) for name, tensor in tensors_of(bert()).items()}
    found = read(with_tensors(bert(), tensors), [NAME])[NAME]
    assert found.dtype == torch.float32
    assert torch.equal(found, tensors[NAME].float())


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.bool, torch.int64])
def test_packed_weights_are_refused(dtype: torch.dtype) -> None:
    tensors = tensors_of(bert()) | {NAME: torch.ones(16, 24, dtype=dtype)}
    with pytest.raises(InvalidInput, match="quantized or packed weights are not read"):
        read(with_tensors(bert(), tensors), [NAME])


def test_weights_of_8_bits_are_named() -> None:
    tensors = tensors_of(bert()) | {NAME: torch.ones(16, 24).to(torch.float8_e4m3fn)}
    with pytest.raises(InvalidInput, match=r"has a number type that is not accepted \(F8_E4M3\)"):
        stored(with_tensors(bert(), tensors))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    tensors = tensors_of(bert())
    tensors[NAME][3, 2] = value
    with pytest.raises(InvalidInput, match="not finite"):
        read(with_tensors(bert(), tensors), [NAME])


def test_numbers_that_float32_does_not_have_are_refused() -> None:
    tensors = tensors_of(bert()) | {NAME: torch.full((16, 24), 1e300, dtype=torch.float64)}
    with pytest.raises(InvalidInput, match="holds numbers that float32 does not"):
        read(with_tensors(bert(), tensors), [NAME])


def test_a_missing_part_is_named() -> None:
    files = sharded(bert())
    del files["model-00002-of-00002.safetensors"]
    with pytest.raises(
        InvalidInput, match=r"missing: model-00002-of-00002\.safetensors, which .*index\.json names"
    ):
        stored(files)


def _listed(files: Files, **changed: object) -> Files:
    index = json.loads(files[INDEX])
    index["weight_map"] |= changed
    return files | {INDEX: dumped(index)}


@pytest.mark.parametrize("file", ["../x.safetensors", "/etc/passwd", "model.safetensors", "", 3, None, ["x"]])
def test_an_index_names_parts_alone(file: object) -> None:
    with pytest.raises(InvalidInput, match="names a file that is no part of a network"):
        stored(_listed(sharded(bert()), **{NAME: file}))


def test_an_index_and_its_parts_say_the_same() -> None:
    files = sharded(bert())
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    where = json.loads(files[INDEX])["weight_map"][NAME]
    other = second if where == first else first
    with pytest.raises(InvalidInput, match="does not say; copy the folder again"):
        stored(_listed(files, **{NAME: other}))
    with pytest.raises(InvalidInput, match=r"names nowhere\.weight, which is in none of its files"):
        stored(_listed(files, **{"nowhere.weight": first}))
    with pytest.raises(InvalidInput, match="does not say; copy the folder again"):
        stored(files | {first: save({"x": torch.ones(1)})})
    with pytest.raises(InvalidInput, match="lists no tensors"):
        stored(files | {INDEX: b'{"weight_map": {}}'})
    many = {f"t{n}": f"model-{n:05d}-of-00099.safetensors" for n in range(99)}
    with pytest.raises(InvalidInput, match="more than 64 parts"):
        stored(files | {INDEX: dumped({"weight_map": many})})


def test_one_whole_file_goes_before_parts() -> None:
    whole = bert()
    both = sharded(bert(seed=1)) | {"model.safetensors": whole["model.safetensors"]}
    assert torch.equal(read(both, [NAME])[NAME], tensors_of(whole)[NAME])
