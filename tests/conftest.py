"""For all tests: one torch thread, as in every process of the app (results are equal bit for bit only then), no deadlines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from core.supernets.families import FAMILIES

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
os.environ["OMP_NUM_THREADS"] = "1"


SLOWEST = ("tests/e2e/", "tests/reliability/", "tests/test_one_file.py", "tests/cli/")
"""First, so that in the end no process waits for one long file of the other."""


SLOW = (
    "tests/e2e/",
    "tests/migration/",
    "tests/reliability/test_every_crash_point.py",
    "tests/reliability/test_real_runs.py",
    "tests/test_one_file.py",
    "tests/cli/test_class_serve.py",
    "tests/cli/test_compare_command.py",
    "tests/cli/test_convert_command.py",
    "tests/cli/test_large_spaces.py",
    "tests/cli/test_lesson_command.py",
    "tests/cli/test_prune_command.py",
    "tests/cli/test_robustness_command.py",
    "tests/cli/test_train_alone_command.py",
    "tests/cli/test_tune_command.py",
    "tests/contracts/test_exporters.py",
    "tests/contracts/test_plan.py::test_what_is_left",
    "tests/export/test_export_bundle.py",
    "tests/export/test_export_source.py",
    "tests/export/test_predict_series.py",
    "tests/jobs/test_manager.py",
    "tests/library/test_severities.py::test_severity_5",
    "tests/pages/test_pruning_page.py::test_the_table_shows_every_network",
    "tests/reliability/test_killed_searches.py",
    "tests/security/test_hostile_cards.py::test_a_field_of_the_wrong_kind",
    "tests/store/test_damage.py::test_flipped_bits",
    "tests/jobs/test_sandbox_jobs.py",
    "tests/jobs/test_servers.py",
    "tests/lessons/test_latency_and_macs.py::test_what_was_timed",
    "tests/lessons/test_predictors_and_proxies.py::test_scores_are_those",
    "tests/lessons/test_random_or_evolution.py::test_what_was_cut",
    "tests/lessons/test_ranking.py::test_what_was_cut",
    "tests/lessons/test_relaxed_search.py::test_a_mixture_of_one",
    "tests/lessons/test_relaxed_search.py::test_what_was_cut",
    "tests/lessons/test_recalibration.py::test_it_goes_on",
    "tests/lessons/test_sandwich.py::test_it_goes_on",
    "tests/lessons/test_what_survives.py::test_it_is_the_experiment",
    "tests/library/test_extract_pruned.py",
    "tests/library/test_ranking.py::test_it_is_the_training",
    "tests/networks/test_a_block_is_one_file.py",
    "tests/pages/test_alone_panel.py",
    "tests/pages/test_compare_tab.py",
    "tests/pages/test_isolation.py",
    "tests/pages/test_jobs_on_pages.py",
    "tests/pages/test_other_data.py",
    "tests/pages/test_own_sounds_form.py",
    "tests/pages/test_huge_space.py",
    "tests/pages/test_supernets_page.py",
    "tests/workflows/test_check_ranking.py::test_every_subnet_is_trained",
    "tests/workflows/test_check_ranking.py::test_it_is_the_training",
    "tests/workflows/test_keep_early.py::test_it_goes_on",
    "tests/workflows/test_keep_early.py::test_numbers_without",
    "tests/workflows/test_keep_early.py::test_a_diverged",
    "tests/workflows/test_keep_early.py::test_the_card_of_a_longer",
    "tests/supernets/test_few_shot.py::test_a_split_supernet_computes",
    "tests/workflows/test_map_models.py",
    "tests/workflows/test_tune_subnet.py::test_a_run_keeps",
    "tests/workflows/test_tune_subnet.py::test_without_a_teacher",
    "tests/training/test_block_wise.py::test_every_block_comes_closer_to_its_teacher",
)
"""Browsers, whole runs and whole downloads: half of all seconds in a tenth of the tests. `make test-slow` runs them."""
QUICK = ("tests/e2e/test_main_job.py::test_click_read_and_download",)
"""Of those what `make test` runs nevertheless: the one thing that must never break."""

OFTEN = {
    "elastic_cnn",
    "elastic_encoder",
    "elastic_gcn",
    "elastic_tdnn",
    "elastic_vit",
    "nas_bench_201",
    "ofa_mobilenet_v3",
}
PRODUCTS = (
    "tests/contracts/test_criteria.py",
    "tests/contracts/test_exporters.py",
    "tests/contracts/test_proxies.py",
    "tests/contracts/test_pruners.py",
    "tests/export/",
    "tests/geometry/",
    "tests/pruning/",
)
"""Where every method meets every family: families that are not in `OFTEN` do it in `make test-long`; what a family itself
promises (tests/contracts/test_families.py, its blocks, its units, its costs) is asked of all in `make test`."""


def _meets_a_rare_family(item: pytest.Item) -> bool:
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    values = {
        each
        for value in given
        for each in (value if isinstance(value, tuple) else (value,))
        if isinstance(each, str)
    }
    return bool(values & (set(FAMILIES.names()) - OFTEN))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(PRODUCTS) and _meets_a_rare_family(item):
            item.add_marker(pytest.mark.long)
        if item.nodeid.startswith(SLOW) and not item.nodeid.startswith(QUICK):
            item.add_marker(pytest.mark.slow)
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
