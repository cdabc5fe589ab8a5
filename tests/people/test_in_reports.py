"""A report says who brought a supernet, where people are told apart, and names nobody elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.people.person import known_by
from core.reports.writing import write_report
from core.settings import ASSETS
from core.store import RunStore
from core.store.baskets import BasketItem
from core.views.basket import basket_view
from tests.people.acting import EVE, tell_apart

FILE = ASSETS / "supernets" / "digits-cnn" / "supernet.safetensors"
HOSTILE = known_by("proxy", "eve", "<script>E\u202eve</script>")


def test_the_owner_stands_among_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    becomes = tell_apart(monkeypatch, tmp_path)
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path / "home") as store:
        becomes(HOSTILE)
        mine = store.add_supernet("Brought", FILE.read_bytes(), {"family": "elastic_cnn", "data": "digits"})
        becomes(EVE)
        shown = basket_view(store, [BasketItem(f"subnet:{mine}:000000000000", "One", 0)])

        def text() -> str:
            return write_report(store, shown, "html", title="T", link="", made="today").decode()

        assert "Started by" in text()
        assert "&lt;script&gt;Eve&lt;/script&gt;" in text()
        monkeypatch.delenv("PARETOSCOPE_PEOPLE")
        assert "Started by" not in text()
