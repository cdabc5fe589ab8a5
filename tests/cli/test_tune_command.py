"""`tune` at a terminal: a line per network, what it comes to, and a file that is the tuned network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open

from core.library import supernets

pytestmark = pytest.mark.slow

Call = Callable[..., tuple[int, str, str]]


def test_a_pick_is_tuned_and_written(call: Call, tmp_path: Path) -> None:
    space = supernets.find(None, "digits-lesson").space
    arch, out = space.arch_id(space.smallest), tmp_path / "tuned.safetensors"
    status, said, told = call(
        *("tune", "digits-lesson", "--arch", arch, "--epochs", "1", "--seeds", "1", "--seed", "4"),
        *("--out", str(out), "--format", "safetensors"),
    )
    assert status == 0, told
    *lines, written = said.splitlines()
    assert written == str(out)
    nets = [json.loads(line) for line in lines]
    assert [(net["start"], net["seed"]) for net in nets] == [("tuned", 4), ("scratch", 4)]
    assert "as shared" in told
    assert "Tuning for 1 epoch changes test accuracy by" in told
    with safe_open(out, "pt") as file:
        assert any("weight" in name for name in file.keys())  # noqa: SIM118 - not a dictionary
    for arguments, words in (
        (("--arch", arch, "--epochs", "0"), "--epochs"),
        (("--arch", "zzzz"), "zzzz"),
    ):
        status, _, told = call("tune", "digits-lesson", *arguments)
        assert status in (1, 2)
        assert words in told
        assert told.count("\n") == 1
