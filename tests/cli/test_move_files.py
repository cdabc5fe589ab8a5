"""`move-files`: what it says, and that it does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.settings import settings
from core.store.sandboxes import store_here

Call = Callable[..., tuple[int, str, str]]


def test_files_go_to_another_folder_and_the_setting_is_told(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store_here() as store:
        mine = store.add_supernet("mine", b"weights", {})
    (tmp_path / "disk").mkdir()
    place = f"file://{tmp_path}/disk"
    status, out, err = call("move-files", "--to", place)
    assert (status, err) == (0, "1 of 1 files are there\n")
    assert "1 file copied" in out
    assert f"PARETOSCOPE_FILES_URL={place}" in out
    assert len(list((settings().home / "blobs").iterdir())) == 1
    monkeypatch.setenv("PARETOSCOPE_FILES_URL", place)
    status, out, err = call("move-files", "--to", place, "--put-away")
    assert (status, "1 were there" in out, "1 put into the trash" in out) == (0, True, True)
    assert "Now set" not in out
    with store_here() as store:
        assert (store.supernet_path(mine).read_bytes(), store.check()) == (b"weights", [])
    assert not list((settings().home / "blobs").iterdir())


def test_a_place_that_is_none_is_refused(call: Call) -> None:
    status, _, err = call("move-files", "--to", "ftp://somewhere")
    assert (status, "s3://bucket/folder" in err) == (2, True)
    status, _, err = call("move-files", "--to", "home")
    assert (status, "already" in err) == (2, True)
