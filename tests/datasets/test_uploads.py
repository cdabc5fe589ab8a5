"""Uploads are decoded once, in another process, and what was found in them is told."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.datasets import load_dataset, uploads
from core.datasets.decoding import read_decoded
from core.datasets.images import keep_upload, load_images
from core.errors import InvalidInput, NotFound
from tests.security.hostile_files import npz, picture, picture_zip, with_member


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    uploads._refused.clear()
    return tmp_path / "home"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of every confined process that a test starts."""
    seen: list[dict[str, Any]] = []
    plain = uploads.run_confined

    def counted(module: str, data: bytes, options: dict[str, Any], *rest: Any) -> Any:
        seen.append(options)
        return plain(module, data, options, *rest)

    monkeypatch.setattr(uploads, "run_confined", counted)
    return seen


def test_nothing_of_an_upload_is_decoded_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.datasets import decoding

    def here(*_: Any, **__: Any) -> None:
        raise AssertionError("decoded in the server's process")

    monkeypatch.setattr(decoding, "decode", here)
    monkeypatch.setattr(Image, "open", here)
    monkeypatch.setattr(zipfile.ZipFile, "infolist", here)
    kept = keep_upload(picture_zip(), size=8)
    monkeypatch.undo()
    assert kept.summary.n_images == 12


def test_it_is_decoded_once_for_each_size(started: list[dict[str, Any]]) -> None:
    data = picture_zip()
    for _ in range(3):
        upload_id = keep_upload(data, size=8).upload_id
    load_dataset("images", upload=upload_id, size=8, seed=5)
    assert started == [{"size": 8, "channels": 0}]
    load_dataset("images", upload=upload_id, size=6, channels=1, seed=5)
    assert started[1:] == [{"size": 6, "channels": 1}]


def test_a_refusal_is_remembered_and_nothing_is_kept(started: list[dict[str, Any]], home: Path) -> None:
    said, data = set(), with_member("../escaped.png")
    for _ in range(3):
        with pytest.raises(InvalidInput) as refusal:
            keep_upload(data)
        said.add(str(refusal.value))
    assert len(started) == 1
    assert len(said) == 1
    assert "outside" in said.pop()
    assert [path for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("options", [{}, {"size": 8}, {"size": 6, "channels": 1}])
@pytest.mark.parametrize("data", [picture_zip(), npz()], ids=["pictures", "arrays"])
def test_the_images_are_those_of_a_file_that_is_read_directly(data: bytes, options: dict[str, int]) -> None:
    upload_id = keep_upload(data, **options).upload_id
    there = load_dataset("images", upload=upload_id, seed=3, **options)
    assert there.fingerprint == load_images(data, seed=3, **options).fingerprint


def test_damaged_or_deleted_copies_are_made_again(started: list[dict[str, Any]], home: Path) -> None:
    upload_id = keep_upload(picture_zip(), size=8).upload_id
    [copy] = (home / "datasets" / "decoded").iterdir()
    whole = read_decoded(copy)[0].x
    for damage in (
        copy.unlink,
        lambda: copy.write_bytes(copy.read_bytes()[:-200]),
        lambda: copy.write_bytes(b""),
    ):
        damage()
        again = uploads.decoded_images(upload_id, size=8, channels=0)
        np.testing.assert_array_equal(again.x, whole)
    assert len(started) == 4


def test_a_copy_without_its_upload_is_no_upload(home: Path) -> None:
    upload_id = keep_upload(picture_zip(), size=8).upload_id
    (home / "datasets" / "uploads" / f"{upload_id}.bin").unlink()
    with pytest.raises(NotFound, match="upload them again"):
        uploads.decoded_images(upload_id, size=8, channels=0)


def test_copies_used_longest_ago_make_room_and_uploads_stay(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = picture_zip()
    upload_id = keep_upload(data, size=8).upload_id
    folder = home / "datasets" / "decoded"
    [first] = folder.iterdir()
    (folder / "notes.txt").write_text("not ours")
    os.utime(first, (1, 1))
    monkeypatch.setattr(uploads, "MOST_DECODED_BYTES", first.stat().st_size)
    keep_upload(data, size=9)
    assert sorted(path.name for path in folder.iterdir()) == [f"{upload_id}-9-0.npz", "notes.txt"]
    assert (home / "datasets" / "uploads" / f"{upload_id}.bin").is_file()


def test_too_few_images_to_divide_are_refused_at_the_form() -> None:
    few = npz(x=np.zeros((10, 8, 8), np.uint8), y=np.arange(10) % 2)
    keep_upload(few)
    with pytest.raises(InvalidInput, match="too few"):
        keep_upload(
            npz(x=np.zeros((10, 8, 8), np.uint8), y=np.arange(10) % 2),
            validation_fraction=0.05,
            test_fraction=0.05,
        )


def grey_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, n in (("cat", 6), ("dog", 8)):
            for number in range(n):
                side = 28 if number else 40
                made = io.BytesIO()
                Image.new("L", (side, 28), 9 * number).save(made, "PNG")
                archive.writestr(f"{name}/{number}.png", made.getvalue())
        archive.writestr("__MACOSX/cat/._1.png", b"x")
        archive.writestr("cat/.DS_Store", b"x")
    return buffer.getvalue()


def test_the_summary_says_what_was_found() -> None:
    found = keep_upload(grey_zip()).summary
    assert found.kind == "pictures"
    assert found.counts == {"cat": 6, "dog": 8}
    assert found.n_images == 14
    assert (found.smallest, found.largest) == ((28, 28), (40, 28))
    assert found.grey
    assert found.shape == (3, 32, 32)
    assert found.skipped == 2
    assert not keep_upload(picture_zip()).summary.grey


def test_the_summary_of_arrays_says_what_came_and_what_it_becomes() -> None:
    x = np.zeros((30, 6, 9, 3), np.uint8)
    parts = {"x_train": x[:20], "y_train": np.arange(20) % 2, "x_test": x[20:], "y_test": np.arange(10) % 2}
    found = keep_upload(
        npz(x=None, y=None, classes=np.array(["cat", "dog"]), **parts), channels=1, size=8
    ).summary
    assert found.kind == "arrays"
    assert found.counts == {"cat": 15, "dog": 15}
    assert (found.smallest, found.largest, found.grey) == ((9, 6), (9, 6), False)
    assert (found.n_test, found.shape) == (10, (1, 8, 8))


def test_the_page_tells_it_in_sentences() -> None:
    from pages.ui.supernets.own_images import told

    lines = told(keep_upload(grey_zip()).summary)
    assert lines[0] == "14 images in 2 classes: cat 6, dog 8."
    assert "came grey, 28x28 to 40x28 pixels" in lines[1]
    assert "32x32 RGB" in lines[1]
    assert lines[-1].startswith("2 files")
    many = npz(x=np.zeros((200, 8, 8), np.uint8), y=np.arange(200) % 20)
    assert told(keep_upload(many).summary)[0].endswith("11 10 and 8 more.")


def test_a_picture_of_one_bad_byte_is_named() -> None:
    with pytest.raises(InvalidInput, match="zz"):
        keep_upload(with_member("cat/zz.png", picture()[:-40]))
