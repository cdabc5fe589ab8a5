"""`insta-tune` at a terminal: a supernet out of a given network, and what its controls say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.supernets.files import dump_supernet, load_supernet
from tests.training.small import fresh_elastic_vit, fresh_net

pytestmark = pytest.mark.slow

Call = Callable[..., tuple[int, str, str]]
SMALL = {"limit_train": 96, "calibration": 64, "limit_validation": 100, "limit_test": 50}


@pytest.fixture
def given(tmp_path: Path) -> str:
    file = tmp_path / "given.safetensors"
    card = {"title": "Given", "data": {"name": "digits", "config": SMALL, "seed": 0}}
    file.write_bytes(dump_supernet(fresh_elastic_vit(), card))
    return str(file)


def test_a_given_network_becomes_a_supernet(call: Call, given: str, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    status, said, told = call("insta-tune", given, "--epochs", "1", "--out", str(out), "--n-random", "2")
    assert status == 0, told
    assert json.loads(said)["out"] == str(out)
    net, card = load_supernet(out)
    before, _ = load_supernet(Path(given))
    assert net.space == before.space
    assert card["training"]["strategy"] == "insta_tune"
    assert card["training"]["optimizer"] == "adamw"
    assert card["training"]["strategy_config"]["n_random"] == 2
    assert any(not torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True))


def test_controls_say_what_the_order_gained(call: Call, given: str, tmp_path: Path) -> None:
    csv = tmp_path / "controls.csv"
    status, said, told = call(
        *("insta-tune", given, "--epochs", "1", "--controls", "--seeds", "1", "--criterion", "l2_filters"),
        *("--csv", str(csv)),
    )
    assert status == 0, told
    lines = said.splitlines()
    assert lines[0].startswith("Without tuning, ordering by importance gained over a random order")
    assert any("over training alone as long" in line for line in lines)
    assert any(line.startswith("way: tuned, by importance; smallest") for line in lines)
    assert len(csv.read_text().splitlines()) == 1 + 15


def test_what_does_not_go_together_is_one_line(call: Call, given: str, tmp_path: Path) -> None:
    other = tmp_path / "cnn.safetensors"
    card = {"title": "CNN", "data": {"name": "digits", "config": SMALL, "seed": 0}}
    other.write_bytes(dump_supernet(fresh_net(), card))
    for arguments, words in (
        ((given, "--csv", "x.csv"), "--controls"),
        ((given, "--controls", "--out", "x"), "keeps no supernet"),
        ((given, "--criterion", "no_such"), "no_such"),
        ((str(other), "--controls"), "cannot change places"),
    ):
        status, _, told = call("insta-tune", *arguments)
        assert status in (1, 2)
        assert words in told.splitlines()[-1]
