"""Data of one's own on the command line: what it holds is told as on the page, and trained on as proposed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from core.cli import own_data
from core.datasets import load_dataset
from core.datasets.images import found_in, keep_upload
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput, NotFound
from tests.datasets.test_uploads import gray_zip


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    path = tmp_path / "pets.zip"
    path.write_bytes(gray_zip("RGB", n=(20, 130)))
    return path


def test_a_file_is_told_as_the_page_tells_it(file: Path) -> None:
    lines = list(own_data.told(own_data.choice(str(file))))
    found = found_in(keep_upload(file.read_bytes()))
    assert lines[0] == "150 images in 2 classes."
    assert "Networks get gray images of 28x28 pixels." in lines
    assert [line.split() for line in lines if line.startswith(("cat", "dog"))] == [
        ["cat", "20", "12", "4", "4"],
        ["dog", "130", "78", "26", "26"],
    ]
    assert sum("left out" in line for line in lines) == 4
    assert [
        line.removeprefix("Warning: ") for line in lines if line.startswith("Warning: ")
    ] == found.warnings()
    assert any("very unequal" in line for line in lines)


def test_what_is_proposed_can_be_changed_and_is_what_is_loaded(file: Path) -> None:
    proposed = own_data.choice(str(file))
    assert load_dataset("images", **proposed["config"]).input_shape == (1, 28, 28)
    asked = own_data.choice(str(file), size=8, channels=3)
    assert load_dataset("images", **asked["config"]).input_shape == (3, 8, 8)


def test_what_is_no_data_is_refused(file: Path) -> None:
    with pytest.raises(NotFound, match="no file"):
        own_data.choice("nothing.zip")
    with pytest.raises(InvalidInput, match="--size"):
        own_data.choice("digits", size=8)
    file.write_bytes(b"hello")
    with pytest.raises(InvalidInput, match="not a zip"):
        own_data.choice(str(file))
    with pytest.raises(InvalidInput, match="--out"):
        next(own_data.written({"name": "digits", "config": {}}, None, "test", "digits-cnn", 0))


@pytest.mark.slow
def test_a_rehearsal_says_what_the_data_hold_and_how_long_it_takes(file: Path) -> None:
    chosen = own_data.choice(str(file))
    params = {
        "family": "elastic_cnn",
        "config": {"groups": [{"widths": [2, 4], "kernels": [3, 5]}]},
        "data": {**chosen, "seed": 0},
        "training": {"epochs": 2},
    }
    lines = list(own_data.rehearsed(params))
    assert "150 images in 2 classes." in lines
    [said] = [line for line in lines if line.startswith("The training will take about ")]
    assert "found by trying" in said
    assert any(line.startswith("Afterwards, measuring all ") for line in lines)


# --- texts ---------------------------------------------------------------------------------------------------

STORY = "\n".join(f"Line {i} of a story that goes on and on." for i in range(900))
ROWS = [f"{word} and {word} {i},{word}" for i in range(30) for word in ("ham", "egg")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    (tmp_path / "story.txt").write_text(STORY)
    (tmp_path / "food.csv").write_text("\n".join(["text,label", *ROWS]))
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("a.txt", STORY)
        archive.writestr("b.txt", STORY[::-1])
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for row in ROWS:
            text, label = row.split(",")
            archive.writestr(f"{label}/{text}.txt", text)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "name"),
    [("story.txt", "corpus"), ("food.csv", "texts"), ("one.zip", "corpus"), ("two.zip", "texts")],
)
def test_files_of_texts_are_what_they_hold(folder: Path, file: str, name: str) -> None:
    chosen = own_data.choice(str(folder / file))
    assert chosen["name"] == name
    assert load_dataset(name, **chosen["config"]).task == ("tokens" if name == "texts" else "language")  # type: ignore[arg-type]


def test_texts_are_told_with_their_classes_and_language_with_its_windows(folder: Path) -> None:
    lines = list(own_data.told(own_data.choice(str(folder / "food.csv"))))
    assert lines[0] == "60 texts in 2 classes."
    assert [line.split()[:2] for line in lines if line.startswith(("egg", "ham"))] == [
        ["egg", "30"],
        ["ham", "30"],
    ]
    lines = list(own_data.told(own_data.choice(str(folder / "story.txt"), length=16, scored=3)))
    assert lines[0].endswith("windows, 3 positions of each scored.")
    total, *parts = (int(number.replace(",", "")) for number in lines[-1].split()[1:])
    assert sum(parts) == total == int(lines[0].split()[0].replace(",", ""))


@pytest.mark.slow
def test_settings_of_texts_are_asked_of_texts_alone(folder: Path) -> None:
    given = folder / "tokenizer.json"
    given.write_bytes(Tokenizing.bytes_alone().json())
    chosen = own_data.choice(str(folder / "food.csv"), length=9, tokenizer=str(given))
    dataset = load_dataset("texts", **chosen["config"])  # type: ignore[arg-type]
    assert dataset.inputs["vocabulary"] == 258
    assert dataset.input_shape == (9,)
    for file, wrong, why in (
        ("food.csv", {"scored": 2}, "no --scored"),
        ("food.csv", {"size": 8}, "holds texts"),
        ("story.txt", {"tokenizer": "nothing.json"}, "no file"),
    ):
        with pytest.raises((InvalidInput, NotFound), match=why):
            own_data.choice(str(folder / file), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="--length"):
        own_data.choice("digits", length=8)
    (folder / "pets.zip").write_bytes(gray_zip("RGB", n=(20, 130)))
    with pytest.raises(InvalidInput, match="holds no texts"):
        own_data.choice(str(folder / "pets.zip"), length=8)
