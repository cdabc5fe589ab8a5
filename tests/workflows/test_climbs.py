"""How often a pruning request goes up a layer on its way from the command to its result.

Counted while a small request runs: the modules of the engine that call a module of a higher layer (callbacks,
plug-ins made by name, values made for a cache), each once. Going up is where a reader loses the thread: who is
called is not written where the call is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import core
from core.cli import driving
from core.views.pruning import pruning_view
from tests.helpers.pruning import SMALLEST
from tests.test_architecture import LEVEL

CORE = str(Path(core.__file__).parent) + "/"
MOST = 5


def module_of(frame: FrameType | None) -> str:
    """Dotted name below `core` of the innermost engine code at or above a frame; "" for none."""
    while frame is not None and not frame.f_code.co_filename.startswith(CORE):
        frame = frame.f_back
    return frame.f_code.co_filename[len(CORE) : -3].replace("/", ".") if frame else ""


def climbing(work: Callable[[], object]) -> set[str]:
    """The modules that call upwards while some work is done."""
    found: set[str] = set()

    def look(frame: FrameType, event: str, arg: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(CORE):
            callee, caller = module_of(frame), module_of(frame.f_back)
            if caller and LEVEL[callee.split(".")[0]] > LEVEL[caller.split(".")[0]]:
                found.add(caller)

    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.long
def test_a_pruning_request_climbs_at_most_five_times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    monkeypatch.delenv("PARETOSCOPE_WORKFLOWS", raising=False)
    methods = [{"name": name, "sparsities": [0.5]} for name in ("magnitude", "l1_filters")]
    params = {"model": SMALLEST, "methods": methods, "tuning_epochs": 1}

    def work() -> None:
        driving.run_workflow("prune_models", params, title="climbs")
        view = pruning_view(driving.open_store(), SMALLEST)
        assert view is not None
        assert len(view.pruned) == 2

    found = climbing(work)
    # The two doors that are made for it, which call what their caller handed in.
    assert {"cache", "registry"} <= found
    assert len(found) <= MOST, sorted(found)
