"""Once-for-all's own network, evaluated by its own code and by our family: the same logits."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = os.environ.get("PARETOSCOPE_OFA", "")
# Its own interpreter: their package wants stand-ins for torchvision, and warns.
CHECK = """
import sys
from pathlib import Path
sys.path[:0] = ["benchmarks", "."]
import torch
import ofa_comparison as comparison
from core.tasks.base import EvaluationData
net = comparison.their_network(comparison.import_ofa(Path(sys.argv[1]) if sys.argv[1] else None))
single = comparison.random_data()
ours = comparison.our_network(net)
rows = comparison.one_block_per_stage(ours.space)
assert len(rows) == 1024
for index in (0, 1023):
    difference, _ = comparison.agreement(ours, net, rows[index], single)
    assert difference < 3e-5, (index, difference)  # float32: rounding of both sides
net = net.double()
torch.set_default_dtype(torch.float64)
data = EvaluationData(single.inputs.double(), single.targets, single.calibration_rows, single.spans)
ours = ours.double()
for index in (0, 511, 1023):
    difference, same = comparison.agreement(ours, net, rows[index], data)
    assert difference < 1e-9 and same == 1.0, (index, difference, same)
"""


@pytest.mark.skipif(
    not FOLDER and importlib.util.find_spec("ofa") is None,
    reason="once-for-all is not installed, and PARETOSCOPE_OFA names no checkout of it",
)
def test_our_stages_compute_what_their_network_computes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK, FOLDER], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
