"""For all tests: one torch thread, as in every process of the app (results are equal bit for bit only then), no deadlines."""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from core.supernets.families import FAMILIES

SEED = int(os.environ.get("PARETOSCOPE_TEST_SEED", "0"))
"""Another one is another draw for all that tests leave to chance; `make test-long` takes one of the day."""
# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None, derandomize=not SEED)
settings.load_profile("any machine")
os.environ["OMP_NUM_THREADS"] = "1"


SLOWEST = ("tests/e2e/", "tests/reliability/", "tests/test_one_file.py", "tests/cli/")
"""First, so that in the end no process waits for one long file of the other."""


SLOW = (
    "tests/e2e/",
    "tests/contracts/test_executors.py::TestProcesses::test_one_thread",
    "tests/contracts/test_executors.py::TestProcesses::test_what_is_lost_again",
    "tests/migration/",
)
"""Of what is slow, whole folders and what a contract's classes inherit; the rest is marked where it stands: browsers, whole
runs, whole downloads, and whatever else takes more than a second. `make test-slow` runs them."""
QUICK = ("tests/e2e/test_main_job.py::test_click_read_and_download",)
"""Of those what `make test` runs nevertheless: the one thing that must never break."""

NEVER_QUICK = ("tests/cluster/test_", "tests/e2e/test_", "tests/migration/test_", "tests/peers/test_")
WHOLE = "\npytestmark = pytest.mark.slow\n"

OFTEN = {
    "elastic_bert",
    "elastic_cnn",
    "elastic_decoder",
    "elastic_encoder",
    "elastic_gcn",
    "elastic_tdnn",
    "elastic_vit",
    "nas_bench_201",
    "ofa_mobilenet_v3",
}
ALWAYS = {"elastic_bert", "elastic_cnn", "elastic_decoder", "elastic_encoder", "nas_bench_201"}
PRODUCTS = (
    "tests/contracts/test_criteria.py",
    "tests/contracts/test_devices.py",
    "tests/contracts/test_executors.py::TestProcesses::test_one_thread",
    "tests/contracts/test_executors.py::TestProcesses::test_what_is_lost_again",
    "tests/contracts/test_exporters.py",
    "tests/contracts/test_proxies.py",
    "tests/contracts/test_pruners.py",
    "tests/evaluation/",
    "tests/export/",
    "tests/geometry/",
    "tests/networks/",
    "tests/objectives/",
    "tests/pruning/",
)
"""Where every method meets every family: families that are not in `OFTEN` do it in `make test-long`; of what is slow, all that
are not in `ALWAYS`."""
FAMILIES_SUITE = "tests/contracts/test_families.py"
"""What a family itself promises is asked of those in `OFTEN` in each run, of all in `make test-slow`; its blocks, its units
and its costs are asked of all in each run."""
HALF = os.environ.get("PARETOSCOPE_TEST_HALF", "")
"""Where this is set, half of the files of `make test-slow` are left out, others for each value: .ci/run has no time for all."""
SLOW_FILES = (FAMILIES_SUITE, *(each.partition("::")[0] for each in SLOW))
"""Where tests are slow though no line there says so."""


def _meets_a_rare_family(item: pytest.Item, known: set[str] = OFTEN) -> bool:
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    values = {
        each
        for value in given
        for each in (value if isinstance(value, tuple) else (value,))
        if isinstance(each, str)
    }
    return bool(values & (set(FAMILIES.names()) - known))


def pytest_report_header() -> str:
    return f"PARETOSCOPE_TEST_SEED={SEED}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files that have none of the tests that are asked for are not even read: reading all takes as long as a thousand quick tests."""
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    asked, text = config.option.markexpr, collection_path.read_text(encoding="utf-8")
    name = collection_path.relative_to(config.rootpath).as_posix()
    if "not slow" in asked:
        never = name.startswith(NEVER_QUICK) and not any(each.startswith(f"{name}::") for each in QUICK)
        return never or WHOLE in text or None
    if asked.startswith("slow "):
        another_day = HALF and zlib.crc32(f"{HALF} {name}".encode()) % 2
        return bool(another_day) or not ("slow" in text or name.startswith(SLOW_FILES)) or None
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Whatever a test leaves to chance is the same in every run: torch starts with another seed each time."""
    import torch

    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/cluster/"):
            item.add_marker(pytest.mark.cluster)
        if item.nodeid.startswith(PRODUCTS) and _meets_a_rare_family(item):
            item.add_marker(pytest.mark.long)
        if item.nodeid.startswith(FAMILIES_SUITE) and _meets_a_rare_family(item):
            item.add_marker(pytest.mark.slow)
        if item.nodeid.startswith(SLOW) and not item.nodeid.startswith(QUICK):
            item.add_marker(pytest.mark.slow)
        slow = item.get_closest_marker("slow") is not None
        if slow and item.nodeid.startswith(PRODUCTS) and _meets_a_rare_family(item, ALWAYS):
            item.add_marker(pytest.mark.long)
    items.sort(key=lambda item: not item.nodeid.startswith(SLOWEST))


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploaded supernets are checked in this process: a confined one takes seconds to load torch."""
    from core.supernets.loaders import worker

    def here(module: str, data: bytes, options: Any, package: Path, limits: Any) -> Any:
        package.parent.mkdir(parents=True, exist_ok=True)
        return worker.work(data, options, package)

    monkeypatch.setattr(
        "core.library.loading.run_confined",
        here,
    )


@pytest.fixture(scope="session")
def digits_entry() -> Any:
    """A small supernet of digits with its complete table, as a library entry."""
    from tests.helpers.small_entry import small_entry

    return small_entry()
