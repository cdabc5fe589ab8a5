"""The generated model.py: it runs without this project, and nothing but a subnet gets through."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import CoreError
from core.export.exporting import export_subnet
from core.export.python_source import PythonSource
from core.export.source_code import block_classes, rebuild, write_source
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.residual_block import ResidualBlock
from core.networks.blocks.stem import Stem
from core.networks.trees import leaves
from core.supernets import FAMILIES
from tests.export.subnets import subnet

pytestmark = pytest.mark.slow

families = pytest.mark.parametrize("family", FAMILIES.names())


@families
@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_run_in_a_fresh_interpreter_it_computes_the_same(family: str, index: int, tmp_path: Path) -> None:
    made = subnet(family, index)
    for name in ("python_source", "safetensors"):
        exported = export_subnet(made, name)
        (tmp_path / ("model." + exported.file_name.rsplit(".", 1)[1])).write_bytes(exported.data)
    inputs = made.probe(9)
    tensors = {str(place): leaf for place, leaf in enumerate(leaves(inputs))}
    save_file(tensors, tmp_path / "inputs.safetensors")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from model import load, build\n"
        "from safetensors.torch import load_file, save_file\n"
        f"leaves = load_file({str(tmp_path / 'inputs.safetensors')!r})\n"
        "inputs = tuple(leaves[str(i)] for i in range(len(leaves))) if len(leaves) > 1 else leaves['0']\n"
        "net = load()\n"
        f"save_file({{'logits': net(inputs)}}, {str(tmp_path / 'logits.safetensors')!r})\n"
        "assert not any(name.split('.')[0] == 'core' for name in sys.modules)\n"
    )
    # -I: neither this repository nor the current folder can be imported from.
    subprocess.run([sys.executable, "-I", "-W", "error", "-c", script], cwd=tmp_path, check=True, timeout=120)
    answer = load_file(tmp_path / "logits.safetensors")["logits"]
    torch.testing.assert_close(answer, made.net(inputs), rtol=1e-6, atol=1e-5)


@families
def test_it_passes_the_linter(family: str, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_bytes(export_subnet(subnet(family), "python_source").data)
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "E4,E7,E9,F,I,B,UP",
        str(path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout


@families
def test_only_the_blocks_in_use_are_pasted(family: str) -> None:
    tree = ast.parse(export_subnet(subnet(family), "python_source").data)
    pasted = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert pasted == {type(block).__name__ for block in subnet(family).net}
    doc = ast.get_docstring(tree)
    assert doc is not None
    assert subnet(family).data["licence"] in " ".join(doc.split())


def test_nested_sequences_are_written_and_rebuilt() -> None:
    net = nn.Sequential(nn.Sequential(Stem(1, 4, 3, 1), ResidualBlock(4, 6, 3, 2)), PoolingHead(6, 3))
    again = rebuild(write_source(net, "Nested."), block_classes(net))
    again.load_state_dict(net.state_dict())
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(again.eval()(images), net.eval()(images))


@pytest.mark.parametrize(
    "title", ['"""\nimport os\n"""', "\\", '"', "\x00\x1b[31m", "\ud800", "'''", "a\nb\rc\u2028d", "{0}%s"]
)
def test_a_title_stays_inside_the_docstring(title: str) -> None:
    source = export_subnet(replace(subnet("elastic_cnn"), supernet=title), "python_source").data.decode()
    names = {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert names == {"torch"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import torch\n", "import torch\nimport numpy\n"),
        ("import torch\n", "import torch\nfrom core.supernets import plain\n"),
        ("import torch\n", "import torch\nprint('hello')\n"),
        ("def load(", "def more(): pass\n\n\ndef load("),
        ("return net.eval()", "return net"),
        ("F.relu(y + ", "F.relu(y - "),
        ("kernel=5", "kernel=3"),
        ("kernel=5", "kernel=int(5)"),
        ("nn.Sequential(\n", "nn.Sequential(\n        1,\n"),
        ("PoolingHead(in_channels=16", "nn.Linear(in_channels=16"),
        ("def build", "def  (build"),
    ],
)
def test_changed_text_is_refused(old: str, new: str) -> None:
    made = subnet("elastic_cnn")
    source = export_subnet(made, "python_source").data.decode()
    assert old in source
    with pytest.raises(CoreError):
        PythonSource().run(source.replace(old, new, 1).encode(), made, made.probe(5))


def test_a_block_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(CoreError, match="Linear"):
        write_source(nn.Sequential(nn.Linear(2, 2)), "No arguments.")
    odd = PoolingHead(2, 2)
    odd.arguments = {"in_channels": object()}
    with pytest.raises(CoreError, match="in_channels"):
        write_source(nn.Sequential(odd), "Not a literal.")


def test_two_blocks_of_one_name_are_refused() -> None:
    other = type("PoolingHead", (PoolingHead,), {})
    with pytest.raises(CoreError, match="PoolingHead"):
        write_source(nn.Sequential(PoolingHead(2, 2), other(2, 2)), "Twice.")
