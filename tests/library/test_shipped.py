"""Editions of shipped supernets: a new database has the newest, one with work in it goes on with what that is about."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, insert, text

from core.library import shipped, supernets
from core.library.chance import _shipped as shipped_chance
from core.store import RunStore, migrations
from core.store.schema import EditionRow
from core.views.supernet_page import came_from


def shipped_here(store: RunStore | None) -> dict[str, supernets.SupernetEntry]:
    return {e.supernet_id: e for e in supernets.entries(store) if e.origin == "shipped"}


@pytest.fixture
def worked_in(tmp_path: Path) -> RunStore:
    """A database that knew the first edition."""
    store = RunStore(f"sqlite:///{tmp_path / 'old.db'}", tmp_path)
    with store._database.write("a test") as connection:
        connection.execute(insert(EditionRow).values(name="digits-cnn", edition=1))
    return store


def test_a_new_database_has_the_newest_alone(tmp_path: Path) -> None:
    with RunStore(f"sqlite:///{tmp_path / 'new.db'}", tmp_path) as store:
        assert store.editions == {}
        assert shipped_here(store) == shipped_here(None)
        assert set(shipped_here(None)) == {"digits-cnn", "digits-lesson", "fashion-cnn"}
        assert "trained anew" not in came_from(store, shipped_here(store)["digits-cnn"]).sentence


def test_one_with_work_in_it_goes_on_with_what_that_is_about(worked_in: RunStore) -> None:
    here, newest = shipped_here(worked_in), shipped_here(None)["digits-cnn"]
    assert set(here) == {"digits-cnn", "digits-cnn-2", "digits-lesson", "fashion-cnn"}
    assert here["digits-cnn-2"].sha256 == newest.sha256 != here["digits-cnn"].sha256
    assert (here["digits-cnn"].title, here["digits-cnn-2"].title) == ("digits-cnn", "digits-cnn-2")
    assert here["digits-cnn"].space == newest.space
    assert "digits-cnn-2 is the same space, trained anew" in came_from(worked_in, here["digits-cnn"]).sentence
    assert "It is digits-cnn, trained anew" in came_from(worked_in, here["digits-cnn-2"]).sentence


def test_every_edition_has_its_own_files_and_how_sure_its_front_is(worked_in: RunStore) -> None:
    for entry in shipped_here(worked_in).values():
        assert supernets.table(entry) is not None
        chance = shipped_chance(entry)
        assert chance is not None
        assert chance.table_sha256 == entry.table_sha256


def test_every_earlier_edition_is_kept() -> None:
    for name, newest in shipped.NEWEST.items():
        for edition in range(1, newest):
            assert (shipped.EARLIER / f"{name}-{edition}" / shipped.CARD_FILE).is_file()


@pytest.mark.parametrize("worked", [True, False])
def test_the_upgrade_asks_whether_anything_is_there(tmp_path: Path, worked: bool) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        if worked:
            connection.execute(
                text("INSERT INTO basket_items VALUES ('b', 'subnet:digits-cnn:0', 0, '', '')")
            )
    with RunStore(url, tmp_path) as store:
        assert store.editions == ({"digits-cnn": 1} if worked else {})
