"""The command line as a script uses it: tables, exit statuses, one plain line on stderr."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.pareto import non_dominated
from tests.cli.conftest import Call

ROOT = Path(__file__).resolve().parents[2]
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(home: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Call a command in this process, in the home that this file's tests share."""
    monkeypatch.setenv("PARETOSCOPE_HOME", str(home))

    def done(*arguments: str) -> Done:
        return subprocess.CompletedProcess(arguments, *call(*arguments))

    return done


@pytest.fixture
def process(home: Path) -> Callable[..., Done]:
    """Call `python -m core ...` as a script does, in that home."""

    def done(*arguments: str) -> Done:
        environment = os.environ | {"PARETOSCOPE_HOME": str(home), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "core", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)

    return done


def table(done: Done) -> pd.DataFrame:
    assert done.returncode == 0, done.stderr
    return pd.read_csv(io.StringIO(done.stdout))


def test_exact_front_of_a_shipped_supernet(process) -> None:
    found = table(process("front", "digits-cnn", "--exact", "--objectives", "accuracy,macs"))
    assert list(found) == ["architecture", "accuracy", "macs", "on_front", "source"]
    assert len(found) == 13_824
    assert set(json.loads(found["architecture"].iloc[0])) <= {*json.loads(found["architecture"].iloc[-1])}
    expected = non_dominated(found[["accuracy", "macs"]], maximize=[True, False])
    assert (found["on_front"] == expected).all()


@pytest.mark.slow
def test_intervals_and_the_share_of_resamples_are_columns_on_request(call, tmp_path) -> None:
    file = tmp_path / "f.csv"
    assert call("front", "digits-cnn", "--exact", "--intervals", "--csv", str(file))[0] == 0
    found = pd.read_csv(file)
    assert list(found)[-4:] == ["source", "accuracy_low", "accuracy_high", "front_share"]
    assert ((found["accuracy_low"] < found["accuracy"]) & (found["accuracy"] < found["accuracy_high"])).all()
    members = found[found["on_front"]]
    assert members["front_share"].mean() == pytest.approx(0.33, abs=0.05)
    assert found["front_share"].iloc[0] == 1, "nothing is cheaper"
    assert 15 < found["front_share"].sum() < 40
    told = json.loads((tmp_path / "f.about.json").read_text())["columns"]
    assert "Wilson" in told["accuracy_low"]["meaning"]
    assert "2,000 resamples" in told["front_share"]["meaning"]
    for wrong in (
        ("--sample", "5", "--intervals"),
        ("--exact", "--objectives", "params,macs", "--intervals"),
    ):
        status, _, said = call("front", "digits-cnn", *wrong)
        assert status == 2
        assert len(said.strip().splitlines()) == 1


@pytest.mark.slow
def test_search_is_reproducible_and_stays_within_its_budget(run) -> None:
    arguments = (
        "search",
        "digits-cnn",
        "--algorithm",
        "nsga2",
        "--budget",
        "60",
        "--seed",
        "3",
        "--population",
        "20",
    )
    first, second = run(*arguments), run(*arguments)
    found = table(first)
    assert first.stdout == second.stdout
    assert len(found) == found["architecture"].nunique() == 60
    assert found["on_front"].any()


