"""The configuration that is shipped: local, closed, and quiet; and the rules pages keep."""

from __future__ import annotations

import ast
import tomllib

import pytest

from pages.ui import menu
from tests.pages.conftest import PAGES, ROOT

CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
HEAVY = {"numpy", "torch", "plotly", "sklearn", "sqlalchemy", "scipy", "umap"}


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("server", "address", "127.0.0.1"),
        ("server", "maxUploadSize", 256),
        ("server", "enableXsrfProtection", True),
        ("server", "enableCORS", True),
        ("server", "enableAgentApi", False),
        ("server", "enableStaticServing", False),
        ("server", "fileWatcherType", "none"),
        ("browser", "gatherUsageStats", False),
        ("client", "showErrorDetails", "none"),
    ],
)
def test_settings(section: str, name: str, value: object) -> None:
    assert CONFIG[section][name] == value


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme: str) -> None:
    theme = CONFIG["theme"][scheme]
    backgrounds = [
        theme["backgroundColor"],
        theme["secondaryBackgroundColor"],
        theme["sidebar"]["backgroundColor"],
    ]
    for background in backgrounds:
        assert contrast(theme["textColor"], background) >= 7
        assert contrast(theme["linkColor"], background) >= 4.5
    assert contrast("#FFFFFF", theme["primaryColor"]) >= 4.5


@pytest.mark.parametrize("name", PAGES)
def test_pages_draw_and_leave_the_rest_to_others(name: str) -> None:
    path = ROOT / "pages" / f"{name}.py"
    text = path.read_text()
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not imported & HEAVY
    assert len(text.splitlines()) <= 120
    first = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    assert first.value.func.id == "setup"


def test_the_menu_finds_every_page_and_nothing_else_lists_them() -> None:
    listed = (ROOT / "app.py").read_text()
    assert len(listed.splitlines()) < 40
    found = menu.pages()
    assert set(found) == {path.stem for path in (ROOT / "pages").glob("*.py")}
    assert [page.title for page in found.values() if page.title in listed] == []
    assert "pages/" not in listed
    assert next(iter(found)) == "front"
    assert len({page.place for page in found.values()}) == len(found)
    for page in found.values():
        assert page.question.rstrip(".").count("?") >= 1
