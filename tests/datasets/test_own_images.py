"""A person's own images: what is accepted, and that the pixels arrive as they should."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from core.datasets import load_dataset, pictures
from core.datasets.decoding import looks_like_npz
from core.datasets.images import keep_upload, load_images
from core.datasets.pictures import decode_picture
from core.datasets.uploads import read_upload
from core.errors import InvalidInput, NotFound


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def flat(mode: str, colour) -> Image.Image:
    return Image.new(mode, (10, 10), colour)


def folder_zip(per_class: int = 10, prefix: str = "", extra: dict[str, bytes] | None = None) -> bytes:
    """Class "dark" and class "light" of one-coloured pictures."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, base in (("dark", 0), ("light", 200)):
            for number in range(per_class):
                picture = encoded(flat("RGB", (base + number, base, base)))
                archive.writestr(f"{prefix}{name}/{number:02}.png", picture)
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def npz_bytes(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize("prefix", ["", "pictures/", "my pets/all/"])
def test_a_zip_of_class_folders(prefix):
    dataset = load_images(folder_zip(prefix=prefix), size=4)
    assert dataset.classes == ("dark", "light")
    assert dataset.input_shape == (3, 4, 4)
    assert sum(len(dataset.split(name)) for name in ("train", "validation", "test")) == 20
    for split in (dataset.train, dataset.validation, dataset.test):
        red = np.where(split.y == 0, split.ids, split.ids - 10 + 200) / 255
        np.testing.assert_allclose(
            split.x[:, 0], np.broadcast_to(red[:, None, None], (len(split), 4, 4)), atol=1e-6
        )


def test_what_the_desktop_adds_is_skipped():
    junk = {
        "__MACOSX/dark/._1.png": b"x",
        "dark/.DS_Store": b"x",
        "light/Thumbs.db": b"x",
        "desktop.ini": b"x",
    }
    dataset = load_images(folder_zip(extra=junk), size=4)
    assert dataset.classes == ("dark", "light")


def test_grey_or_colour_and_any_size():
    assert load_images(folder_zip(), size=6, channels=1).input_shape == (1, 6, 6)
    assert load_images(folder_zip()).input_shape == (3, 32, 32)


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (flat("RGB", (255, 0, 128)), "PNG", (255, 0, 128)),
        (flat("L", 77), "PNG", (77, 77, 77)),
        (flat("1", 1), "PNG", (255, 255, 255)),
        (flat("RGBA", (0, 0, 0, 0)), "PNG", (255, 255, 255)),
        (flat("RGBA", (0, 0, 0, 255)), "PNG", (0, 0, 0)),
        (flat("LA", (0, 0)), "PNG", (255, 255, 255)),
        (flat("I;16", 257 * 100), "PNG", (100, 100, 100)),
        (flat("RGB", (10, 20, 30)).quantize(4), "PNG", (10, 20, 30)),
        (flat("RGB", (10, 20, 30)), "BMP", (10, 20, 30)),
        (flat("L", 50), "JPEG", (50, 50, 50)),
        (flat("CMYK", (0, 0, 0, 0)), "JPEG", (255, 255, 255)),
        (flat("RGB", (255, 255, 255)), "WEBP", (255, 255, 255)),
    ],
    ids=lambda value: getattr(value, "mode", str(value)),
)
def test_every_kind_of_picture_gives_its_colour(image, kind, expected):
    pixels, count = decode_picture(encoded(image, kind), "a", size=5, channels=3)
    assert count == 100
    assert pixels.shape == (3, 5, 5)
    np.testing.assert_allclose(pixels.transpose(1, 2, 0), np.broadcast_to(expected, (5, 5, 3)), atol=2)


def test_a_photo_is_turned_as_its_camera_says():
    pixels = np.random.default_rng(0).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    upright, _ = decode_picture(encoded(Image.fromarray(pixels)), "a", size=10, channels=3)
    turned = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6  # "turn clockwise to view"
    found, _ = decode_picture(encoded(turned, exif=exif), "a", size=10, channels=3)
    np.testing.assert_array_equal(found, upright)