def test_a_search_keeps_its_bounds_and_starts_from_an_earlier_one(call: Call, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    assert call("search", "digits-cnn", "--budget", "40", "--csv", str(first))[0] == 0
    told = json.loads(first.with_name("first.about.json").read_text())["algorithm"]
    assert "constraints" not in told
    bounds = ("--constraint", "macs:..200000", "--constraint", "accuracy:0.85..")
    more = ("search", "digits-cnn", "--budget", "30", "--from-run", told["run"], *bounds)
    assert call(*more, "--csv", str(second))[0] == 0
    rows = pd.read_csv(second)
    assert (rows["source"] == "measured (table)").all()
    assert len(rows) == rows["architecture"].nunique() == 70
    assert (rows["macs"][40:] <= 200_000).all()
    kept = rows[rows["on_front"]]
    assert len(kept)
    assert ((kept["macs"] <= 200_000) & (kept["accuracy"] >= 0.85)).all()
    told = json.loads(second.with_name("second.about.json").read_text())["algorithm"]
    assert told["constraints"][0] == {"objective": "macs", "upper": 200_000.0}


def test_measuring_again_equals_the_table(run) -> None:
    arguments = (
        "search",
        "digits-cnn",
        "--algorithm",
        "random_search",
        "--budget",
        "5",
        "--objectives",
        "accuracy,macs,loss",
    )
    measured, looked_up = table(run(*arguments, "--no-use-table")), table(run(*arguments))
    pd.testing.assert_frame_equal(
        measured.drop(columns="source"), looked_up.drop(columns="source"), rtol=1e-6
    )
    assert set(measured["source"]) == {"measured"}
    assert set(looked_up["source"]) == {"measured (table)"}


def test_extracts_a_bundle_whose_card_says_what_the_table_says(run, home) -> None:
    done = run("front", "digits-cnn", "--exact", "--objectives", "test_accuracy,macs")
    row = table(done).iloc[4321]
    # Test values are shown and decide nothing: the front is that of the MACs alone.
    assert "on_front looks at MACs alone" in done.stderr
    assert set(table(done)[table(done)["on_front"]]["macs"]) == {table(done)["macs"].min()}
    done = run("extract", "digits-cnn", "--arch", row["architecture"], "--out", str(home / "sub.zip"))
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(home / "sub.zip") as bundle:
        about = json.loads(bundle.read("architecture.json"))
    assert about["architecture"] == json.loads(row["architecture"])
    assert about["metrics"]["test_accuracy"]["value"] == row["test_accuracy"]
    assert about["metrics"]["macs"]["value"] == row["macs"]


def test_data_are_written_as_the_supernet_saw_them(run, home) -> None:
    done = run("data", "digits", "--split", "test", "--out", str(home / "test.npz"))
    assert done.returncode == 0, done.stderr
    with np.load(home / "test.npz") as arrays:
        assert arrays["x"].shape == (359, 1, 8, 8)
        assert arrays["x"].dtype == np.float32
        assert len(arrays["y"]) == 359


def test_costs_need_no_weights(run) -> None:
    found = table(run("costs", "digits-vit", "--sample", "20"))
    assert list(found) == ["architecture", "params", "macs", "source"]
    assert (found[["params", "macs"]] > 0).all(axis=None)
    cells = table(run("costs", "digits-nb201", "--sample", "5"))
    assert cells["arch_str"].str.fullmatch(r"\|\w+~0\|\+\|\w+~0\|\w+~1\|\+\|\w+~0\|\w+~1\|\w+~2\|").all()


@pytest.mark.slow
def test_trains_keeps_the_run_and_writes_the_file(run, process, home) -> None:
    out = home / "mine.safetensors"
    done = process("train", "digits-lesson", "--epochs", "1", "--n-random", "0", "--out", str(out))
    assert done.returncode == 0, done.stderr
    final = json.loads(done.stdout)
    assert final["final"]["epoch"] == 1
    assert "done" in run("runs").stdout
    assert len(table(run("front", str(out), "--sample", "3"))) == 3
    again = run("resume", final["run"])
    assert again.returncode == 2
    assert "done" in again.stderr


def test_lists_every_kind_and_one_methods_settings(run) -> None:
    everything = run("list").stdout
    for kind in ("family", "strategy", "algorithm", "objective", "exporter", "dataset"):
        assert f"\n{kind} " in f"\n{everything}"
    assert "--population" in run("list", "algorithm", "nsga2").stdout


@pytest.mark.slow
def test_check_and_doctor_find_a_healthy_machine(run, process) -> None:
    assert "intact" in run("check").stdout
    done = process("doctor")
    assert done.returncode == 0, done.stdout
    assert "digits-cnn: 13,824" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("search", "nonsense"), "no supernet called"),
        (("search", "digits-cnn", "--algorithm", "nsga22"), "Did you mean 'nsga2'"),
        (("search", "digits-cnn", "--constraint", "macs:5"), "--constraint 'macs:5' says no bound"),
        (("search", "digits-cnn", "--constraint", "macs:..many"), "says no bound"),
        (("search", "digits-cnn", "--constraint", "beauty:..5"), "no objective called"),
        (("search", "digits-cnn", "--constraint", "macs:..1"), "the closest one has macs 3,240"),
        (("search", "digits-cnn", "--constraint", "macs:2..1"), "at least 2 and at most 1"),
        (("search", "digits-cnn", "--seconds", "-1"), "--seconds: "),
        (("search", "digits-cnn", "--from-run", "gone"), "no run 'gone'"),
        (("search", "digits-cnn", "--objectives", "test_accuracy,macs"), "cannot steer a search"),
        (("search", "digits-cnn", "--objectives", "beauty"), "no objective called"),
        (
            ("front", "digits-cnn", "--exact", "--objectives", "test_accuracy,test_loss"),
            "choose by test data",
        ),
        (("search", "digits-cnn", "--populace", "4"), "is no setting of"),
        (("front", "digits-cnn"), "either --exact"),
        (("extract", "digits-cnn", "--arch", "{"), "not valid JSON"),
        (("extract", "digits-cnn", "--arch", '{"width1":' + "[" * 100_000), "nested too deeply"),
        (("search", "digits-cnn", "--population", "[" * 100_000), "--population"),
        (("extract", "digits-cnn", "--arch", '{"width1": 3}'), "width1 cannot be 3"),
        (("extract", "digits-cnn", "--arch", "000", "--format", "bundle"), "no architecture"),
        (("extract", "requirements.txt", "--arch", "0"), "safetensors"),
        (("train", "mnist-cnn"), "no preset called"),
        (("train", "digits-cnn", "--epochs", "many"), "--epochs"),
        (("data", "digits", "--split", "tests", "--out", "x.npz"), "no split called"),
        (("resume", "0" * 32), "no run"),
        (("list", "colour"), "no kind called"),
        (("frobnicate",), "No such command"),
    ],
)
def test_bad_arguments_give_one_plain_line_and_status_2(
    call: Call, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(ROOT)
    status, said, complaint = call(*arguments)
    assert status == 2, complaint
    assert words in complaint
    assert len(complaint.strip().splitlines()) == 1
    assert said == ""


def test_a_bad_argument_ends_a_process_with_status_2(process) -> None:
    done = process("search", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no supernet called" in done.stderr


@pytest.mark.slow
def test_latency_can_be_searched_on(run) -> None:
    found = table(
        run(
            "search",
            "digits-cnn",
            "--objectives",
            "accuracy,latency_ms",
            "--budget",
            "4",
            "--population",
            "4",
        )
    )
    assert len(found) == 4
    assert found["latency_ms"].gt(0).all()
    assert found["accuracy"].between(0.05, 1).all()
    assert (found["latency_ms"] > 0).all()
    assert set(found["source"]) <= {"measured", "measured: accuracy; measured (noisy): latency_ms"}
