"""Once-for-all's published specialized networks as architectures of our families, and their published MACs.

MACs are in the names of three of them ("flops-389M_top1-79.1"); top-1 and layers of all 50 are the authors' model zoo's.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from core.cli.costing import _priced, costs_csv
from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.spaces import Arch
from core.supernets.mobile import MobileSupernet
from core.supernets.ofa_net_configs import MobileBlock, architecture_of

TABLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "tables" / "ofa_specialized.parquet"
SPACES = ("ofa-mobilenet-v3", "ofa-mobilenet-v3-w1.2", "ofa-proxyless-w1.3")
KERNELS = (3, 3, 3, 5, 5, 3, 5, 5, 3, 5, 5, 3, 3, 3, 3, 7, 3)
EXPANDS = (1, 3, 3, 3, 6, 3, 4, 4, 3, 6, 4, 4, 4, 6, 6, 6, 3)
WIDTHS = (24, 32, 32, 48, 48, 48, 96, 96, 96, 136, 136, 136, 136, 192, 192, 192, 192)
SQUEEZE = {48, 136, 192}
"""Layers of flops-389M_top1-79.1_finetune-75, at 224 pixels."""


@pytest.fixture(scope="module")
def spaces() -> dict[str, tuple[MobileSupernet, CostTable]]:
    return {name: _priced(name) for name in SPACES}  # type: ignore[misc]


def blocks(kernels, expands, widths, squeeze) -> list[MobileBlock]:
    each = zip(kernels, expands, widths, squeeze, strict=True)
    return [MobileBlock(int(k), int(e), int(w), bool(s)) for k, e, w, s in each][1:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The authors' two files, as far as they are read."""
    listed = [
        {
            "name": "MobileInvertedResidualBlock",
            "mobile_inverted_conv": {
                "name": "MBInvertedConvLayer",
                "kernel_size": kernel,
                "expand_ratio": expand,
                "out_channels": width,
                "use_se": width in SQUEEZE,
            },
        }
        for kernel, expand, width in zip(KERNELS, EXPANDS, WIDTHS, strict=True)
    ]
    (tmp_path / "net.config").write_text(json.dumps({"name": "MobileNetV3", "blocks": listed}))
    (tmp_path / "run.config").write_text(json.dumps({"image_size": 224}))
    return tmp_path


def costed(space: str, arch: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(costs_csv(space, 0, 0, arch=arch).decode())))


def test_a_published_network_is_costed_from_its_folder_its_text_or_a_list(folder: Path) -> None:
    (row,) = costed("ofa-mobilenet-v3-w1.2", str(folder))
    assert round(int(row["macs"]) / 1e6) == 389
    assert json.loads(row["architecture"])["resolution"] == 224
    assert costed("ofa-mobilenet-v3-w1.2", row["architecture"]) == [row]
    listed = folder / "several.json"
    listed.write_text(json.dumps([json.loads(row["architecture"])] * 2))
    assert costed("ofa-mobilenet-v3-w1.2", str(listed)) == [row, row]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("run.config", "{}", "does not say the image_size"),
        ("run.config", "[1]", "holds no JSON object"),
        ("net.config", "{", "is no JSON"),
        ("net.config", '{"blocks": [{}, 3]}', "not a net.config"),
        ("several.json", "[]", "is empty"),
        ("several.json", "[3]", "JSON object of choice names"),
        ("several.json", "[" * 100_000, "not valid JSON"),
        ("several.json", "zz", "names no architecture"),
    ],
)
def test_what_is_no_architecture_is_refused_in_a_sentence(
    folder: Path, name: str, text: str, says: str
) -> None:
    (folder / name).write_text(text)
    with pytest.raises(InvalidInput, match=says):
        costs_csv("ofa-mobilenet-v3-w1.2", 0, 0, arch=str(folder / name if "json" in name else folder))


def test_a_network_of_another_width_is_not_of_this_space(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="Block 1 of this network has 32 channels"):
        costs_csv("ofa-mobilenet-v3", 0, 0, arch=str(folder))
    with pytest.raises(InvalidInput, match="mobile spaces only"):
        costs_csv("digits-cnn", 0, 0, arch=str(folder))


@pytest.mark.skipif(not TABLE.exists(), reason="the table of published networks is not here")
def test_all_published_networks_are_architectures_with_their_widths_and_macs(spaces) -> None:
    frame, counted = pd.read_parquet(TABLE), {}
    assert len(frame) == 50
    for row in frame.itertuples():
        told = {
            name: json.loads(getattr(row, name).lower().replace("none", "null"))
            for name in ("kernel", "expand", "out_channels", "use_se", "mid_channels")
        }
        listed = blocks(told["kernel"], told["expand"], told["out_channels"], told["use_se"])
        net, arch = _found(spaces, listed, int(row.image_size))
        hidden = [b.hidden[b.setting(arch)[1]] for b in net.blocks if b.key(arch) is not None]
        assert hidden == told["mid_channels"][1:], row.dir
        if row.device == "flops":
            counted[row.value] = sum(cost.macs for cost in net.costs(arch)) / 1e6
    assert {value: round(macs) for value, macs in counted.items()} == {389: 389, 482: 482, 595: 595}


def _found(spaces, listed: list[MobileBlock], resolution: int) -> tuple[MobileSupernet, Arch]:
    complaints = []
    for net, _ in spaces.values():
        try:
            return net, architecture_of(net, listed, resolution)
        except InvalidInput as error:
            complaints.append(str(error))
    raise AssertionError(complaints)
