"""T6, T7: zips of pictures and .npz files from strangers, made by hand."""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from core.datasets import npz as arrays
from core.datasets import pictures
from core.datasets.archives import ZipLimits, open_zip
from core.datasets.decoding import decode
from core.datasets.found import skipped_sentence
from core.datasets.images import load_images
from core.errors import InvalidInput
from tests.helpers.memory import growth
from tests.security.hostile_files import (
    npy,
    npz,
    npz_of,
    picture,
    picture_zip,
    plain_sentence,
    png_claiming,
    raw_npy,
    with_member,
)

GOOD = picture_zip()


def patched(data: bytes, signature: bytes, offset: int, form: str, value: int, last: bool = True) -> bytes:
    """An archive with one field of its last (or first) such record overwritten."""
    at = (data.rfind if last else data.find)(signature) + offset
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def in_directory(offset: int, form: str, value: int) -> bytes:
    return patched(GOOD, b"PK\x01\x02", offset, form, value)


def at_end(offset: int, form: str, value: int) -> bytes:
    return patched(GOOD, b"PK\x05\x06", offset, form, value)


def two(first: str, second: str) -> bytes:
    return picture_zip(
        lambda archive: [archive.writestr(name, picture()) for name in (first, second)] and None
    )


def bomb(megabytes: int, name: str = "cat/bomb.bmp") -> bytes:
    return picture_zip(
        lambda archive: archive.writestr(name, b"\0" * (megabytes * 2**20), zipfile.ZIP_DEFLATED)
    )


def overlapping() -> bytes:
    """Many directory entries that all point at one local file (as in Fifield's bomb)."""
    at = GOOD.find(b"PK\x01\x02")
    end = GOOD.find(b"PK\x05\x06")
    entries, rest = GOOD[at:end], GOOD[end:]
    size = 46 + int.from_bytes(entries[28:30], "little")
    first = bytearray(entries[:size])
    many = b"".join(bytes(first[:46]) + b"cat/%d.png" % n for n in range(1, 9))
    counted = rest[:8] + struct.pack("<HHLL", 8, 8, len(many), at) + rest[20:]
    return GOOD[:at] + many + counted


def many_entries(n: int, claimed: int | None = None) -> bytes:
    local = b"PK\x03\x04" + bytes(26)
    row = b"PK\x01\x02" + bytes(42)
    return (
        local
        + row * n
        + struct.pack(
            "<4s4H2LH",
            b"PK\x05\x06",
            0,
            0,
            *[min(n, 65534) if claimed is None else claimed] * 2,
            46 * n,
            30,
            0,
        )
    )


