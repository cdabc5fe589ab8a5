"""Pages run in this process, on a store of their own and without the background import of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui import menu

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(menu.pages())


@pytest.fixture(autouse=True)
def own_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fresh home for each test; the job manager it may have started is closed."""
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    monkeypatch.setattr("core.runtime.heavy_imports_in_background", lambda: None)
    monkeypatch.setattr("core.runtime.freeze", lambda: None)
    # Every AppTest looks through all that is installed for components of others: a quarter of a second, for nothing.
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", lambda *_: [])
    monkeypatch.setattr("core.jobs.trials.spawn", lambda request: "Nothing is tried in these tests.")
    st.cache_resource.clear()
    managers = []
    import core.jobs.manager as manager

    start = manager.JobManager.__init__
    monkeypatch.setattr(
        manager.JobManager,
        "__init__",
        lambda self, *args, **named: (start(self, *args, **named), managers.append(self))[0],
    )
    yield
    for one in managers:
        one.close()
        one.store.close()
        one.sandboxes.close()
    st.cache_resource.clear()


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Open a page as a visitor would, with query parameters; an exception on it fails the test."""

    def open_it(name: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        if name != "front":
            app.switch_page(f"pages/{name}.py")
        app.run()
        assert not app.exception, app.exception[0].message
        return app

    return open_it


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of charts and choosers in the order in which a page draws them."""
    keys: list[str] = []
    for name in ("plotly_chart", "selectbox", "download_button"):
        real = getattr(st, name)

        def noted(*given: object, real: Callable[..., object] = real, **named: object) -> object:
            keys.append(str(named.get("key")))
            return real(*given, **named)

        monkeypatch.setattr(st, name, noted)
    return keys
