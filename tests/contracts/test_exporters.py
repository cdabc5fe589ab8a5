"""What every export format promises: equal bytes, equal answers, plain sentences, none of our code."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import CoreError, InvalidInput, NotFound
from core.export import EXPORTERS, file_name, writes
from core.export.base import Exporter
from core.export.checks import compare, verify
from core.export.exporting import export_subnet
from core.networks.chain import example_inputs
from core.supernets import FAMILIES
from tests.export.subnets import TITLE, digits, subnet, supernet

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
formats = pytest.mark.parametrize("name", EXPORTERS.names())
# Tracing a network of cells, or of many small layers, takes ten seconds.
_MANY_LAYERS = (
    "nas_bench_201",
    "nas_bench_macro",
    "nasnet_cells",
    "chain",
    "elastic_conv_vit",
    "elastic_tdnn",
)
SLOW = {("torch_export", name) for name in _MANY_LAYERS}
INFOS = {info.name: info for info in EXPORTERS.describe()}


def family_of(name: str) -> str:
    """A family whose subnets a format can hold."""
    return next(iter(INFOS[name].facts.get("families", "").split()), "elastic_cnn")


pairs = pytest.mark.parametrize(
    ("name", "family"),
    [
        pytest.param(name, family, marks=[pytest.mark.long] if (name, family) in SLOW else [])
        for name in EXPORTERS.names()
        for family in FAMILIES.names()
        if writes(INFOS[name], family)
    ],
)


def test_the_formats_are_there() -> None:
    assert set(EXPORTERS.names()) >= {"bundle", "safetensors", "onnx", "torch_export", "python_source"}


@formats
def test_describes_itself(name: str) -> None:
    cls = EXPORTERS.get(name)
    info = EXPORTERS.info(name)
    assert issubclass(cls, Exporter)
    assert info.label != name
    assert info.source
    assert info.summary
    assert re.fullmatch(r"[a-z0-9]+", cls.suffix)
    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", cls.media_type)


@pairs
def test_computes_the_same_for_any_batch_size(name: str, family: str) -> None:
    made = subnet(family)
    data = export_subnet(made, name).data
    exporter = EXPORTERS.create(name)
    for n in (1, 2, 7):
        generator = torch.Generator().manual_seed(n)
        inputs = example_inputs(made.net, made.input_shape, rows=n, generator=generator)
        truth = made.net(inputs)
        answer = exporter.run(data, made, inputs)
        assert (answer.shape[0], answer.shape[-1]) == (n, len(made.classes))
        assert answer.shape == truth.shape
        torch.testing.assert_close(answer, truth, rtol=0, atol=1e-4 * max(1.0, float(truth.abs().max())))


@pairs
def test_equal_subnets_give_equal_bytes(name: str, family: str) -> None:
    assert export_subnet(subnet(family), name).data == export_subnet(subnet(family), name).data


@formats
def test_the_bytes_do_not_name_this_machine(name: str) -> None:
    data = export_subnet(subnet(family_of(name)), name).data
    assert str(REPOSITORY).encode() not in data
    assert b"core.supernets" not in data


@formats
def test_another_subnet_is_not_verified(name: str) -> None:
    data = export_subnet(subnet(family_of(name), 0), name).data
    with pytest.raises(CoreError):
        verify(subnet(family_of(name), 1), data, name)


@pytest.mark.parametrize("name", [name for name in EXPORTERS.names() if name != "python_source"])
def test_changed_weights_are_not_verified(name: str) -> None:
    """Slightly other weights, which all formats but the bare code hold: only a comparison can tell."""
    made = subnet(family_of(name))
    data = export_subnet(made, name).data
    other = replace(made, net=_shifted(made.net))
    with pytest.raises(CoreError):
        verify(other, data, name)


@formats
def test_damage_is_found(name: str) -> None:
    made = subnet(family_of(name))
    data = export_subnet(made, name).data
    with pytest.raises(CoreError):
        verify(made, data[: len(data) // 2], name)


@formats
def test_unknown_settings_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        export_subnet(subnet(family_of(name)), name, colour="green")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(NotFound, match="onnx"):
        export_subnet(subnet("elastic_cnn"), "onxx")


def test_a_subnet_without_finite_outputs_is_not_exported() -> None:
    made = subnet("elastic_cnn")
    broken = replace(made, net=_shifted(made.net, by=float("inf")))
    for name in EXPORTERS.names():
        with pytest.raises(CoreError):
            export_subnet(broken, name)


@formats
def test_what_a_format_cannot_hold_is_refused_in_a_sentence(name: str) -> None:
    known = INFOS[name].facts.get("families", "").split()
    assert set(known) <= set(FAMILIES.names())
    if known:
        with pytest.raises(InvalidInput, match=r"^[^\n]+\.$"):
            export_subnet(subnet("elastic_cnn"), name)


@formats
def test_file_names_are_plain_ascii(name: str) -> None:
    exported = export_subnet(subnet(family_of(name)), name)
    suffix = re.escape(EXPORTERS.get(name).suffix)
    assert TITLE.split()[0] == "Digits"
    assert re.fullmatch(rf"paretoscope-digits-cnn-[a-z0-9-]+\.{suffix}", exported.file_name)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("digits-cnn", "paretoscope-digits-cnn-012.zip"),
        ("../../etc/passwd", "paretoscope-etc-passwd-012.zip"),
        ("数字", "paretoscope-012.zip"),
        ("a" * 500, f"paretoscope-{'a' * 60}-012.zip"),
    ],
)
def test_file_name(title: str, expected: str) -> None:
    assert file_name(title, "012", "zip") == expected


def test_compare_demands_equality_only_at_tolerance_zero() -> None:
    truth = torch.tensor([[1.0, 2.0]])
    close = truth + 1e-5
    compare(truth.clone(), truth, 0.0)
    compare(close, truth, 1e-4)
    for answer in (close, truth * float("nan"), truth[0], truth.double()):
        with pytest.raises(CoreError):
            compare(answer, truth, 0.0)


def test_listing_formats_loads_no_torch() -> None:
    code = (
        "import sys; from core.export import EXPORTERS; EXPORTERS.names(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, timeout=60)


def test_exporting_leaves_the_supernet_alone() -> None:
    before = {name: tensor.clone() for name, tensor in supernet("elastic_cnn").state_dict().items()}
    export_subnet(subnet("elastic_cnn"), "bundle")
    assert digits().input_shape == (1, 8, 8)
    for name, tensor in supernet("elastic_cnn").state_dict().items():
        assert torch.equal(tensor, before[name])


def _shifted(net: nn.Sequential, by: float = 1e-2) -> nn.Sequential:
    other = copy.deepcopy(net)
    with torch.no_grad():
        next(p for p in reversed(list(other.parameters()))).add_(by)
    return other


def test_exports_side_by_side_do_not_disturb_each_other() -> None:
    made = subnet("elastic_cnn")
    names = [name for name in EXPORTERS.names() if writes(INFOS[name], made.family)]
    alone = {name: export_subnet(made, name).data for name in names}
    with ThreadPoolExecutor(4) as pool:
        jobs = [(name, pool.submit(export_subnet, made, name)) for _ in range(3) for name in names]
        for name, job in jobs:
            assert job.result().data == alone[name]
