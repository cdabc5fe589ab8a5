"""predict.py for series: arrays are counted, a sound file is heard as the training data were, a folder is a table."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from core.datasets import write_npz
from core.datasets.waves import fitted, read_wave, resampled
from core.export.exporting import export_subnet
from core.export.predicting import common, predict_series
from tests.export.subnets import data_of, subnet
from tests.helpers.sounds import tone, wav

pytestmark = pytest.mark.slow

FAMILY = "elastic_tdnn"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bundle")
    (made / "bundle.zip").write_bytes(export_subnet(subnet(FAMILY)).data)
    with zipfile.ZipFile(made / "bundle.zip") as archive:
        archive.extractall(made)
    write_npz(data_of(FAMILY), "test", made / "test.npz")
    (made / "sounds" / "deep").mkdir(parents=True)
    (made / "sounds" / "a.wav").write_bytes(wav(tone(440, 44_100), 44_100))
    (made / "sounds" / "deep" / "b.WAV").write_bytes(wav(tone(300, 8000, 2.0), 8000, bits=16))
    (made / "sounds" / "notes.txt").write_text("x")
    return made


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def one(*names: str) -> tuple[int, str, str]:
        monkeypatch.setattr(common, "HERE", folder)
        monkeypatch.setattr(predict_series, "load_subnet", lambda: subnet(FAMILY).net)
        status = 0
        try:
            predict_series.main([str(folder / name) for name in names])
        except SystemExit as end:
            status = int(str(end.code))
        return status, *capsys.readouterr()

    return one


def test_arrays_give_what_the_card_says(run) -> None:
    entry = subnet(FAMILY).card["test_accuracy"]
    status, out, err = run("test.npz")
    assert (status, err) == (0, "")
    assert json.loads(out) == {"accuracy": entry.value, "correct": entry.correct, "n": entry.n}


def heard(path: Path) -> list[float]:
    """Probabilities of a file, as its training data would have been read."""
    samples, rate = read_wave(path.read_bytes())
    x = torch.from_numpy(fitted(resampled(samples, rate, 2000), 2048)[None, None])
    shares: list[float] = torch.softmax(subnet(FAMILY).net(x)[0].double(), 0).tolist()
    return shares


def test_a_sound_prints_the_classes_with_their_probabilities(run, folder: Path) -> None:
    status, out, err = run("sounds/a.wav")
    assert (status, err) == (0, "")
    told = {line.split("  ")[1]: float(line.split("  ")[0]) for line in out.splitlines()}
    wanted = dict(zip(subnet(FAMILY).classes, heard(folder / "sounds" / "a.wav"), strict=True))
    assert told == pytest.approx(wanted, abs=6e-5)
    assert list(told.values()) == sorted(told.values(), reverse=True)


def test_a_folder_is_a_table_of_all_its_sounds(run, folder: Path) -> None:
    status, out, err = run("sounds")
    assert (status, err) == (0, "")
    header, *rows = csv.reader(io.StringIO(out))
    assert header == ["file", "class", "probability", *subnet(FAMILY).classes]
    assert [Path(row[0]).name for row in rows] == ["a.wav", "b.WAV"]
    for row in rows:
        assert [float(cell) for cell in row[3:]] == pytest.approx(heard(Path(row[0])), abs=6e-5)
        assert row[2] == max(row[3:])


def test_what_does_not_fit_is_one_sentence(run, folder: Path) -> None:
    (folder / "bad.wav").write_bytes(b"RIFF")
    np.savez(folder / "short.npz", x=np.zeros((2, 1, 100), np.float32), y=np.zeros(2, np.int64))
    np.savez(folder / "whole.npz", x=np.zeros((2, 2048), np.int16), y=np.zeros(2, np.int64))
    for name, says in (
        ("bad.wav", "not a WAV file"),
        ("short.npz", "(n, 1, 2048)"),
        ("whole.npz", "floating-point"),
        ("sounds/notes.txt", "cannot be read"),
    ):
        status, out, err = run(name)
        assert (status, out) == (2, "")
        assert says in err
        assert len(err.strip().splitlines()) == 1


def test_the_script_of_a_download_hears_the_same_without_this_project(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "predict.py", "sounds/a.wav"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": "", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    best = max(zip(heard(folder / "sounds" / "a.wav"), subnet(FAMILY).classes, strict=True))
    assert done.stdout.splitlines()[0] == f"{best[0]:.4f}  {best[1]}"