ZIPS = {
    "empty": b"",
    "not a zip": b"hello world" * 100,
    "gzip": b"\x1f\x8b\x08" + bytes(100),
    "an empty zip": struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0),
    "program in front": b"MZ" + bytes(500) + GOOD,
    "cut short": GOOD[:-30],
    "first half": GOOD[: len(GOOD) // 2],
    "climbs out": with_member("../escaped.png"),
    "climbs out inside": with_member("cat/../../escaped.png"),
    "absolute": with_member("/tmp/escaped.png"),
    "drive": with_member("C:/escaped.png"),
    "backslashes": with_member("..\\escaped.png"),
    "NUL in the name": with_member("cat/evil.png\0.txt"),
    "newline in the name": with_member("cat/a\nb.png"),
    "right-to-left name": with_member("cat/\u202egnp.exe.png"),
    "very long name": with_member("cat/" + "x" * 2000 + ".png"),
    "symbolic link": with_member("cat/link.png", b"/etc/passwd", stat.S_IFLNK | 0o777),
    "fifo": with_member("cat/fifo.png", b"", stat.S_IFIFO | 0o600),
    "device": with_member("cat/device.png", b"", stat.S_IFCHR | 0o600),
    "socket": with_member("cat/socket.png", b"", stat.S_IFSOCK | 0o600),
    "names equal but for case": two("cat/New.png", "cat/new.png"),
    "folders equal but for case": two("Bird/a.png", "bird/a.png"),
    "the same name twice": two("cat/a.png", "cat/a.png"),
    "names equal but for composition": two(
        "cat/\u00e9.png", "cat/" + unicodedata.normalize("NFD", "\u00e9") + ".png"
    ),
    "encrypted": in_directory(8, "<H", 1),
    "bzip2": with_member("cat/a.png", compress_type=zipfile.ZIP_BZIP2),
    "lzma": with_member("cat/a.png", compress_type=zipfile.ZIP_LZMA),
    "unknown method": in_directory(10, "<H", 99),
    "claims to be smaller": in_directory(24, "<L", 10),
    "claims to be larger": in_directory(24, "<L", 100_000),
    "claims 4 GB": in_directory(24, "<L", 0xFFFFFFFE),
    "packed size beyond the file": in_directory(20, "<L", 0x7FFFFFFF),
    "wrong checksum": in_directory(16, "<L", 12345),
    "local header elsewhere": in_directory(42, "<L", 3),
    "two disks": at_end(4, "<H", 1),
    "more entries than listed": at_end(10, "<H", 60_000),
    "directory beyond the file": at_end(12, "<L", 0x00FFFFFF),
    "directory elsewhere": at_end(16, "<L", 1),
    "Zip64": at_end(16, "<L", 0xFFFFFFFF),
    "60,001 entries": many_entries(60_001),
    "300,000 entries": many_entries(300_000),
    "300,000 entries that claim to be 50,000": many_entries(300_000, 50_000),
    "fewer entries than claimed": many_entries(10, 11),
    "a gap before the end": GOOD[: GOOD.rfind(b"PK\x05\x06")] + bytes(50) + GOOD[GOOD.rfind(b"PK\x05\x06") :],
    "overlapping files": overlapping(),
    "one bomb": bomb(50),
    "a bomb under the ratio of small files": bomb(2),
    "a class of one": with_member("bird/1.png"),
    "a class of blanks": picture_zip(
        lambda a: [a.writestr(f"  /{n}.png", picture()) for n in range(6)] and None
    ),
    "a very long class": picture_zip(
        lambda a: [a.writestr(f"{'x' * 90}/{n}.png", picture()) for n in range(6)] and None
    ),
    "only folders": npz_of({"cat/": b"", "dog/": b""}),
    "one class": npz_of({f"cat/{n}.png": picture() for n in range(8)}),
}

TOO_LARGE = {
    "PNG of 50,000 squared",
    "PNG of 10,000 squared",
    "PNG of 5,000 squared",
    "PNG of 2**31 - 1",
    "BMP of a huge width",
    "BMP of a negative width",
}
LEFT_OUT = {
    "a zip in the zip": with_member("cat/inner.zip", GOOD),
    "a program": with_member("cat/run.exe", b"MZ" + bytes(100)),
    "a page": with_member("cat/page.svg", b"<svg onload=alert(1)>"),
    "no class folder": with_member("lonely.png"),
}

PICTURES = {
    "empty": b"",
    "text": b"not a picture at all",
    "markup": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n",
    "GIF": picture("GIF"),
    "TIFF": picture("TIFF"),
    "ICO": picture("ICO", size=(16, 16)),
    "PDF": b"%PDF-1.4\n%%EOF",
    "PNG of 50,000 squared": png_claiming(50_000, 50_000),
    "PNG of 10,000 squared": png_claiming(10_000, 10_000),
    "PNG of 5,000 squared": png_claiming(5_000, 5_000),
    "PNG of 2**31 - 1": png_claiming(2**31 - 1, 2**31 - 1),
    "PNG of no height": png_claiming(10, 0),
    "PNG with too few pixels": png_claiming(100, 100),
    "PNG cut short": picture("PNG")[:-40],
    "JPEG cut short": picture("JPEG", size=(64, 64))[:400],
    "WebP cut short": picture("WEBP", size=(64, 64), lossless=True)[:200],
    "BMP cut short": picture("BMP")[:60],
    "BMP of a huge width": picture("BMP")[:18]
    + struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    + picture("BMP")[26:],
    "BMP of a negative width": picture("BMP")[:18] + struct.pack("<i", -50) + picture("BMP")[22:],
}

HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (20, 8, 8), }"
PIXELS = bytes(20 * 64)
LABELS = npy(np.arange(20) % 2)


def npz_with(x: bytes) -> bytes:
    return npz_of({"x.npy": x, "y.npy": LABELS})


ARRAYS = {
    "object array": npz_with(
        raw_npy("{'descr': '|O', 'fortran_order': False, 'shape': (20,), }", b"\x80\x04cos\nsystem\n.")
    ),
    "structured array": npz_with(
        raw_npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (20,), }", bytes(80))
    ),
    "code in the header": npz_with(raw_npy("__import__('os').system('true')", PIXELS)),
    "code in the shape": npz_with(raw_npy(HEADER.replace("20", "exit()"), PIXELS)),
    "nested header": npz_with(raw_npy("(" * 3000, PIXELS)),
    "header beyond the file": npz_with(b"\x93NUMPY\x01\x00\xff\xff{}"),
    "header of 4 GB": npz_with(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"),
    "unknown version": npz_with(raw_npy(HEADER, PIXELS, version=(9, 0))),
    "no header": npz_with(b"\x93NUM"),
    "not an array": npz_with(b"hello"),
    "claims 10**12 images": npz_with(raw_npy(HEADER.replace("20", "1000000000000"), PIXELS)),
    "negative shape": npz_with(raw_npy(HEADER.replace("20", "-20"), PIXELS)),
    "fewer bytes than claimed": npz_with(raw_npy(HEADER, PIXELS[:-1])),
    "more bytes than claimed": npz_with(raw_npy(HEADER, PIXELS + b"x")),
    "unknown type": npz_with(raw_npy(HEADER.replace("|u1", "|u7"), PIXELS)),
    "text of no width": npz_with(raw_npy(HEADER.replace("|u1", "<U0"), b"")),
    "dates": npz_with(raw_npy(HEADER.replace("|u1", "<M8[s]"), PIXELS)),
    "five axes": npz(x=np.zeros((20, 1, 1, 8, 8), np.uint8)),
    "two axes": npz(x=np.zeros((20, 64), np.uint8)),
    "seven channels": npz(x=np.zeros((20, 7, 8, 8), np.uint8)),
    "no images": npz(x=np.zeros((0, 8, 8), np.uint8), y=np.zeros(0, np.int64)),
    "sides of 3": npz(x=np.zeros((20, 3, 3), np.uint8)),
    "sides of 600": npz(x=np.zeros((20, 600, 600), np.uint8)),
    "wide integers": npz(x=np.zeros((20, 8, 8), np.int64)),
    "complex numbers": npz_with(raw_npy(HEADER.replace("|u1", "<c8"), PIXELS * 8)),
    "text as pixels": npz(x=np.full((20, 8, 8), "a")),
    "a NaN": npz(x=np.full((20, 8, 8), np.nan, np.float32)),
    "an infinity": npz(x=np.full((20, 8, 8), np.inf)),
    "pixels up to 255 as floats": npz(x=np.full((20, 8, 8), 255.0, np.float32)),
    "negative pixels": npz(x=np.full((20, 8, 8), -0.1, np.float32)),
    "no labels": npz(y=None),
    "no pictures": npz(x=None),
    "labels of another length": npz(y=np.arange(19) % 2),
    "fractional labels": npz(y=np.arange(20) / 2),
    "negative labels": npz(y=np.arange(20) % 2 - 1),
    "labels up to 10**6": npz(y=np.arange(20) * 50_000),
    "unsigned labels up to 2**64": npz(y=np.full(20, 2**64 - 1, np.uint64)),
    "text labels": npz(y=np.array(["a", "b"] * 10)),
    "one class": npz(y=np.zeros(20, np.int64)),
    "a class of one": npz(y=np.array([0] * 10 + [1] * 9 + [2])),
    "fewer names than classes": npz(classes=np.array(["only"])),
    "names as bytes": npz(classes=np.array([b"a", b"b"])),
    "names as objects": npz_of(
        {
            "x.npy": npy(np.zeros((20, 8, 8), np.uint8)),
            "y.npy": LABELS,
            "classes.npy": raw_npy(
                "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", b"\x80\x04K\x01."
            ),
        }
    ),
    "the same name twice": npz(classes=np.array(["a", "a"])),
    "a name with a control character": npz(classes=np.array(["a", "b\x1b[2J"])),
    "a name right to left": npz(classes=np.array(["a", "\u202eb"])),
    "a name of 5000": npz(classes=np.array(["a", "b" * 5000])),
    "a file besides the arrays": npz_of(
        {"x.npy": npy(np.zeros((20, 8, 8), np.uint8)), "y.npy": LABELS, "run.py": b"1"}
    ),
    "an array in a folder": npz_of({"x.npy": npy(np.zeros((20, 8, 8), np.uint8)), "a/y.npy": LABELS}),
    "an array that climbs out": npz_of({"x.npy": npy(np.zeros((20, 8, 8), np.uint8)), "../y.npy": LABELS}),
    "an array twice": npz_of(
        {"x.npy": npy(np.zeros((20, 8, 8), np.uint8)), "y.npy": LABELS, "X.npy": LABELS}
    ),
    "forty arrays": npz_of({f"a{n}.npy": LABELS for n in range(40)}),
    "a bomb of zeros": npz_of(
        {
            "x.npy": raw_npy(HEADER.replace("20, 8, 8", "200, 512, 512"), bytes(200 * 512 * 512)),
            "y.npy": LABELS,
        },
        zipfile.ZIP_DEFLATED,
    ),
    "train and test of different sizes": npz(
        x=None,
        y=None,
        x_train=np.zeros((20, 8, 8), np.uint8),
        y_train=np.arange(20) % 2,
        x_test=np.zeros((20, 9, 9), np.uint8),
        y_test=np.arange(20) % 2,
    ),
    "test labels of another length": npz(
        x=None,
        y=None,
        x_train=np.zeros((20, 8, 8), np.uint8),
        y_train=np.arange(21) % 2,
        x_test=np.zeros((20, 8, 8), np.uint8),
        y_test=np.arange(19) % 2,
    ),
}


