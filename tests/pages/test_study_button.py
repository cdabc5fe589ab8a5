"""The files for Optuna on the Search page: offered once something was measured."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.records import Measurement, RunState
from pages.ui import resources

PARAMS = {"supernet": "digits-cnn", "algorithm": "nsga2", "config": {}, "objectives": ["accuracy", "macs"]}


def button_app(run_id: str) -> AppTest:
    def script(run_id: str) -> None:
        from core.library import supernets
        from pages.ui import resources
        from pages.ui.search.study_button import buttons

        buttons(supernets.find(None, "digits-cnn"), resources.store().get_run(run_id))

    app = AppTest.from_function(script, kwargs={"run_id": run_id}, default_timeout=60)
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def test_two_files_are_offered_once_something_was_measured() -> None:
    resources.store_or_none()
    store = resources.store()
    run_id = store.create_run("search_front", PARAMS, title="s", seed=3, state=RunState.RUNNING)
    assert not button_app(run_id).get("download_button")
    arch = supernets.find(None, "digits-cnn").space.smallest
    store.ledger(run_id).add_measurements(0, [Measurement(arch, {"accuracy": 0.5, "macs": 9.0})])
    app = button_app(run_id)
    assert [each.proto.label for each in app.get("download_button")] == ["SQLite file", "Journal file"]
    assert "optuna-dashboard sqlite:///nsga2-seed-3.db" in app.caption[0].value