def photo(seed: int, kind: str = "JPEG", side: int = 480) -> bytes:
    """A picture with coarse shapes in it, as photos have."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return encoded(Image.fromarray(coarse).resize((side * 4 // 3, side), Image.Resampling.BICUBIC), kind)


def photos_zip(kind: str = "JPEG", per_class: int = 10) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for k in range(2 * per_class):
            archive.writestr(f"{'ab'[k % 2]}/{k}.{kind.lower()}", photo(k, kind))
    return file.getvalue()


def test_photos_that_are_too_large_together_are_decoded_smaller(monkeypatch):
    data = photos_zip()
    whole = load_images(data, size=16, channels=3).train.x
    pixels = 20 * 480 * 640
    monkeypatch.setattr(pictures, "MAX_TOTAL_PIXELS", pixels)
    np.testing.assert_array_equal(load_images(data, size=16, channels=3).train.x, whole)
    load_images(photos_zip("PNG"), size=16, channels=3)
    monkeypatch.setattr(pictures, "MAX_TOTAL_PIXELS", pixels - 1)
    smaller = load_images(data, size=16, channels=3).train.x
    assert 0 < np.abs(smaller - whole).mean() < 0.012
    with pytest.raises(InvalidInput, match="too many pixels together"):
        load_images(photos_zip("PNG"), size=16, channels=3)
    monkeypatch.setattr(pictures, "MAX_TOTAL_PIXELS", pixels // 16 - 20)
    with pytest.raises(InvalidInput, match="too many pixels together"):
        load_images(data, size=16, channels=3)


def test_one_photo_of_a_large_camera_is_decoded_smaller(monkeypatch):
    whole, _ = decode_picture(photo(0), "a.jpg", size=16, channels=3)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 480 * 640 - 1)
    found, count = decode_picture(photo(0), "a.jpg", size=16, channels=3)
    assert count == 480 * 640
    assert np.abs(found.astype(int) - whole).mean() < 3
    with pytest.raises(InvalidInput, match="too many pixels"):
        decode_picture(photo(0, "PNG"), "a.png", size=16, channels=3)
    monkeypatch.setattr(pictures, "MAX_JPEG_PIXELS", 480 * 640 - 1)
    with pytest.raises(InvalidInput, match="too many pixels"):
        decode_picture(photo(0), "a.jpg", size=16, channels=3)


def test_a_wide_picture_is_cropped_to_its_middle():
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 255
    result, _ = decode_picture(encoded(Image.fromarray(pixels)), "a", size=10, channels=1)
    assert result.min() == 255


@pytest.mark.parametrize("layout", ["nhw", "nhwc1", "nhwc3", "nchw3"])
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", "float16"])
def test_arrays_of_any_layout_keep_their_pixels(layout, kind):
    rng = np.random.default_rng(0)
    channels = 3 if layout.endswith("3") else 1
    x = rng.integers(0, 256, (30, channels, 6, 7), dtype=np.uint8)
    stored = {"nhw": x[:, 0], "nhwc1": x.transpose(0, 2, 3, 1), "nhwc3": x.transpose(0, 2, 3, 1), "nchw3": x}[
        layout
    ]
    if kind != "uint8":
        stored = (stored / 255).astype(kind)
    dataset = load_images(npz_bytes(x=stored, y=np.arange(30) % 3, classes=np.array(["a", "b", "ä"])))
    assert dataset.input_shape == (channels, 6, 7)
    assert dataset.classes == ("a", "b", "ä")
    for split in (dataset.train, dataset.validation, dataset.test):
        np.testing.assert_allclose(split.x, x[split.ids] / 255, atol=1e-3 if kind == "float16" else 1e-6)
        np.testing.assert_array_equal(split.y, split.ids % 3)


@pytest.mark.parametrize("order", ["<f4", ">f4"])
@pytest.mark.parametrize("fortran", [False, True])
def test_byte_and_axis_order_are_respected(order, fortran):
    x = np.random.default_rng(0).random((20, 5, 6)).astype(order)
    data = npz_bytes(x=np.asfortranarray(x) if fortran else x, y=(np.arange(20) % 2).astype(">i2"))
    train = load_images(data).train
    np.testing.assert_allclose(train.x[:, 0], x[train.ids], rtol=1e-6)
    np.testing.assert_array_equal(train.y, train.ids % 2)


def test_a_compressed_npz_and_one_we_wrote_are_read():
    buffer = io.BytesIO()
    x = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.savez_compressed(buffer, x=x, y=np.arange(30) % 2)
    assert load_images(buffer.getvalue()).input_shape == (1, 8, 8)
    digits = load_dataset("digits").test
    again = load_images(npz_bytes(x=digits.x, y=digits.y))
    np.testing.assert_array_equal(again.train.x, digits.x[again.train.ids])


def test_a_given_test_set_stays_the_test_set():
    x = np.zeros((40, 8, 8), np.uint8)
    data = npz_bytes(x_train=x[:30], y_train=np.arange(30) % 2, x_test=x[30:], y_test=np.arange(10) % 2)
    assert sorted(load_images(data).test.ids.tolist()) == list(range(30, 40))


def test_arrays_can_be_resized_and_turned_grey():
    x = np.zeros((20, 6, 6, 3), np.uint8)
    x[..., 0] = 255
    for stored, tolerance in ((x, 1 / 255), ((x / 255).astype(np.float32), 1e-5)):
        data = npz_bytes(x=stored, y=np.arange(20) % 2)
        grey = load_images(data, size=4, channels=1)
        assert grey.input_shape == (1, 4, 4)
        np.testing.assert_allclose(grey.train.x, 0.299, atol=tolerance)
    colour = load_images(npz_bytes(x=x[..., 0], y=np.arange(20) % 2), channels=3)
    assert colour.input_shape == (3, 6, 6)
    assert colour.train.x.min() == 1.0


def test_a_kept_upload_is_found_again_and_verified(own_home):
    data = folder_zip()
    upload_id = keep_upload(data, size=4).upload_id
    assert keep_upload(data).upload_id == upload_id
    assert read_upload(upload_id) == data
    dataset = load_dataset("images", upload=upload_id, size=4)
    assert dataset.fingerprint == load_images(data, size=4).fingerprint
    files = sorted(
        str(path.relative_to(own_home / "datasets")) for path in own_home.rglob("*") if path.is_file()
    )
    # As proposed, and as asked for.
    copies = [f"decoded/{upload_id}-{made}.npz" for made in ("10-3", "4-0")]
    assert files == [*copies, f"uploads/{upload_id}.bin"]
    (own_home / "datasets" / files[-1]).write_bytes(b"rotten")
    with pytest.raises(InvalidInput, match="damaged"):
        read_upload(upload_id)


@pytest.mark.parametrize("upload", ["../../etc/passwd", "x" * 64, "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_an_id_is_never_a_path(upload):
    with pytest.raises(InvalidInput):
        load_dataset("images", upload=upload)
    with pytest.raises(NotFound):
        read_upload(upload)


def test_images_have_to_be_chosen_first(tmp_path):
    with pytest.raises(InvalidInput, match="Choose images first"):
        load_dataset("images")
    with pytest.raises(NotFound):
        load_dataset("images", path=str(tmp_path / "none.zip"))


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "mine.zip"
    path.write_bytes(folder_zip(per_class=10))
    first = load_dataset("images", path=str(path), size=4)
    assert load_dataset("images", path=str(path), size=4) is first
    path.write_bytes(folder_zip(per_class=12))
    assert load_dataset("images", path=str(path), size=4).fingerprint != first.fingerprint


def test_a_npz_is_told_from_a_zip_by_its_bytes():
    assert looks_like_npz(npz_bytes(x=np.zeros(2)))
    assert not looks_like_npz(folder_zip())
    assert not looks_like_npz(b"")