def refused(data: bytes) -> str:
    with pytest.raises(InvalidInput) as refusal:
        load_images(data)
    return str(refusal.value)


@pytest.mark.parametrize("case", ZIPS)
def test_a_hostile_zip_is_refused(case, untouched):
    message = refused(ZIPS[case])
    assert plain_sentence(message), message


# Several guards would stop these; each has to be stopped by its own, before anything is unpacked.
REASONS = {
    "climbs out": "outside",
    "climbs out inside": "outside",
    "absolute": "outside",
    "drive": "outside",
    "symbolic link": "link or a device",
    "fifo": "link or a device",
    "device": "link or a device",
    "encrypted": "encrypted",
    "bzip2": "method",
    "overlapping files": "overlap",
    "300,000 entries that claim to be 50,000": "list of files",
    "names equal but for case": "one name",
    "one bomb": "unpacks to more",
    "a bomb under the ratio of small files": "times its size",
}


@pytest.mark.parametrize("case", REASONS)
def test_the_directory_alone_gives_the_reason(case):
    with pytest.raises(InvalidInput, match=REASONS[case]):
        open_zip(ZIPS[case], pictures.LIMITS)


@pytest.mark.parametrize("side", [5_000, 10_000, 50_000])
def test_a_picture_with_too_many_pixels_is_told_so(side):
    with pytest.raises(InvalidInput, match="too many pixels"):
        pictures.decode_picture(png_claiming(side, side), "cat/1.png", size=8, channels=3)


