"""Checkpoints from strangers: nothing of them runs, nothing crashes, and the server's process stays small and quick.

Decoding is tried in batches, each in one confined process (see `checkpoint_batch`); the whole way an upload takes,
with a process of its own, is tried with fewer. Formats are those of tests/helpers/supernet_files.py: a loader that is
added there is part of it.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.confined import Limits, run_confined
from core.errors import InvalidInput
from core.library import loading
from core.supernets.loaders.state_dicts import read_state
from tests.helpers.memory import growth
from tests.helpers.ofa_checkpoints import saved
from tests.security.checkpoint_batch import Payload, formats, mutant, packed, plain, read
from tests.security.hostile_files import plain_sentence

MUTANTS = int(os.environ.get("PARETOSCOPE_HOSTILE_CHECKPOINTS", "20000"))
BATCH = 250
WHOLE_WAY = 30
"""Of each format."""
LIMITS = Limits(memory_bytes=4 * 2**30, cpu_seconds=900)


def judged(name: str, first: int, last: int, canary: Path) -> dict[str, Any]:
    request = {"format": name, "range": [first, last], "canary": str(canary)}
    found = run_confined("tests.security.checkpoint_batch", json.dumps(request).encode(), {}, limits=LIMITS)
    found["wrong"] = [f"{name} {each}" for each in found["wrong"]]
    assert not found["ran"], found["ran"]
    assert not canary.exists(), "something of a file ran"
    return found


@pytest.mark.slow
def test_a_batch_of_mutants_is_loaded_or_refused(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    found = judged("once_for_all", 0, 40, canary)
    assert found["outcomes"]["refused"] > 8, "the accidents must do damage"
    assert sum(found["outcomes"].values()) == 40
    assert not found["wrong"]


def test_the_payloads_are_live(tmp_path: Path) -> None:
    """The canary sings when one really is unpickled, in a process of its own."""
    canary = tmp_path / "canary"
    (tmp_path / "p").write_bytes(pickle.dumps(Payload(str(canary), 0)))
    code = f"import pickle; pickle.load(open({str(tmp_path / 'p')!r}, 'rb'))"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert canary.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_code_among_weights_is_named_as_such(legacy: bool, tmp_path: Path) -> None:
    for kind in range(6):
        content = {"state_dict": {"a": torch.ones(2), "b": Payload(str(tmp_path / "canary"), kind)}}
        with pytest.raises(InvalidInput, match="holds more than tensors") as refusal:
            read_state(saved(content, legacy=legacy))
        assert plain_sentence(str(refusal.value))
    assert not (tmp_path / "canary").exists()


def test_what_would_unpack_is_refused_by_its_list() -> None:
    bomb = packed(
        [("archive/data.pkl", b"\x80\x02}."), ("archive/data/0", bytes(2**24))], zipfile.ZIP_DEFLATED
    )
    assert len(bomb) < 2**16
    with pytest.raises(InvalidInput, match="not packed as torch does it"):
        read_state(bomb)


# --- campaigns -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_twenty_thousand_mutants(tmp_path: Path) -> None:
    """Every format gets its share; what a confined process cannot survive counts as a crash here."""
    canary, names = tmp_path / "canary", sorted(formats())
    each = -(-MUTANTS // len(names))
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in names}
    slowest, began = 0.0, time.monotonic()
    wrong: list[str] = []
    slowest_here = dict.fromkeys(names, 0.0)
    for name in names:
        for first in range(0, each, BATCH):
            found = judged(name, first, min(first + BATCH, each), canary)
            outcomes[name].update(found["outcomes"])
            wrong += found["wrong"]
            slowest = max(slowest, found["slowest"])
            slowest_here[name] = max(slowest_here[name], found["slowest"])
            print(
                f"{name} to {first + BATCH}: {dict(outcomes[name])}, {time.monotonic() - began:.0f} s",
                flush=True,
            )
    for name, counts in outcomes.items():
        print(f"{name}: {dict(counts)}")
        assert counts["refused"] > each // 20, "the accidents must do damage"
    assert wrong == []
    assert slowest_here["space in YAML"] < 2, "it is read in the server's own process"
    print(f"{each * len(names):,} in {time.monotonic() - began:.0f} s, slowest {slowest:.2f} s of CPU")


def large_ones(canary: Path) -> dict[str, bytes]:
    """Hostile files of many megabytes, or that ask for many."""
    zeros = torch.zeros(50_000_000)
    many = {f"blocks.{n}.conv1.conv.weight": torch.zeros(1) for n in range(30_000)}
    code = {"state_dict": {"a": zeros, "b": Payload(str(canary), 0)}}
    header = json.dumps({"w": {"dtype": "F32", "shape": [2**31 - 1, 4], "data_offsets": [0, 2**35]}}).encode()
    return {
        "zeros.pth": saved({"state_dict": {"a": zeros}}),
        "code.pth": saved(code),
        "old-code.pth": saved(code, legacy=True),
        "stretched.pth": saved({"a": torch.zeros(1).expand(2**31, 64)}),
        "many.pth": saved(many),
        "claims.safetensors": len(header).to_bytes(8, "little") + header + bytes(1000),
        "noise.pth": np.random.default_rng(0).bytes(200_000_000),
        "bomb.pth": packed([("a/data.pkl", b"\x80\x02}."), ("a/data/0", bytes(2**28))], zipfile.ZIP_DEFLATED),
    }


@pytest.mark.long
def test_the_servers_process_stays_small_and_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way of an upload: its own confined process; here only CPU and memory of this process count."""
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    canary, slowest = tmp_path / "canary", 0.0
    files = [(name, data) for name, data in large_ones(canary).items()]
    for name in sorted(formats()):
        given, sound = formats()[name]()
        files += [(given, mutant(sound, np.random.default_rng(at), str(canary))) for at in range(WHOLE_WAY)]
    largest = max(len(data) for _, data in files)
    said: list[str] = []
    with growth() as grown:
        for name, data in files:
            began = time.thread_time()
            try:
                if name.endswith(".yaml"):
                    read(name, data)
                else:
                    loading.understand(name, data)
            except InvalidInput as error:
                said.append(str(error))
            slowest = max(slowest, time.thread_time() - began)
    assert [text for text in said if not plain(text)] == []
    assert threading.active_count() < 50
    assert not canary.exists()
    print(
        f"{len(files)} files, {len(said)} refused; this process: {slowest:.2f} s of CPU, {grown() / 2**20:.0f} MB more"
    )
    assert slowest < 2
    assert grown() < 500 * 2**20, f"the largest file has {largest / 2**20:.0f} MB"
