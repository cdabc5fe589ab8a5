"""Folders from strangers: a sentence each, nothing of them runs, and the server's process stays small and quick.

Reading is tried in batches, each in one confined process (see `folder_batch`); the whole way of an upload, with a
process of its own, is tried with fewer.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections import Counter
from typing import Any

import numpy as np
import pytest

from core.confined import Limits, run_confined
from core.errors import InvalidInput
from core.library import folders
from core.supernets.folders.base import ARCHITECTURES
from tests.helpers.memory import growth
from tests.helpers.tiny_folders import FOLDERS, Files, bert, dumped, gpt2, zipped
from tests.security.checkpoint_batch import plain
from tests.security.folder_batch import hostile

HOSTILE = int(os.environ.get("PARETOSCOPE_HOSTILE_FOLDERS", "10000"))
BATCH = 250
WHOLE_WAY = 8
"""Of each architecture."""
LIMITS = Limits(memory_bytes=4 * 2**30, cpu_seconds=900)
MOST_SECONDS, MOST_BYTES = 2.0, 500 * 2**20


def judged(kind: str, first: int, last: int) -> dict[str, Any]:
    request = json.dumps({"kind": kind, "range": [first, last]}).encode()
    found = run_confined("tests.security.folder_batch", request, {}, limits=LIMITS)
    assert not found["ran"], found["ran"]
    assert sum(found["outcomes"].values()) + found["n_wrong"] == last - first
    return found


@pytest.mark.slow
def test_a_hundred_hostile_folders_are_read_or_refused() -> None:
    """Of one architecture; the others have their turn in the campaign."""
    found = judged("bert", 0, 100)
    assert not found["wrong"]
    assert found["outcomes"]["refused"] > 40, "the accidents must do damage"
    assert found["outcomes"]["loaded"] > 5, "some are harmless"
    assert found["slowest"] < MOST_SECONDS


def test_every_architecture_has_a_folder_here() -> None:
    assert set(FOLDERS) >= set(ARCHITECTURES.names())


# --- campaigns -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_ten_thousand_hostile_folders() -> None:
    kinds = ARCHITECTURES.names()
    each = -(-HOSTILE // len(kinds))
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    wrong: list[str] = []
    slowest, largest, began = 0.0, 0, time.monotonic()
    for kind in kinds:
        for first in range(0, each, BATCH):
            found = judged(kind, first, min(first + BATCH, each))
            outcomes[kind].update(found["outcomes"])
            wrong += [f"{kind} {one}" for one in found["wrong"]]
            slowest, largest = max(slowest, found["slowest"]), max(largest, found["grown"])
        print(f"{kind}: {dict(outcomes[kind])}, {time.monotonic() - began:.0f} s", flush=True)
    assert wrong == []
    for counts in outcomes.values():
        assert counts["refused"] > each // 3, "the accidents must do damage"
        assert not counts["too much memory"]
    print(
        f"{each * len(kinds):,} folders; slowest {slowest:.2f} s of CPU, a batch's process grew by "
        f"{largest / 2**20:.0f} MB at most"
    )
    assert slowest < MOST_SECONDS
    assert largest < MOST_BYTES


def large_ones() -> dict[str, bytes]:
    """Hostile folders of many megabytes, or that ask for many."""

    def packed(files: Files, packing: int = zipfile.ZIP_STORED) -> bytes:
        return zipped(files, packing=packing)

    lines = b"\n".join(b"t%d" % n for n in range(1_500_000))
    vocabulary = {f"t{n}": n for n in range(900_000)}
    config = json.loads(bert()["config.json"])
    wide = config | {
        "num_attention_heads": 32,
        "hidden_size": 2048,
        "num_hidden_layers": 48,
        "intermediate_size": 16_384,
        "vocab_size": 10**6,
    }
    claims = json.dumps({"w": {"dtype": "F32", "shape": [2**31 - 1, 4], "data_offsets": [0, 2**35]}}).encode()
    return {
        "huge vocab.txt": packed(bert() | {"vocab.txt": lines[: 2**23]}),
        "larger vocab.txt": packed(bert() | {"vocab.txt": lines}),
        "huge vocab.json": packed(gpt2() | {"vocab.json": json.dumps(vocabulary).encode()}),
        "huge tokenizer.json": packed(
            bert()
            | {"tokenizer.json": json.dumps({"model": {"type": "WordPiece", "vocab": vocabulary}}).encode()}
        ),
        "tokenizer.json of brackets": packed(bert() | {"tokenizer.json": b"[" * 30_000_000}),
        "tokenizer.json of empty objects": packed(
            bert() | {"tokenizer.json": b"[" + b"{}," * 10_000_000 + b"{}]"}
        ),
        "deep config": packed(bert() | {"config.json": b'{"a":' * 200_000}),
        "as large as is accepted": packed(bert() | {"config.json": dumped(wide)}),
        "header that claims 32 GB": packed(
            bert() | {"model.safetensors": len(claims).to_bytes(8, "little") + claims + bytes(1000)}
        ),
        "noise as weights": packed(
            bert() | {"model.safetensors": np.random.default_rng(0).bytes(200_000_000)}
        ),
        "bomb": packed(bert() | {"model.safetensors": bytes(200_000_000)}, zipfile.ZIP_DEFLATED),
        "many files": packed(bert() | {f"f{n}": b"" for n in range(60_000)}),
    }


@pytest.mark.long
def test_the_servers_process_stays_small_and_quick(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way of an upload: its own confined process; here only CPU and memory of this process count."""
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path_factory.mktemp("home")))
    files = list(large_ones().items())
    for kind in ARCHITECTURES.names():
        files += [(f"{kind} {n}", hostile(kind, np.random.default_rng(n))) for n in range(WHOLE_WAY)]
    said: dict[str, str] = {}
    slowest = longest = 0.0
    with growth() as grown:
        for name, data in files:
            for ask in (folders.understood, folders.load):
                began, clock = time.thread_time(), time.monotonic()
                try:
                    ask("x.zip", data)
                except InvalidInput as error:
                    said[name] = str(error)
                slowest = max(slowest, time.thread_time() - began)
                longest = max(longest, time.monotonic() - clock)
    for name in large_ones():
        print(f"{name}: {said.get(name, 'loaded')}")
    assert [text for text in said.values() if not plain(text)] == []
    assert set(large_ones()) <= set(said)
    print(
        f"{len(files)} folders, {len(said)} refused; this process: {slowest:.2f} s of CPU, {grown() / 2**20:.0f} MB more; "
        f"the longest took {longest:.1f} s in its own"
    )
    assert slowest < MOST_SECONDS
    assert grown() < MOST_BYTES
