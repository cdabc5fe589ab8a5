"""A block costs one file: added to a copy of the source it is found, written, stored, loaded, matched, pruned, counted.

The copy differs from the repository by that one file. What is asked of the block there is its contract, run by
pytest as it runs here; and a block that describes itself wrongly does not pass it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

BOTTLENECK = '''"""A narrow detour beside a shortcut: made up for this test."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk, batch_norm


class Bottleneck(nn.Module):
    """Two 1x1 convolutions with BatchNorm between them, a gate per channel, and a shortcut."""

    def __init__(self, channels: int, narrow: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "narrow": narrow}
        self.squeeze = nn.Conv2d(channels, narrow, 1)
        self.norm = nn.BatchNorm2d(narrow)
        self.expand = nn.Conv2d(narrow, channels, 1, bias=False)
        self.gate = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate * self.expand(F.relu(self.norm(self.squeeze(x))))


@BLOCKS.register("bottleneck")
class BottleneckKind(BlockKind):
    """A narrow detour beside a shortcut."""

    label = "Bottleneck"
    source = "made up"
    module = Bottleneck
    arguments = {"channels": Count(), "narrow": Count()}
    sizes = {"channels": ("expand.weight", 0), "narrow": ("squeeze.weight", 0)}
    foldable = (("squeeze", "norm"),)
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 6, "kernel": 3, "stride": 1}),
            ("Bottleneck", {"channels": 6, "narrow": 4}),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: Bottleneck, walk: UnitWalk) -> None:
        width, narrow = block.expand.out_channels, block.expand.in_channels
        walk.reads("squeeze.weight", width)
        walk.inner(
            "narrow", narrow, made=["squeeze.weight"], scaled=["squeeze.bias", *batch_norm("norm")],
            read=["expand.weight"], shown="norm",
        )
        walk.makes("expand.weight", width)
        walk.scales(["gate"], width)
        walk.shows(width)

    def droppable(self, block: Bottleneck) -> bool:
        return True
'''
FAULTS = {
    "a gate that stays where it is": ('walk.scales(["gate"], width)', "pass"),
    "a norm that stays where it is": ('["squeeze.bias", *batch_norm("norm")]', '["squeeze.bias"]'),
    "a size that is not followed": (', "narrow": ("squeeze.weight", 0)}', "}"),
    "an argument without a bound": (', "narrow": Count()}', "}"),
    "a class that needs the project": (
        "        super().__init__()",
        "        super().__init__()\n        batch_norm('x')",
    ),
    "arguments that it was not built with": ('"narrow": narrow}', '"narrow": narrow + 1}'),
}


def named(source: str, name: str) -> str:
    """The same block under another name."""
    return source.replace("Bottleneck", name.capitalize()).replace("bottleneck", name)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The contract of blocks, run in a copy of the project for blocks that are one more file each."""
    copy = tmp_path_factory.mktemp("copy")
    for part in ("core", "tests/helpers"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tests" / "contracts").mkdir()
    for name in ("pyproject.toml", "tests/__init__.py", "tests/contracts/test_blocks.py"):
        shutil.copy(ROOT / name, copy / name)
    blocks = copy / "core" / "networks" / "blocks"
    (blocks / "bottleneck.py").write_text(BOTTLENECK, encoding="utf-8")
    for number, (old, new) in enumerate(FAULTS.values()):
        assert old in BOTTLENECK
        broken = named(BOTTLENECK.replace(old, new), f"broken{number}")
        (blocks / f"broken{number}.py").write_text(broken, encoding="utf-8")
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--tb=short", "-rfp", "-p", "no:cacheprovider"),
            *("tests/contracts/test_blocks.py", "-k", "bottleneck or broken or package"),
        ],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def outcomes(done: subprocess.CompletedProcess[str], name: str) -> dict[str, int]:
    lines = done.stdout.splitlines()
    mine = [line for line in lines if f"[{name}]" in line or f"-{name}]" in line or f"[{name}-" in line]
    found = {end: sum(line.startswith(end) for line in mine) for end in ("PASSED", "FAILED")}
    assert sum(found.values()) > 15, done.stdout[-4000:] + done.stderr[-2000:]
    return found


def test_a_new_block_is_one_file(done: subprocess.CompletedProcess[str]) -> None:
    assert outcomes(done, "bottleneck")["FAILED"] == 0, done.stdout[-4000:]
    assert "PASSED tests/contracts/test_blocks.py::test_every_module_of_the_package" in done.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_a_block_that_describes_itself_wrongly_does_not_pass(
    fault: str, done: subprocess.CompletedProcess[str]
) -> None:
    assert outcomes(done, f"broken{list(FAULTS).index(fault)}")["FAILED"] > 0