@pytest.mark.parametrize("case", PICTURES)
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_hostile_picture_is_refused_or_left_out(case, ending, untouched):
    """What asks for too much is refused; what is no picture is left out, and told so. Both name the file."""
    data = with_member(f"cat/zz.{ending}", PICTURES[case])
    if case in TOO_LARGE:
        message = refused(data)
        assert plain_sentence(message), message
        assert "zz" in message
        assert "many pixels" in message
        return
    raw, summary = decode(data, size=8, channels=3)
    assert len(raw.y) == 12
    [skipped] = summary.skipped
    assert skipped.examples == (f"cat/zz.{ending}",)
    assert plain_sentence(skipped_sentence(skipped))


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_no_picture_of_a_class_is_never_opened(case, untouched, monkeypatch):
    opened = []
    plain = pictures.read_member
    monkeypatch.setattr(
        pictures, "read_member", lambda a, info: opened.append(info.filename) or plain(a, info)
    )
    raw, summary = decode(LEFT_OUT[case], size=8, channels=3)
    assert len(raw.y) == 12
    [skipped] = summary.skipped
    assert not set(skipped.examples) & set(opened)


def test_a_class_of_broken_pictures_is_refused(untouched):
    broken = picture_zip(lambda a: [a.writestr(f"bird/{n}.png", b"no") for n in range(9)] and None)
    assert "of the 5 images that each class needs" in refused(broken)


@pytest.mark.parametrize("case", ARRAYS)
def test_a_hostile_npz_is_refused(case, untouched):
    message = refused(ARRAYS[case])
    assert plain_sentence(message), message


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        bomb(200),
        many_entries(300_000),
        many_entries(300_000, 50_000),
        ARRAYS["a bomb of zeros"],
        with_member("cat/zz.png", png_claiming(13_000, 13_000)),
    ],
    ids=["zip bomb", "300,000 entries", "a lying count", "npz bomb", "picture bomb"],
)
def test_a_bomb_costs_little_memory(data):
    with growth() as grown:
        refused(data)
    assert grown() < 32 * 2**20


@pytest.mark.slow
def test_growth_sees_the_memory_of_pictures():
    """The measure above is worth something: Pillow's own memory counts, which Python's tracer does not see."""
    with growth() as grown:
        pictures.decode_picture(solid_png(4000, 4000), "cat/1.png", size=8, channels=3)
    assert grown() > 32 * 2**20


def solid_png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(buffer, "PNG")
    return buffer.getvalue()


def test_a_compressed_white_picture_within_the_pixels_is_not_a_bomb():
    buffer = io.BytesIO()
    Image.new("RGB", (600, 400), "white").save(buffer, "PNG")
    dataset = load_images(with_member("cat/white.png", buffer.getvalue()), size=8)
    assert len(dataset.classes) == 2


