"""`prune` at a terminal: a line per network, a file that is smaller, one plain line for bad arguments."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from core.words import format_share
from tests.cli.test_train_alone_command import call

pytestmark = pytest.mark.slow

SMALLEST = "000000000000"


def test_a_network_is_pruned_kept_and_written(tmp_path: Path) -> None:
    out = tmp_path / "pruned.zip"
    done = call(
        tmp_path,
        "prune",
        "digits-cnn",
        "--arch",
        SMALLEST,
        "--method",
        "l1-filters",
        "--sparsity",
        "0.3,0.5",
        "--epochs",
        "0",
        "--allocation",
        "layer",
        "--out",
        str(out),
    )
    assert done.returncode == 0, done.stderr
    *rows, written = done.stdout.splitlines()
    parent, some, more = map(json.loads, rows)
    assert parent["model"] == f"subnet:digits-cnn:{SMALLEST}"
    assert parent["sparsity"] == 0
    assert 0.3 <= some["sparsity"] < more["sparsity"]
    assert more["sparsity"] >= 0.5
    assert more["macs"] < some["macs"] < parent["macs"]
    assert more["bytes"] < some["bytes"] < parent["bytes"]
    assert written == str(out)
    with zipfile.ZipFile(io.BytesIO(out.read_bytes())) as archive:
        card = archive.read("card.md").decode()
    assert "pruned" in card
    assert format_share(more["sparsity"], 1) in card
    again = call(tmp_path, "runs")
    assert "prune_models" in again.stdout


def test_a_method_that_cannot_prune_says_why(tmp_path: Path) -> None:
    done = call(
        tmp_path,
        "prune",
        "digits-cnn",
        "--arch",
        SMALLEST,
        "--method",
        "taylor",
        "--rounds",
        "3",
        "--epochs",
        "0",
    )
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["failed"].endswith(".")
    assert "could prune" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "magnitud"], "Did you mean 'magnitude'?"),
        (["--sparsity", "1.5"], "between 0 and 1"),
        (["--sparsity", "much"], "no list of numbers"),
        (["--severity", "9"], "1 to 5"),
        (["--attacks", "none"], "there is no attack"),
        (["--method", "magnitude,snip", "--rounds", "3"], "one method"),
        (["--method", "magnitude", "--colour", "3"], "no setting"),
    ],
)
def test_bad_arguments_get_one_plain_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = call(tmp_path, "prune", "digits-cnn", *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


def test_an_experiment_prints_its_verdict(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    done = call(
        tmp_path, "prune-experiment", "random-sparse", "--seeds", "1", "--epochs", "1", "--csv", str(table)
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2
    assert table.read_text().startswith("condition,seed,x,y,split")
