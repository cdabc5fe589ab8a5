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
from tests.security.hostile_files import Undated, npz, picture, picture_zip, with_member


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


@pytest.mark.slow
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


def gray_zip(mode: str = "L", side: int = 28, n: tuple[int, int] = (6, 8)) -> bytes:
    """Gray pictures, stored as they are or as RGB; one of them is wider, and some files are no pictures."""
    buffer = io.BytesIO()
    with Undated(buffer) as archive:
        for name, count in zip(("cat", "dog"), n, strict=True):
            for number in range(count):
                made = io.BytesIO()
                size = (side + 12 if number == 0 else side, side)
                Image.new("L", size, 9 * number % 256).convert(mode).save(made, "PNG")
                archive.add(f"{name}/{number}.png", made.getvalue())
        archive.add("__MACOSX/cat/._1.png", b"x")
        archive.add("cat/.DS_Store", b"x")
        archive.add("cat/notes.txt", b"x")
        archive.add("lonely.png", picture())
        archive.add("dog/broken.png", picture()[:-40])
        archive.add("dog/text.png", b"hello")
    return buffer.getvalue()


def test_the_summary_says_what_was_found() -> None:
    found = keep_upload(gray_zip()).summary
    assert found.kind == "pictures"
    assert found.counts == {"cat": 6, "dog": 8}
    assert found.n_images == 14
    assert (found.smallest, found.largest, found.n_sizes) == ((28, 28), (40, 28), 2)
    assert (found.gray, found.stored_gray) == (14, 14)
    assert keep_upload(picture_zip()).summary.gray == 0


def test_what_was_left_out_is_told_by_reason_with_names() -> None:
    skipped = {each.reason: (each.count, each.examples) for each in keep_upload(gray_zip()).summary.skipped}
    assert skipped == {
        "added by a desktop": (2, ("__MACOSX/cat/._1.png", "cat/.DS_Store")),
        "no PNG, JPEG, BMP or WebP by name": (1, ("cat/notes.txt",)),
        "in no class folder": (1, ("lonely.png",)),
        # One by its first bytes, the other only when it was decoded.
        "not readable as PNG, JPEG, BMP or WebP": (2, ("dog/text.png", "dog/broken.png")),
    }


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA"])
def test_gray_pictures_propose_one_channel_of_their_size(mode: str) -> None:
    """REVIEW 5.6: gray 28x28 PNGs were trained on as 3x32x32, which nothing said."""
    kept = keep_upload(gray_zip(mode))
    assert (kept.size, kept.channels) == (28, 1)
    assert kept.summary.shape == (1, 28, 28)
    assert kept.summary.gray == 14
    assert kept.summary.stored_gray == (14 if mode == "L" else 0)
    dataset = load_dataset("images", upload=kept.upload_id, size=kept.size, channels=kept.channels)
    assert dataset.input_shape == (1, 28, 28)
    # What is proposed is what is made when it is asked for by name.
    again = load_images(gray_zip(mode), size=28, channels=1)
    np.testing.assert_array_equal(dataset.train.x, again.train.x)


def test_one_picture_in_color_makes_all_of_them_so() -> None:
    def colored(archive: zipfile.ZipFile) -> None:
        made = io.BytesIO()
        Image.new("RGB", (28, 28), (9, 9, 60)).save(made, "PNG")
        archive.writestr("dog/zz.png", made.getvalue())

    buffer = io.BytesIO(gray_zip("RGB"))
    with zipfile.ZipFile(buffer, "a") as archive:
        colored(archive)
    kept = keep_upload(buffer.getvalue())
    assert (kept.channels, kept.summary.gray, kept.summary.n_images) == (3, 14, 15)


@pytest.mark.parametrize(("side", "proposed"), [(2, 4), (20, 20), (32, 32), (300, 32)])
def test_the_size_proposed_is_theirs_or_what_a_small_network_needs(side: int, proposed: int) -> None:
    assert keep_upload(gray_zip(side=side)).size == proposed


def test_what_was_proposed_is_found_again_without_reading_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_upload(gray_zip())
    monkeypatch.setattr(uploads, "run_confined", lambda *_: pytest.fail("it was decoded again"))
    again = keep_upload(gray_zip())
    assert (again.size, again.channels) == (28, 1)


def test_settings_of_runs_made_before_mean_what_they_meant() -> None:
    """0 and 0 are in the cards of supernets trained by earlier releases: 32 pixels, RGB."""
    kept = keep_upload(gray_zip(), size=0, channels=0)
    assert kept.summary.shape == (3, 32, 32)


def test_the_summary_of_arrays_says_what_came_and_what_it_becomes() -> None:
    x = np.zeros((30, 6, 9, 3), np.uint8)
    x[0, 0, 0, 0] = 200
    parts = {"x_train": x[:20], "y_train": np.arange(20) % 2, "x_test": x[20:], "y_test": np.arange(10) % 2}
    data = npz(x=None, y=None, classes=np.array(["cat", "dog"]), **parts)
    found = keep_upload(data, channels=1, size=8).summary
    assert found.kind == "arrays"
    assert found.counts == {"cat": 15, "dog": 15}
    assert (found.smallest, found.largest, found.gray) == ((9, 6), (9, 6), 29)
    assert (found.n_test, found.shape) == (10, (1, 8, 8))
    proposed = keep_upload(data)
    assert (proposed.size, proposed.channels, proposed.summary.shape) == (0, 3, (3, 6, 9))
    assert proposed.summary.repeated == 28


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_gray_arrays_stored_as_rgb_propose_one_channel(kind: str) -> None:
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (30, 9, 9, 1), dtype=np.uint8)
    x = np.repeat(gray, 3, axis=3) if kind == "uint8" else np.repeat(gray, 3, axis=3) / np.float32(255)
    kept = keep_upload(npz(x=x.astype(kind), y=np.arange(30) % 2))
    assert (kept.size, kept.channels, kept.summary.shape) == (9, 1, (1, 9, 9))


def test_the_contact_sheet_holds_some_images_of_each_class() -> None:
    _, sheet = uploads.beside(keep_upload(gray_zip(n=(6, 30))))
    assert sheet.labels == ("cat",) * 6 + ("dog",) * 8
    assert sheet.images.shape == (14, 1, 28, 28)
    np.testing.assert_allclose(sheet.images[:6, 0, 5, 5], np.arange(6) * 9 / 255, atol=1e-6)
    large = npz(x=np.zeros((20, 200, 100), np.uint8), y=np.arange(20) % 2)
    _, sheet = uploads.beside(keep_upload(large))
    assert max(sheet.images.shape[2:]) <= 48
