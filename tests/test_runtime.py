"""Heavy imports: once, whoever asks, and again after a failure."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from core import runtime
from core.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was done, in a process that has not imported anything heavy yet, as far as `runtime` knows."""
    import torch

    done: list[object] = []
    monkeypatch.setattr(runtime, "_done", False)
    monkeypatch.setattr(runtime, "freeze", lambda: done.append("freeze"))
    monkeypatch.setattr(torch, "set_num_threads", lambda n: done.append(n))
    monkeypatch.setenv("PARETOSCOPE_THREADS", "3")
    return done


def test_many_threads_ask_and_it_is_done_once(counted: list[object]) -> None:
    gate = threading.Barrier(8)
    seen: list[bool] = []

    def ask() -> None:
        gate.wait()
        runtime.heavy_imports()
        seen.append(runtime.loaded())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counted == [3, "freeze"], "the threads as the environment says, then the collector"
    assert seen == [True] * 8, "whoever returns finds it done"


def test_a_failure_leaves_it_undone(counted: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_THREADS", "none")
    with pytest.raises(InvalidInput):
        runtime.heavy_imports()
    assert not runtime.loaded()
    monkeypatch.setenv("PARETOSCOPE_THREADS", "2")
    runtime.heavy_imports()
    assert (counted, runtime.loaded()) == ([2, "freeze"], True)


def test_in_the_background_it_keeps_no_process_alive(counted: list[object]) -> None:
    thread = runtime.heavy_imports_in_background()
    thread.join(30)
    assert thread.daemon
    assert counted == [3, "freeze"]


def test_frozen_objects_are_out_of_the_collectors_sight() -> None:
    before = gc.get_freeze_count()
    kept = [[index] for index in range(1000)]
    runtime.freeze()
    try:
        assert gc.get_freeze_count() >= before + len(kept)
    finally:
        gc.unfreeze()


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_hidden_in_a_hurry_is_collected_later() -> None:
    runtime.collect_later()
    assert not gc.isenabled()
    lost = weakref.ref(Ring())
    runtime.hide()
    try:
        assert gc.isenabled()
        gc.collect()
        assert lost() is not None, "nobody looks for garbage while a visitor waits"
        runtime.freeze()
        assert lost() is None
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.enable()


def test_asking_whether_it_is_loaded_loads_nothing() -> None:
    code = (
        "import sys, core.runtime as r; print(r.loaded(), 'torch' in sys.modules, 'streamlit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "False False False\n", done.stderr
