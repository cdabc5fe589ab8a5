"""Against once-for-all's own package, in its own environment: its checkpoints, its subnets, its counters.

`make test-peers` builds the environment and runs this; without it there is nothing to compare with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks import ofa_peers
from benchmarks.ofa_peers_worker import CALIBRATION
from core.library.loading import converted, understand
from core.supernets.base import Supernet
from core.supernets.files import load_supernet
from core.supernets.loaders.ofa_layout import plain_name
from core.supernets.loaders.once_for_all import LAYOUTS
from core.supernets.resnet_stages import BottleneckStage
from core.supernets.statistics import Statistics

SUBNETS = 50
TOLERANCE = 1e-4
NETS = (
    "ofa_mbv3_d234_e346_k357_w1.0",
    "ofa_mbv3_d234_e346_k357_w1.2",
    "ofa_proxyless_d234_e346_k357_w1.3",
    "ofa_resnet50",
)
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        ofa_peers.python() is None,
        reason="once-for-all's environment is not built: make test-peers builds it",
    ),
]


def options_of(net: Supernet, settings: Mapping[str, Sequence[int]], side: int) -> dict[str, Any]:
    """Their setting of a subnet as options of our choices."""
    if "w" in settings:
        return _of_resnet(net, settings, side)
    found: dict[str, Any] = {"resolution": side}
    for group, depth in enumerate(settings["d"], start=1):
        found[f"depth{group}"] = depth
        for block in range(1, 5):
            at = 4 * (group - 1) + block - 1
            if at < len(settings["ks"]):
                found[f"kernel{group}_{block}"] = settings["ks"][at]
                found[f"expand{group}_{block}"] = settings["e"][at]
    return found


def _of_resnet(net: Supernet, settings: Mapping[str, Sequence[Any]], side: int) -> dict[str, Any]:
    widths = net.config.width_multipliers  # type: ignore[attr-defined]
    names = ["stem_inner_width", "stem_width", *(f"width{g}" for g in range(1, 5))]
    found: dict[str, Any] = {"resolution": side, "stem_depth": int(settings["d"][0] == 2)}
    found |= {name: widths[w] for name, w in zip(names, settings["w"], strict=True)}
    found |= {f"depth{g}": base + settings["d"][g] for g, base in enumerate((2, 2, 4, 2), start=1)}
    blocks = [stage.place for stage in net.chain if isinstance(stage, BottleneckStage)]
    return found | {place.expand: e for place, e in zip(blocks, settings["e"], strict=True)}


def file_statistics(net: Supernet, path: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The file's own running statistics by our BatchNorm layers; no loader reads them."""
    state = {plain_name(n): t for n, t in torch.load(path, weights_only=True)["state_dict"].items()}
    layout = next(each for each in LAYOUTS if set(each.marks) <= set(state))
    found = {}
    for ours, theirs in layout.names(net).items():
        if theirs.endswith(".bn.weight"):
            norm = theirs.removesuffix("weight")
            found[ours.removesuffix(".weight")] = (state[f"{norm}running_mean"], state[f"{norm}running_var"])
    return found


class Sliced(Statistics):
    """Statistics of the largest network, of which every layer takes its first channels."""

    def __init__(self, whole: Mapping[str, tuple[torch.Tensor, torch.Tensor]], like: Statistics) -> None:
        super().__init__()
        for name, (mean, _) in like.items():
            self[name] = (whole[name][0][: len(mean)], whole[name][1][: len(mean)])


@pytest.mark.parametrize("name", NETS)
def test_subnets_are_theirs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    coarse = torch.rand(CALIBRATION + 3, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    images = F.interpolate(coarse, size=224, mode="bilinear", align_corners=False)
    np.save(tmp_path / "images.npy", images.numpy())
    ofa_peers.run(tmp_path, name, str(SUBNETS))
    checkpoint = tmp_path / f"{name}.pth"
    found = understand(checkpoint.name, checkpoint.read_bytes())
    net, _ = load_supernet(converted(found))
    whole = file_statistics(net, checkpoint)
    logits = np.load(tmp_path / "logits.npz")
    worst = {"before": 0.0, "after": 0.0}
    for at, row in enumerate(json.loads((tmp_path / "subnets.json").read_text())):
        arch = net.space.from_dict(options_of(net, row["settings"], row["side"]))
        costs = net.costs(arch)
        assert sum(cost.macs for cost in costs) == row["macs"]
        assert sum(cost.params for cost in costs) == row["params"]
        with torch.no_grad():
            calibrated = net.calibrate(arch, images[:CALIBRATION])
            for when, statistics in (("before", Sliced(whole, calibrated)), ("after", calibrated)):
                ours = net(images[CALIBRATION:], arch, statistics).numpy()
                theirs = logits[when][at]
                assert theirs.std() > 0.01, "an answer that says nothing compares nothing"
                difference = float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()))
                worst[when] = max(worst[when], difference)
    print(f"{name}: {SUBNETS} subnets, logits differ by {worst['before']:.1e} and {worst['after']:.1e}")
    assert max(worst.values()) < TOLERANCE
