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
    "tests/cli/test_class_serve.py",
    "tests/cli/test_commands.py::test_check_and_doctor",
    "tests/cli/test_commands.py::test_trains_keeps_the_run",
    "tests/cli/test_compare_command.py",
    "tests/cli/test_convert_command.py",
    "tests/cli/test_device_command.py::test_it_says",
    "tests/cli/test_insta_tune_command.py",
    "tests/cli/test_large_spaces.py",
    "tests/cli/test_language_out.py",
    "tests/cli/test_lesson_command.py",
    "tests/cli/test_load_supernet.py::test_a_folder_is_tuned",
    "tests/cli/test_prune_command.py",
    "tests/cli/test_reports.py::test_the_page_and_the_command_line",
    "tests/cli/test_robustness_command.py",
    "tests/cli/test_torchrun.py::test_forty",
    "tests/cli/test_train_alone_command.py",
    "tests/cli/test_tune_command.py",
    "tests/cli/test_work_command.py",
    "tests/contracts/test_algorithms.py::test_an_adaptive_algorithm_goes",
    "tests/contracts/test_executors.py::TestProcesses::test_one_thread",
    "tests/contracts/test_executors.py::TestProcesses::test_what_is_lost_again",
    "tests/contracts/test_devices.py::test_one_subnet",
    "tests/contracts/test_exporters.py",
    "tests/contracts/test_lessons.py::test_it_is_short_and_every_branch",
    "tests/contracts/test_plan.py::test_what_is_left",
    "tests/evaluation/latency/test_model.py::test_what_two_options_do",
    "tests/evaluation/test_spread_walk.py::test_processes",
    "tests/export/test_export_bundle.py",
    "tests/export/test_export_source.py",
    "tests/export/test_export_subnet.py::test_odd_sizes_and_colours",
    "tests/export/test_predict_series.py",
    "tests/export/test_texts_outside.py",
    "tests/export/test_two_hundred_subnets.py::test_in_place_extracted",
    "tests/jobs/test_database_restart.py",
    "tests/jobs/test_forecast.py::test_a_trial_that_fails",
    "tests/jobs/test_graceful_stop.py",
    "tests/jobs/test_manager.py",
    "tests/jobs/test_sandbox_jobs.py",
    "tests/jobs/test_servers.py",
    "tests/jobs/test_watching.py",
    "tests/library/test_parts.py::test_a_finished",
    "tests/library/test_parts.py::test_a_run_is_taken_up_where_each_of_its_parts_stood[cancelled-in",
    "tests/library/test_parts.py::test_a_run_is_taken_up_where_each_of_its_parts_stood[killed-in",
    "tests/lessons/test_latency_and_macs.py::test_what_was_timed",
    "tests/lessons/test_predictors_and_proxies.py::test_scores_are_those",
    "tests/lessons/test_random_or_evolution.py::test_what_was_cut",
    "tests/lessons/test_ranking.py::test_what_was_cut",
    "tests/lessons/test_recalibration.py::test_it_goes_on",
    "tests/lessons/test_relaxed_search.py::test_a_mixture_of_one",
    "tests/lessons/test_relaxed_search.py::test_what_was_cut",
    "tests/lessons/test_sandwich.py::test_it_goes_on",
    "tests/lessons/test_what_survives.py::test_it_is_the_experiment",
    "tests/library/test_extract_pruned.py",
    "tests/library/test_matrices.py::test_who_cannot_be_compared",
    "tests/library/test_ranking.py::test_it_is_the_training",
    "tests/library/test_severities.py::test_calibration_carries_over",
    "tests/library/test_severities.py::test_severity_5",
    "tests/migration/",
    "tests/networks/test_a_block_is_one_file.py",
    "tests/networks/test_units.py::test_each_group_alone",
    "tests/oracles/test_nas_bench_201.py::test_closed_form",
    "tests/pages/test_alone_panel.py",
    "tests/pages/test_compare_tab.py",
    "tests/pages/test_generation.py",
    "tests/pages/test_guessing_panels.py::test_proxies_stand",
    "tests/pages/test_huge_space.py",
    "tests/pages/test_insta_tuning.py::test_what_came_out",
    "tests/pages/test_isolation.py",
    "tests/pages/test_jobs_on_pages.py",
    "tests/pages/test_networks_for_texts.py::test_pruned",
    "tests/pages/test_other_data.py",
    "tests/pages/test_own_sounds_form.py",
    "tests/pages/test_pruning_page.py::test_the_table_shows_every_network",
    "tests/pages/test_roles.py::test_who_looks_changes_nothing_on_pages",
    "tests/pages/test_roles.py::test_what_was_pressed",
    "tests/pages/test_roles.py::test_who_runs_changes_nothing",
    "tests/pages/test_pruning_page.py::test_what_is_in_the_table",
    "tests/pages/test_supernets_page.py",
    "tests/pareto/test_dominance.py::test_large_tables",
    "tests/pruning/test_supermasks.py::test_edge_popup_learns",
    "tests/reliability/test_every_crash_point.py",
    "tests/reliability/test_killed_searches.py",
    "tests/reliability/test_kills.py::test_a_few_kills",
    "tests/reliability/test_many_servers.py::test_a_few",
    "tests/reliability/test_real_runs.py",
    "tests/search/test_with_a_supernet.py::test_two_processes_give",
    "tests/security/test_hostile_cards.py::test_a_field_of_the_wrong_kind",
    "tests/security/test_hostile_cards.py::test_mutated_cards",
    "tests/security/test_hostile_checkpoints.py::test_a_batch_of_mutants",
    "tests/security/test_mutated_tables.py::test_two_hundred",
    "tests/security/test_upload_campaign.py::test_hostile_uploads_cost",
    "tests/store/test_damage.py::test_flipped_bits",
    "tests/store/test_database_away.py",
    "tests/store/test_full_disk.py::test_every_call_may_fail",
    "tests/supernets/test_few_shot.py::test_a_split_supernet_computes",
    "tests/test_one_file.py",
    "tests/training/test_alone.py::test_it_learns",
    "tests/training/test_auto_distil.py::test_heads_learn",
    "tests/training/test_insta_tune.py::test_the_smallest_learns",
    "tests/training/test_block_wise.py::test_every_block_comes_closer_to_its_teacher",
    "tests/training/test_loop.py::test_resuming_gives_the_same_bits",
    "tests/views/test_rashomon.py::test_ambiguity",
    "tests/views/test_shared_or_alone.py::test_the_answer_covers",
    "tests/workflows/test_in_processes.py",
    "tests/workflows/test_check_ranking.py::test_every_subnet_is_trained",
    "tests/workflows/test_check_ranking.py::test_it_is_the_training",
    "tests/workflows/test_connect_models.py::test_a_run_that_was_cut",
    "tests/workflows/test_control_insta_tune.py",
    "tests/workflows/test_keep_early.py::test_a_diverged",
    "tests/workflows/test_keep_early.py::test_it_goes_on",
    "tests/workflows/test_keep_early.py::test_numbers_without",
    "tests/workflows/test_keep_early.py::test_the_card_of_a_longer",
    "tests/workflows/test_map_models.py",
    "tests/workflows/test_tune_subnet.py::test_a_run_keeps",
    "tests/workflows/test_tune_subnet.py::test_without_a_teacher",
    "tests/tasks/test_language.py::test_several_processes",
    "tests/cli/test_own_data.py::test_files_of_texts",
    "tests/cli/test_own_data.py::test_settings_of_texts",
    "tests/library/test_kept_tokenizer.py::test_its_data_are_found",
)
"""Browsers, whole runs and whole downloads: half of all seconds in a tenth of the tests. `make test-slow` runs them."""
QUICK = ("tests/e2e/test_main_job.py::test_click_read_and_download",)
"""Of those what `make test` runs nevertheless: the one thing that must never break."""

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
    "tests/contracts/test_executors.py::TestProcesses::test_one_thread",
    "tests/contracts/test_executors.py::TestProcesses::test_what_is_lost_again",
    "tests/contracts/test_exporters.py",
    "tests/contracts/test_proxies.py",
    "tests/contracts/test_pruners.py",
    "tests/export/",
    "tests/geometry/",
    "tests/pruning/",
)
"""Where every method meets every family: families that are not in `OFTEN` do it in `make test-long`; of what is slow, all that
are not in `ALWAYS`."""
FAMILIES_SUITE = "tests/contracts/test_families.py"
"""What a family itself promises is asked of those in `OFTEN` in each run, of all in `make test-slow`; its blocks, its units
and its costs are asked of all in each run."""


def _meets_a_rare_family(item: pytest.Item, known: set[str] = OFTEN) -> bool:
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    values = {
        each
        for value in given
        for each in (value if isinstance(value, tuple) else (value,))
        if isinstance(each, str)
    }
    return bool(values & (set(FAMILIES.names()) - known))


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
