"""The bundle, used as a stranger would: unpacked elsewhere, run by an interpreter without this project."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from core.datasets import load_dataset, write_npz
from core.datasets.pictures import decode_picture
from core.errors import CoreError
from core.export.bundle import MEMBERS, OTHERS, Bundle, read_members, zip_bytes
from core.export.exporting import export_subnet
from core.export.predicting import common, predict_image
from core.export.subnet import ExtractedSubnet, about_data, extract_subnet
from core.networks.trees import as_tensors
from core.seeding import stream
from core.supernets import FAMILIES
from tests.export.subnets import architectures, data_of, digits, subnet, supernet

pytestmark = pytest.mark.slow

families = pytest.mark.parametrize("family", FAMILIES.names())


def unpack(made: ExtractedSubnet, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(export_subnet(made).data)) as archive:
        assert archive.testzip() is None
        folder.mkdir(parents=True, exist_ok=True)
        for name in archive.namelist():
            assert name in (*MEMBERS, *OTHERS)
            (folder / name).write_bytes(archive.read(name))
    return folder


def predict(
    folder: Path, *arguments: object, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Run predict.py from another folder; -I keeps this repository and PYTHONPATH out of its sight."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    command = [python, "-I", "-W", "error", str(folder / "predict.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(subnet("elastic_cnn"), tmp_path_factory.mktemp("bundle") / "subnet")


InProcess = Callable[[Path], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def in_process(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> InProcess:
    """Run the same script without a new interpreter: for the many ways to be wrong before the network loads."""
    monkeypatch.setattr(common, "HERE", bundle)

    def run(file: Path) -> subprocess.CompletedProcess[str]:
        with pytest.raises(SystemExit) as end:
            predict_image.main([str(file)])
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess([], int(str(end.value)), out, err)

    return run


@families
def test_predict_prints_the_accuracy_of_the_card_to_the_last_sample(family: str, tmp_path: Path) -> None:
    made, data = subnet(family, 2), data_of(family)
    folder = unpack(made, tmp_path / "subnet")
    result = predict(folder, write_npz(data, "test", tmp_path / "test.npz"))
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    told = json.loads(result.stdout)
    entry = made.card["test_accuracy"]
    asked = np.asarray(data.test.y).size  # of language, several positions of each window
    assert {name: told[name] for name in ("accuracy", "correct", "n")} == {
        "accuracy": entry.value,
        "correct": entry.correct,
        "n": asked,
    }
    low, high = json.loads((folder / "architecture.json").read_text())["metrics"]["test_accuracy"]["interval"]
    assert low < entry.value < high or entry.value in (0.0, 1.0)
    assert f"95 % interval {low:.4f} to {high:.4f} (Wilson)" in (folder / "card.md").read_text()
    # Independently: the shared weights with this architecture, all images at once.
    arch, net = architectures(family, 3)[2], supernet(family)
    statistics = net.calibrate_on(arch, data)
    guess = net(as_tensors(data.test.x), arch, statistics).argmax(-1)[: len(data.test)].numpy()
    assert told["correct"] == int((guess == data.test.y).sum())
    assert f"{entry.value:.4f}" in (folder / "card.md").read_text(encoding="utf-8")
    assert (
        json.loads((folder / "architecture.json").read_text())["metrics"]["test_accuracy"]["correct"]
        == told["correct"]
    )


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
def test_predict_counts_known_answers(bundle: Path, tmp_path: Path, dtype: str) -> None:
    """Labels made so that exactly 301 of 600 are right."""
    pixels = stream(0, "pixels").integers(0, 256, size=(600, 1, 8, 8)).astype(np.uint8)
    x = pixels.astype(np.float32) / np.float32(255)
    y = subnet("elastic_cnn").net(torch.from_numpy(x)).argmax(1).numpy()
    y[301:] = (y[301:] + 1) % 10
    # Without a channel axis, once: one channel needs none.
    np.savez(tmp_path / "some.npz", x=pixels if dtype == "uint8" else x[:, 0].astype(np.float64), y=y)
    told = json.loads(predict(bundle, tmp_path / "some.npz").stdout)
    assert told == {"accuracy": 301 / 600, "correct": 301, "n": 600}


def _arrays(**change: object) -> dict[str, object]:
    return {"x": np.zeros((4, 1, 8, 8), np.float32), "y": np.zeros(4, np.int64)} | change


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": np.zeros((4, 1, 8, 8), np.float32)}, "named x (images) and y (labels)"),
        (_arrays(x=np.zeros((4, 3, 8, 8), np.float32)), "(n, 1, 8, 8)"),
        (_arrays(x=np.zeros((0, 1, 8, 8), np.float32)), "at least 1"),
        (_arrays(x=np.full((4, 1, 8, 8), 255.0)), "outside 0 to 1"),
        (_arrays(x=np.full((4, 1, 8, 8), np.nan)), "outside 0 to 1"),
        (_arrays(x=np.zeros((4, 1, 8, 8), np.int32)), "int32"),
        (_arrays(x=np.zeros((4, 1, 8, 8), object)), "cannot be read"),
        (_arrays(y=np.zeros(3, np.int64)), "one label for each"),
        (_arrays(y=np.zeros((4, 1), np.int64)), "one label for each"),
        (_arrays(y=np.zeros(4)), "float64"),
        (_arrays(y=np.full(4, 10)), "0 to 9"),
        (_arrays(y=np.full(4, -1)), "0 to 9"),
    ],
)
def test_a_wrong_npz_gives_one_plain_sentence(
    in_process: InProcess, tmp_path: Path, arrays: dict[str, np.ndarray], says: str
) -> None:
    np.savez(tmp_path / "wrong.npz", **arrays)
    _fails(in_process(tmp_path / "wrong.npz"), says)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("noise.npz", b"PK\x03\x04 not a zip at all", "cannot be read"),
        ("empty.npz", b"", "cannot be read"),
        ("pickle.npz", b"\x80\x04N.", "cannot be read"),
        ("broken.png", b"\x89PNG\r\n\x1a\n broken", "cannot be read as a PNG"),
        ("text.txt", b"hello", "cannot be read"),
    ],
)
def test_a_wrong_file_gives_one_plain_sentence(
    in_process: InProcess, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    _fails(in_process(tmp_path / name), says)


def test_missing_files_give_one_plain_sentence(tmp_path: Path) -> None:
    folder = unpack(subnet("elastic_cnn"), tmp_path / "subnet")
    npz = write_npz(digits(), "test", tmp_path / "test.npz")
    np.savez(tmp_path / "wrong.npz", x=np.zeros((4, 3, 8, 8), np.float32), y=np.zeros(4, np.int64))
    _fails(predict(folder, tmp_path / "wrong.npz"), "(n, 1, 8, 8)")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    _fails(predict(folder, npz), "cannot be loaded")
    (folder / "model.py").unlink()
    _fails(predict(folder, npz), "model.py is missing")


def test_absent_files_give_one_plain_sentence(
    in_process: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fails(in_process(tmp_path / "absent.npz"), "there is no file")
    npz = write_npz(digits(), "test", tmp_path / "test.npz")
    monkeypatch.setattr(common, "HERE", tmp_path)
    _fails(in_process(npz), "architecture.json")


def _fails(result: subprocess.CompletedProcess[str], says: str) -> None:
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stdout == ""
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_every_kind_of_picture_gives_the_same_pixels(tmp_path: Path, mode: str) -> None:
    from PIL import Image

    grey = _strokes(3)
    Image.fromarray(grey).convert(mode, dither=Image.Dither.NONE).save(tmp_path / "digit.png")
    pixels = predict_image.read_picture(tmp_path / "digit.png", (1, 8, 8))
    np.testing.assert_array_equal(pixels, grey[None, None])
    colour = predict_image.read_picture(tmp_path / "digit.png", (3, 8, 8))
    np.testing.assert_array_equal(colour, np.broadcast_to(grey, (1, 3, 8, 8)))


def test_transparent_counts_as_black_and_photos_are_turned_upright(tmp_path: Path) -> None:
    from PIL import Image

    clear = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    clear.save(tmp_path / "clear.png")
    assert predict_image.read_picture(tmp_path / "clear.png", (1, 8, 8)).max() == 0
    grey = _strokes(5)
    turned = Image.fromarray(grey).transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6  # "turn clockwise to view"
    turned.save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_array_equal(predict_image.read_picture(tmp_path / "photo.png", (1, 8, 8))[0, 0], grey)


_MODES = {
    "wide": ("RGB", (30, 12)),
    "tall and gray": ("L", (9, 21)),
    "transparent": ("RGBA", (16, 16)),
    "gray and transparent": ("LA", (20, 11)),
    "print": ("CMYK", (12, 12)),
    "one bit": ("1", (12, 14)),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", list(_MODES))
def test_a_picture_is_read_as_pictures_came_into_the_training_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, channels: int
) -> None:
    from PIL import Image

    kind, size = _MODES[mode]
    bands = len(Image.new(kind, (1, 1)).getbands())
    noise = stream(4, "picture").integers(0, 256, size=(size[1], size[0], bands)).astype(np.uint8)
    plain = Image.fromarray(noise[..., 0]).convert("1") if kind == "1" else None
    picture = plain or Image.merge(kind, [Image.fromarray(noise[..., band]) for band in range(bands)])
    exif = picture.getexif()
    exif[0x0112] = 8
    file = tmp_path / ("photo.jpg" if kind == "CMYK" else "photo.png")
    picture.save(file, exif=exif)
    (tmp_path / "architecture.json").write_text(json.dumps({"data": {"background": "white"}}))
    monkeypatch.setattr(common, "HERE", tmp_path)
    trained, _ = decode_picture(file.read_bytes(), "photo", size=8, channels=channels)
    found = predict_image.read_picture(file, (channels, 8, 8))
    np.testing.assert_array_equal(found[0], trained)


@pytest.mark.slow
def test_whoever_reads_the_table_may_stop_reading(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    for number in range(3):
        Image.fromarray(_strokes(number)).save(tmp_path / f"{number}.png")
    command = [sys.executable, "-I", str(bundle / "predict.py"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "")


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.full((8, 8), 257 * 100, np.uint16)).save(tmp_path / "deep.png")
    assert (predict_image.read_picture(tmp_path / "deep.png", (1, 8, 8)) == 100).all()


def test_the_background_of_the_training_data_is_written_down() -> None:
    shipped = load_dataset("digits")
    assert "background" not in about_data(shipped)
    assert about_data(dataclasses.replace(shipped, name="images"))["background"] == "white"


def _strokes(seed: int) -> np.ndarray:
    return stream(seed, "picture").integers(0, 2, size=(8, 8)).astype(np.uint8) * 255


def test_a_picture_gets_classes_with_probabilities(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    grey = _strokes(3)
    Image.fromarray(grey).save(tmp_path / "digit.png")
    result = predict(bundle, tmp_path / "digit.png")
    assert result.returncode == 0, result.stderr
    images = torch.from_numpy(grey.astype(np.float32) / 255)[None, None]
    truth = torch.softmax(subnet("elastic_cnn").net(images)[0].double(), 0).numpy()
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert [name for _, name in lines] == [str(i) for i in np.argsort(-truth, kind="stable")]
    np.testing.assert_allclose([float(share) for share, _ in lines], np.sort(truth)[::-1], atol=6e-5)


def test_a_folder_and_several_pictures_give_a_line_each(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    album = tmp_path / "album"
    (album / "below").mkdir(parents=True)
    names = ["a.png", "=b.png", "below/c.bmp"]
    for seed, name in enumerate(names):
        Image.fromarray(_strokes(seed)).save(album / name)
    (album / "notes.txt").write_text("no picture")
    result = predict(bundle, album)
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert sorted(Path(row["file"]).name for row in rows) == ["=b.png", "a.png", "c.bmp"]
    for row in rows:
        seed = next(n for n, name in enumerate(names) if row["file"].endswith(Path(name).name))
        images = torch.from_numpy(_strokes(seed).astype(np.float32) / 255)[None, None]
        truth = torch.softmax(subnet("elastic_cnn").net(images)[0].double(), 0).numpy()
        assert row["class"] == str(truth.argmax())
        np.testing.assert_allclose([float(row[str(c)]) for c in range(10)], truth, atol=6e-5)
        assert row["probability"] == row[row["class"]]
    two = predict(bundle, album / "a.png", album / "below" / "c.bmp").stdout.splitlines()
    assert [line.split(",")[0] for line in two[1:]] == [str(album / "a.png"), str(album / "below/c.bmp")]


def test_one_bad_picture_does_not_keep_the_others(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(_strokes(1)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    result = predict(bundle, tmp_path)
    assert result.returncode == 2
    assert len(result.stdout.splitlines()) == 2
    assert "bad.png cannot be read" in result.stderr
    assert "1 of the pictures could not be read" in result.stderr


def test_a_folder_without_pictures_and_mixed_files_are_one_sentence(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _fails(predict(bundle, tmp_path / "empty"), "there is no picture in")
    npz = write_npz(digits(), "test", tmp_path / "test.npz")
    _fails(predict(bundle, npz, npz), "is no picture")
    _fails(predict(bundle, npz, tmp_path / "absent.png"), "there is no file")


def test_a_picture_is_inverted_on_request(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    grey = _strokes(4)
    Image.fromarray(grey).save(tmp_path / "small.png")
    Image.fromarray(255 - grey).save(tmp_path / "negative.png")
    straight = predict(bundle, tmp_path / "small.png").stdout
    assert len(straight.splitlines()) == 10
    assert predict(bundle, tmp_path / "negative.png", "--invert").stdout == straight


def test_a_picture_is_resized(tmp_path: Path) -> None:
    from PIL import Image

    halves = np.zeros((40, 90), np.uint8)
    halves[:, 45:] = 255
    Image.fromarray(halves).save(tmp_path / "large.jpg", quality=100)
    pixels = predict_image.read_picture(tmp_path / "large.jpg", (1, 8, 8))
    assert pixels.shape == (1, 1, 8, 8)
    assert pixels[..., :3].max() < 10
    assert pixels[..., 5:].min() > 245


def test_the_manifest_matches_the_files(bundle: Path) -> None:
    about = json.loads((bundle / "architecture.json").read_text())
    assert set(about["sha256"]) == set(MEMBERS) - {"architecture.json"}
    for name, digest in about["sha256"].items():
        assert hashlib.sha256((bundle / name).read_bytes()).hexdigest() == digest
    assert (
        supernet("elastic_cnn").space.from_dict(about["architecture"]) == architectures("elastic_cnn", 1)[0]
    )


@pytest.mark.parametrize("change", ["extra", "missing", "other predict.py", "other weights", "other card"])
def test_a_changed_bundle_is_refused(change: str) -> None:
    made = subnet("elastic_cnn")
    files = read_members(export_subnet(made).data)
    match change:
        case "extra":
            files["../evil.py"] = b""
        case "missing":
            files.pop("card.md")
        case "other predict.py":
            files["predict.py"] += b"\n"
        case "other card":
            files["card.md"] += b"\n"
        case "other weights":
            files["model.safetensors"] = export_subnet(subnet("elastic_cnn", 1), "safetensors").data
    with pytest.raises(CoreError):
        Bundle().run(zip_bytes(files), made, made.probe(5))


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES.names())
def test_in_a_clean_environment_with_torch_numpy_and_safetensors_alone(
    family: str, clean_python: str, tmp_path: Path
) -> None:
    data, net = data_of(family), supernet(family)
    npz = write_npz(data, "test", tmp_path / "test.npz")
    rng = stream(7, "clean environment", family)
    for index in range(8):
        arch = net.space.sample(rng)
        made = extract_subnet(net, arch, data)
        folder = unpack(made, tmp_path / f"subnet{index}")
        result = predict(folder, npz, python=clean_python)
        assert result.returncode == 0, result.stderr
        entry = made.card["test_accuracy"]
        told = json.loads(result.stdout)
        assert (told["accuracy"], told["correct"], told["n"]) == (entry.value, entry.correct, entry.n)
    if net.task.name != "image":
        return
    (tmp_path / "picture.png").write_bytes(b"")
    _fails(predict(folder, tmp_path / "picture.png", python=clean_python), "needs Pillow")


@pytest.fixture(scope="session")
def clean_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of a new environment that holds torch, numpy and safetensors."""
    folder = tmp_path_factory.mktemp("clean") / "env"
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    command = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "torch==2.13.0",
        "numpy",
        "safetensors",
    ]
    subprocess.run(command, check=True, timeout=1800)
    return python
