"""The cluster on the Runs page: an app and a server of jobs on one Postgres, each with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.records import RunState
from core.store import RunStore
from core.store.signing import NOBODY
from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, ROOT, running_server
from tests.e2e.test_screens import AXE, LOOK, RUN_AXE, STILL
from tests.store.databases import open_store, postgres_url, reason_to_skip

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}"),
    pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip()),
]
N_JOBS = int(os.environ.get("PARETOSCOPE_TEST_SERVERS", "1"))
TRAINING = {
    "family": "elastic_cnn",
    "config": {"groups": [{"widths": [2, 4], "kernels": [3, 5]}, {"widths": [3, 6]}]},
    "data": {"name": "digits", "config": {"limit_train": 640}},
    "training": {"epochs": 2000},
}


@contextmanager
def servers_of_jobs(
    folder: Path, settings: dict[str, str], n: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    started = []
    try:
        for at in range(n):
            home = folder / f"jobs-{at}"
            home.mkdir()
            environment = {**os.environ, **settings, "PARETOSCOPE_HOME": str(home), "OMP_NUM_THREADS": "1"}
            with (home / "log").open("wb") as log:
                command = [sys.executable, "-m", "core", "work"]
                started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, RunStore]]:
    """Address of the app, and the store of all."""
    disk = folder / "disk"
    disk.mkdir()
    settings = {"PARETOSCOPE_DATABASE_URL": postgres_url(), "PARETOSCOPE_FILES_URL": f"file://{disk}"}
    (folder / "app").mkdir()
    open_store("postgres", folder / "mine").close()
    with ExitStack() as stack:
        store = stack.enter_context(
            RunStore(postgres_url(), folder / "mine", settings["PARETOSCOPE_FILES_URL"])
        )
        stack.enter_context(servers_of_jobs(folder, settings, N_JOBS))
        address = stack.enter_context(running_server(folder / "app", **settings))
        yield address, store


def until(what: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_servers_are_seen_drained_and_a_run_of_another_is_cancelled(tmp_path: Path) -> None:
    pictures = os.environ.get("PARETOSCOPE_TEST_PICTURES")
    with cluster(tmp_path) as (address, store), sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/runs")
        section = page.locator(".st-key-cluster")
        section.wait_for()
        until(lambda: len(store.servers.living()) == 1 + N_JOBS)
        page.locator(".st-key-cluster", has_text=f"{1 + N_JOBS} servers").wait_for()
        assert "file:///" in section.inner_text()
        # All but one take no new work: what is queued now goes to that one.
        app, *jobs = sorted(store.servers.living(), key=lambda each: each.does != "pages")
        for server in (app, *jobs[1:]):
            page.locator(f".st-key-cluster-drain-{server.owner_id} button").first.click()
            until(lambda server=server: store.servers.is_drained(_owner(server)))
        page.locator(".st-key-cluster", has_text="1 of them taking new work").wait_for()
        time.sleep(1.5)  # each looks once a second
        run_id = store.create_run("train_supernet", TRAINING, title="Of another server", owner=NOBODY)
        until(
            lambda: run_id in next(s.runs for s in store.servers.living() if s.owner_id == jobs[0].owner_id)
        )
        page.reload()
        page.locator(".st-key-cluster", has_text="Of another server").wait_for()
        found = [*_looked(chromium, address, pictures)]
        page.locator(f".st-key-cancel-{run_id} button").click()
        until(lambda: store.get_run(run_id).state is RunState.CANCELLED)
        chromium.close()
    assert found == []


def _owner(server: Any) -> Any:
    from core.store.signing import Owner

    return Owner(server.owner_id, server.host, server.pid, "")


def _looked(chromium: Any, address: str, pictures: str | None) -> Iterator[str]:
    """What is wrong with how it looks: light and dark, wide and narrow."""
    for theme, width in (("light", 1440), ("dark", 800)):
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/runs")
        page.locator(".st-key-cluster table").wait_for()
        page.wait_for_function(STILL)
        for _ in range(5):  # what is drawn anew every few seconds is pale for a moment
            page.wait_for_function(STILL)
            found = page.evaluate(LOOK)
            said = [
                f"{kind}: {each}"
                for kind in ("overflow", "targets", "tables", "icons")
                for each in found[kind]
            ]
            if AXE.exists():
                page.evaluate(AXE.read_text(encoding="utf-8"))
                said += page.evaluate(RUN_AXE)
            if not said:
                break
        yield from (f"{theme} {width}: {each}" for each in said)
        if pictures:
            page.locator(".st-key-cluster").scroll_into_view_if_needed()
            page.screenshot(path=Path(pictures) / f"cluster-{theme}-{width}.png")
        page.context.close()