def test_all_pictures_together_have_a_budget(monkeypatch):
    monkeypatch.setattr(pictures, "MAX_TOTAL_PIXELS", 12 * 12 * 9)
    load_images(GOOD)
    monkeypatch.setattr(pictures, "MAX_TOTAL_PIXELS", 12 * 12 * 9 // 16 - 1)  # JPEGs are decoded smaller
    with pytest.raises(InvalidInput, match="pixels together"):
        load_images(GOOD)


# --- limits, each to the last unit ------------------------------------------------------------------


def test_one_member_has_a_limit():
    data = npz_of({"cat/1.png": bytes(1000), "cat/2.png": bytes(10)})
    open_zip(data, ZipLimits(member_bytes=1000))
    with pytest.raises(InvalidInput, match="more than 999 bytes"):
        open_zip(data, ZipLimits(member_bytes=999))


def test_one_picture_file_has_a_limit():
    open_zip(with_member("cat/large.bmp", bytes(16 * 2**20)), pictures.LIMITS)
    with pytest.raises(InvalidInput, match="unpacks to more"):
        open_zip(with_member("cat/large.bmp", bytes(16 * 2**20 + 1)), pictures.LIMITS)


@pytest.mark.parametrize(
    ("data", "options", "as_float32"),
    [
        (GOOD, {"size": 8, "channels": 3}, 12 * 3 * 8 * 8 * 4),
        (GOOD, {"size": 8, "channels": 1}, 12 * 1 * 8 * 8 * 4),
        (npz(), {}, 20 * 8 * 8 * 4),
        (npz(), {"size": 16}, 20 * 16 * 16 * 4),
        (npz(), {"size": 4, "channels": 3}, 20 * 3 * 4 * 4 * 4),
        (npz(x=np.zeros((20, 6, 8, 3), np.uint8)), {}, 20 * 3 * 6 * 8 * 4),
        (npz(x=np.zeros((20, 3, 6, 8), np.uint8)), {"channels": 1}, 20 * 6 * 8 * 4),
        (npz(x=np.zeros((20, 8, 8), np.float64)), {}, 20 * 8 * 8 * 4),
        (
            npz(
                x=None,
                y=None,
                x_train=np.zeros((20, 8, 8), np.uint8),
                y_train=np.arange(20) % 2,
                x_test=np.zeros((10, 8, 8), np.uint8),
                y_test=np.arange(10) % 2,
            ),
            {},
            30 * 8 * 8 * 4,
        ),
    ],
    ids=range(9),
)
def test_the_images_are_counted_as_float32_at_the_size_asked_for(data, options, as_float32, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_ARRAY_BYTES", as_float32)
    load_images(data, **options)
    monkeypatch.setattr(arrays, "MAX_ARRAY_BYTES", as_float32 - 1)
    with pytest.raises(InvalidInput, match="take more than"):
        load_images(data, **options)


def test_too_many_images_are_refused_before_they_are_read(monkeypatch):
    def read(*_):
        raise AssertionError("an array or a picture was read")

    monkeypatch.setattr(arrays, "read_npz", read)
    monkeypatch.setattr(pictures, "decode_picture", read)
    many = npz_of({f"{'ab'[n % 2]}/{n}.png": picture(size=(4, 4)) for n in range(3500)})
    small = npz(x=np.zeros((1000, 8, 8), np.uint8), y=np.arange(1000) % 2)
    large = npz(x=np.zeros((3000, 224, 224), np.uint8), y=np.arange(3000) % 2)
    for data, options in ((large, {}), (small, {"size": 224, "channels": 3}), (many, {"size": 224})):
        with pytest.raises(InvalidInput, match="take more than 512 MB"):
            load_images(data, **options)


def jpeg_of(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are so many."""
    data = picture("JPEG", size=(64, 64), progressive=True)
    start, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    return data[:end] + data[start:end] * (scans - data.count(b"\xff\xda")) + data[end:]


def test_a_jpeg_of_many_scans_is_refused_and_an_honest_one_is_not():
    assert jpeg_of(12).count(b"\xff\xda") == 12
    pictures.decode_picture(jpeg_of(pictures.MAX_SCANS), "cat/1.jpg", size=8, channels=3)
    with pytest.raises(InvalidInput, match="scans"):
        pictures.decode_picture(jpeg_of(pictures.MAX_SCANS + 1), "cat/1.jpg", size=8, channels=3)


def test_decoding_sets_no_filter_of_warnings(monkeypatch):
    """Filters are the process's: two threads that set and restore them would undo each other."""
    warnings.simplefilter("ignore")  # until the end of this test; in tests every warning is an error already
    before, seen, plain = warnings.filters.copy(), [], pictures._square

    def square(*arguments):
        seen.append(warnings.filters.copy())
        return plain(*arguments)

    monkeypatch.setattr(pictures, "_square", square)
    pictures.decode_picture(picture(), "cat/1.png", size=8, channels=3)
    assert seen == [before]


def test_the_limits_count_all_members_together():
    data = npz_of({f"cat/{n}.png": bytes(1000) for n in range(20)})
    open_zip(data, ZipLimits(total_bytes=20_000))
    with pytest.raises(InvalidInput, match="more than 19,999"):
        open_zip(data, ZipLimits(total_bytes=19_999))
    with pytest.raises(InvalidInput, match="at most 19"):
        open_zip(data, ZipLimits(entries=19))
    with pytest.raises(InvalidInput, match="bytes"):
        open_zip(data, ZipLimits(upload_bytes=100))


def test_the_honest_originals_are_accepted(untouched):
    assert load_images(GOOD).input_shape == (3, 32, 32)
    assert load_images(npz()).input_shape == (1, 8, 8)
    assert load_images(picture_zip(packing=zipfile.ZIP_DEFLATED), size=8, channels=1).input_shape == (1, 8, 8)
