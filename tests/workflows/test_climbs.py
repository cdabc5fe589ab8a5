"""How often a pruning request climbs on its way from the command to what a page shows of it.

A climb is a pair of modules, counted once however often they call: a module that calls one of a higher layer (a
callback, a hook), or long work that calls other long work. There a reader loses the thread: who is called is not
written where the call is, or what looks like a step down is one more thing of the same rank. Caches and registries
are looked through, as `functools` is: whoever asks them is the caller.

The count is ours: a dozen were tried on release 0.1 (commit 48cc833), for which a review had counted 18 in a way it
did not write down, and this one gives 18 there too; that is no confirmation. 15 of the 18 were calls among the 41
modules of `core/workflows`, of which nine are left. By calls to a higher layer alone, release 0.1 climbed three times
and the present code twice. The library's modules call each other 13 times, which is not counted here.
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
DOORS = {"cache", "registry"}
WORK = "workflows"
MOST = 5


def module_of(frame: FrameType | None) -> str:
    """Dotted name below `core` of the innermost engine code at or above a frame, doors left out; "" for none."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(CORE) and (name := path[len(CORE) : -3].replace("/", ".")) not in DOORS:
            # What a module does while it is imported is nobody's request.
            return "" if frame.f_code.co_name == "<module>" else name
        frame = frame.f_back
    return ""


def climbs(work: Callable[[], object]) -> set[tuple[str, str]]:
    """(caller, called) of every climb while some work is done."""
    found: set[tuple[str, str]] = set()

    def look(frame: FrameType, event: str, arg: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(CORE):
            callee, caller = module_of(frame), module_of(frame.f_back)
            if not caller or not callee or caller == callee:
                return
            room, other = (name.split(".")[0] for name in (caller, callee))
            if LEVEL[other] > LEVEL[room] or room == other == WORK:
                found.add((caller, callee))

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

    found = climbs(work)
    print(sorted(found))
    # Two that are meant: whoever calibrates and whoever trains calls back what it was handed.
    assert ("datasets.corruptions.calibrating", "library.severities") in found
    assert ("training.plain", "pruning.retraining") in found
    assert len(found) <= MOST, sorted(found)
