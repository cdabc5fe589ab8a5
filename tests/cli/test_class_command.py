"""`class` on the console: listing, repair of a lost teacher's link, deleting what is over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.errors import InvalidInput, NotFound
from core.settings import settings
from core.store import RunStore
from core.store.sandboxes import Sandboxes


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    place = settings()
    with RunStore(place.database_url, place.home) as opened:
        yield opened


def call(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["class", *arguments])
    if done.exception:
        raise done.exception
    return done.stdout


def test_a_lost_link_is_replaced(store: RunStore) -> None:
    room, secret = store.classes.create()
    store.classes.join(room.code, "Ada")
    assert re.fullmatch(rf"{room.code}  \S+ \S+    1 students\n", call("list"))
    said = call("new-secret", room.code.lower())
    link = re.search(rf"/classroom\?class={room.code}&teacher=(\S+)", said)
    assert link
    assert store.classes.is_teacher(room.code, link[1])
    assert not store.classes.is_teacher(room.code, secret)
    with pytest.raises(NotFound):
        call("new-secret", "AAAAAA")


def test_only_what_is_over_is_deleted_and_sandboxes_go_to_the_trash(store: RunStore) -> None:
    room, _ = store.classes.create()
    ada, _ = store.classes.join(room.code, "Ada")
    Sandboxes(store.home).open(ada.student_id).close()
    with pytest.raises(InvalidInput, match="not over"):
        call("delete", room.code)
    store.classes.set_rules(room.code, lambda rules, at: rules.model_copy(update={"ended": True}))
    assert "over" in call("list")
    assert "1 sandboxes are in the trash" in call("delete", room.code)
    assert call("list") == ""
    assert Sandboxes(store.home).ids() == []
