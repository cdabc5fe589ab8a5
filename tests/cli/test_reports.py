"""`report` on the command line: the same bytes as from the Basket page, and plain refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.errors import InvalidInput, NotFound
from core.reports.writing import write_report
from core.settings import settings
from core.store import RunStore
from core.views.basket import basket_view

A, GONE = "subnet:digits-cnn:311131113111", "alone:run:0"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    place = settings()
    with RunStore(place.database_url, place.home) as opened:
        yield opened


def call(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
def test_the_page_and_the_command_line_write_the_same(store: RunStore, tmp_path: Path) -> None:
    basket_id = store.baskets.create("For <all>")
    store.baskets.add(basket_id, A, "a")
    store.baskets.add(basket_id, GONE, "g")
    view = basket_view(store, store.baskets.get(basket_id).items)
    given = ["--link", "http://h/basket?id=1", "--date", "today"]
    for name, ending in (("html", "html"), ("markdown", "md"), ("latex", "tex")):
        page = write_report(store, view, name, title="For <all>", link="http://h/basket?id=1", made="today")
        out = tmp_path / f"report.{ending}"
        done = call("report", "--basket", "For <all>", "--out", str(out), *given)
        assert done.exit_code == 0, done.output
        assert out.read_bytes() == page
    listed = call("baskets").output
    assert basket_id in listed
    assert "  2  For <all>" in listed


def test_networks_by_their_ids(store: RunStore) -> None:
    done = call("report", A, "--format", "latex", "--title", "T")
    assert done.exit_code == 0
    assert r"\begin{tabular}" in done.output
    assert "99.4 \\%" in done.output


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        ([], InvalidInput, "either networks or a --basket"),
        ([A, "--basket", "b"], InvalidInput, "either networks or a --basket"),
        (["--basket", "nothing"], NotFound, "no basket called"),
        ([GONE], NotFound, "not on this machine"),
        (["nonsense"], InvalidInput, "names no network"),
        ([A, "--format", "pdf"], InvalidInput, "A report is html"),
    ],
)
def test_what_cannot_be_reported_is_one_sentence(store: RunStore, arguments, kind, sentence) -> None:
    done = call("report", *arguments)
    assert isinstance(done.exception, kind)
    assert sentence in str(done.exception)


def test_an_empty_basket_is_no_report(store: RunStore) -> None:
    store.baskets.create("empty")
    done = call("report", "--basket", "empty")
    assert "no network to report" in str(done.exception)
