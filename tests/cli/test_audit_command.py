"""`audit` prints and writes what people did, and `check` notices a row that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.people.person import known_by
from core.store import RunStore

WHO = known_by("proxy", "bob", "=HYPERLINK(1) \u202e<b>")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    store = RunStore(f"sqlite:///{tmp_path / 'paretoscope.db'}", tmp_path)
    for action in ("log in", "start a run", "delete"):
        store.audit.add(WHO, action)
    return store


def test_it_prints_and_writes_all_of_it(store: RunStore, tmp_path: Path) -> None:
    file = tmp_path / "audit.csv"
    printed = CliRunner().invoke(app, ["audit", "--csv", str(file)])
    assert printed.exit_code == 0, printed.output
    assert [
        word in printed.output for word in ("log in", "start a run", "delete", store.audit.last_hash())
    ] == [True] * 4
    assert "\u202e" not in printed.output
    lines = file.read_text().splitlines()
    assert lines[0] == "number,when,who,id,did,to,outcome,said"
    assert len(lines) == 4
    assert ",'=HYPERLINK(1) <b>,bob,log in,,done," in lines[1]


def test_check_notices_a_removed_row(store: RunStore) -> None:
    assert CliRunner().invoke(app, ["check"]).exit_code == 0
    with store._database.write("an attack") as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE number = 2")
    said = CliRunner().invoke(app, ["check"])
    assert said.exit_code == 1
    assert "The audit log lacks rows 2 to 2" in said.output


def test_an_empty_log_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    assert "nothing was written yet" in CliRunner().invoke(app, ["audit"]).output
