"""Every command refuses what it cannot do in one plain line, before anything is recorded; in this process."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from pydantic import BaseModel, Field

from core.cli import flags, output
from core.cli import main as commands
from core.cli.driving import open_store
from core.errors import Busy, InvalidInput, StorageFailed
from core.spaces import Arch, SearchSpace
from tests.cli.conftest import Call

LARGEST, SMALLEST = "subnet:digits-cnn:311131113111", "subnet:digits-cnn:000000000000"


BAD = [
    ("train digits-cnn --method nope", "no strategy called 'nope'"),
    ("train digits-cnn --data nope", "no dataset called 'nope'"),
    ("train digits-cnn --epochs 0", "--epochs: "),
    ("train digits-cnn --flip maybe", "--flip: "),
    ("train digits-cnn --seed -1", "--seed: "),
    ("train digits-cnn epochs", "is no setting of the training"),
    ("train digits-cnn --n-random x", "--n-random: "),
    ("search digits-cnn --budget 0", "--budget: "),
    ("search digits-cnn --budget x", "--budget"),
    ("search digits-cnn --objectives ,", "--objectives: name at least one"),
    ("search digits-cnn --objectives macs,macs", "only once"),
    ("search digits-cnn --seed -1", "--seed: "),
    ("search digits-cnn --population 1", "--population: "),
    ("front digits-cnn --exact --sample 3", "either --exact"),
    ("front digits-cnn --sample -3", "either --exact"),
    ("front digits-cnn --exact --processes 0", "--processes: "),
    ("front digits-cnn --exact --objectives ,", "--objectives: name at least one"),
    ("front digits-cnn --exact --objectives beauty", "no objective called"),
    ("costs digits-cnn --sample -1", "--sample"),
    ("costs digits-cnn --objectives accuracy", "is not counted"),
    ("costs digits-cnn --objectives ,", "--objectives: name at least one"),
    ("costs nope", "no supernet called"),
    ("similarity a b", "names no network"),
    (f"similarity {LARGEST} subnet:digits-cnn:zz", "names no architecture"),
    (f"similarity {LARGEST} subnet:nope:0", "no supernet called"),
    (f"similarity {LARGEST} alone:{'0' * 32}:1", "not on this machine"),
    (f"similarity {LARGEST} {SMALLEST} --measure nope", "no measure called"),
    (f"similarity {LARGEST} {SMALLEST} --pooling nope", "no pooling 'nope'"),
    (f"similarity {LARGEST} {SMALLEST} --split nope", "--split: "),
    (f"similarity {LARGEST} {SMALLEST} --samples 0", "--samples: "),
    (f"similarity {LARGEST} {SMALLEST} --seed -1", "--seed: "),
    (f"similarity {LARGEST} {SMALLEST} --nope 0", "its settings are: none"),
    ("extract digits-cnn", "Missing option '--arch'"),
    ("extract digits-cnn --arch [1,2]", "names no architecture"),
    ("extract digits-cnn --arch 311131113111 --format nope", "no exporter called"),
    ("train-alone digits-cnn --arch 311131113111 --seeds 0", "--seeds: "),
    ("train-alone digits-cnn --arch 311131113111 --epochs 0", "--epochs: "),
    ("train-alone digits-cnn --arch 311131113111 --learning-rate nan", "--learning-rate: "),
    ("train-alone digits-cnn --arch zz", "names no architecture"),
    ("front digits-cnn --sample 999999999", "--sample: "),
    ("prune digits-cnn --epochs 501", "--epochs: "),
    ("prune digits-cnn --sparsity x", "--sparsity: 'x' is no list of numbers"),
    ("prune digits-cnn --sparsity 2", "--sparsity: sparsities lie between 0 and 1"),
    ("prune digits-cnn --sparsity nan", "between 0 and 1"),
    ("prune digits-cnn --sparsity ,", "at least one"),
    ("prune digits-cnn --severity 9", "--severity: severities go from 1 to 5"),
    ("prune digits-cnn --severity 2.5", "--severity: '2.5' is no list of whole numbers"),
    ("prune digits-cnn --severity inf", "no list of whole numbers"),
    ("prune digits-cnn --attacks nope", "--attacks: there is no attack nope"),
    ("prune digits-cnn --method nope", "no way to prune called"),
    ("prune digits-cnn --method magnitude,l1_filters --x 1", "belong to one method"),
    ("prune digits-cnn --arch zz", "names no architecture"),
    ("prune digits-cnn --epochs -1", "epochs: "),
    ("prune-experiment nope", "no experiment called"),
    ("prune-experiment lottery_tickets --nope 1", "its settings are: "),
    ("prune-experiment lottery_tickets --supernet nope", "no supernet called"),
    ("data nope --out x.npz", "no dataset called"),
    ("data mnist --supernet digits-cnn --out x.npz", "was trained on digits"),
    ("empty-trash --older-than -1", "--older-than"),
    ("package nope --out x", "no supernet called"),
    ("resume ../x", "no run"),
    ("list strategy nope", "no strategy called"),
    ("runs x", "unexpected extra argument"),
]


@pytest.mark.parametrize(("line", "words"), BAD, ids=[line for line, _ in BAD])
def test_a_refusal_is_one_line_and_leaves_nothing(
    call: Call, line: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = call(*line.split())
    assert (status, out) == (2, ""), err
    assert words in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []
    with open_store() as store:
        assert store.list_runs() == []


def test_a_file_that_cannot_be_written_is_another_status(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "none" / "subnet.safetensors"
    status, out, err = call(
        "extract", "digits-cnn", "--arch", "311131113111", "--format", "safetensors", "--out", str(target)
    )
    assert (status, out) == (1, "")
    assert err == f"{target} could not be written: No such file or directory.\n"


def test_a_csv_of_costs_is_written_and_named(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "costs.csv"
    arguments = ("costs", "digits-cnn", "--sample", "7", "--objectives", "macs")
    status, out, _ = call(*arguments, "--csv", str(target))
    assert (status, out) == (0, f"{target}\n")
    table = pd.read_csv(target)
    assert list(table) == ["architecture", "macs", "source"]
    assert set(table["source"]) == {"counted"}
    assert 1 <= len(table) <= 7
    assert table["architecture"].is_unique
    # Printed it is the same, and another seed draws others.
    assert call(*arguments)[1].encode() == target.read_bytes()
    assert call(*arguments, "--seed", "1")[1].encode() != target.read_bytes()


def test_an_empty_home_is_intact_and_has_no_runs(call: Call) -> None:
    assert call("runs") == (0, "", "")
    assert call("check") == (0, "Everything stored is intact.\n", "")
    assert call("empty-trash") == (0, "0 files deleted, 0.0 MB freed.\n", "")


def test_similarity_of_a_net_with_itself_is_one_on_the_diagonal(call: Call) -> None:
    status, out, err = call("similarity", SMALLEST, SMALLEST, "--samples", "40")
    assert status == 0, err
    table = pd.read_csv(io.StringIO(out))
    own = table[table["layer_a"] == table["layer_b"]]
    assert len(own) ** 2 == len(table)
    assert own["value"].to_numpy() == pytest.approx(1.0, abs=1e-5)


def test_the_readmes_table_names_every_method_that_list_names(call: Call) -> None:
    rows = call("list", "--markdown")[1].splitlines()[2:]
    named = {tuple(cell.strip(" `") for cell in row.split("|")[1:3]) for row in rows}
    listed = {tuple(line.split()[:2]) for line in call("list")[1].splitlines()}
    assert named == listed
    strategies = list(call("list", "strategy")[1].splitlines())
    assert {line.split()[0] for line in strategies} == {"strategy"}
    assert len(strategies) == sum(kind == "strategy" for kind, _ in listed)


@pytest.mark.parametrize(("error", "status"), [(InvalidInput("a\n  b"), 2), (Busy("a\n\tb"), 1)])
def test_errors_are_one_line_whatever_they_hold(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(commands, "open_store", fail)
    assert call("runs") == (status, "", "a b\n")


def test_a_bug_keeps_its_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "open_store", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("runs")


def test_content_is_printed_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output.write_or_print(None, "é,1\n".encode())
    assert capsys.readouterr().out == "é,1\n"
    output.write_or_print(tmp_path / "x", b"\x00\xff")
    assert (tmp_path / "x").read_bytes() == b"\x00\xff"
    with pytest.raises(StorageFailed, match="could not be written"):
        output.write(tmp_path, b"")


class Config(BaseModel):
    """Settings of a made-up method."""

    rate: float = Field(0.5, gt=0, le=1, description="How fast.")
    flip: bool = False
    name_of: str = "a"
    sizes: tuple[int, ...] = Field(default_factory=lambda: (1, 2))
    needed: int = Field(..., ge=3)


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("", {}),
        ("--rate 0.1 --flip", {"rate": 0.1, "flip": True}),
        ("--flip --rate=0.1", {"rate": 0.1, "flip": True}),
        ("--flip false", {"flip": False}),
        ("--name-of b", {"name_of": "b"}),
        ("--name_of=--x=y", {"name_of": "--x=y"}),
        ("--sizes [3,4]", {"sizes": [3, 4]}),
        ("--rate 0.1 --rate 0.2", {"rate": 0.2}),
        ("--needed 4", {"needed": 4}),
    ],
)
def test_flags_are_what_a_config_takes(line: str, given: dict[str, object]) -> None:
    assert flags.parse(line.split(), Config, "method") == given


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--rate 0", "--rate: "),
        ("--rate", "--rate: a value is missing"),
        ("--needed --flip", "--needed: a value is missing"),
        ("--rate nan", "--rate: "),
        ("--needed 2", "--needed: "),
        ("--sizes 3", "--sizes: "),
        ("--name-of 3", "--name-of: "),
        ("rate 3", "'rate' is no setting of the method"),
        ("-rate 3", "--rate, --flip, --name-of, --sizes, --needed"),
        ("--rate 0.1 0.2", "'0.2' is no setting"),
        ("--=3", "is no setting"),
    ],
)
def test_flags_that_no_config_takes_are_named(line: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        flags.parse(line.split(), Config, "method")
    assert words in str(caught.value)


def test_flags_are_described_with_their_defaults() -> None:
    rows = {flag: (default, said) for flag, default, said in flags.describe(Config)}
    assert rows["--rate"] == ("0.5", "How fast.")
    assert rows["--name-of"] == ('"a"', "")
    assert rows["--sizes"][0] == "[1, 2]"
    assert rows["--needed"][0] == "required"


def test_an_architecture_is_json_or_an_id() -> None:
    from core.cli.driving import find_supernet
    from core.cli.tables import architecture

    space: SearchSpace = find_supernet("digits-cnn").space
    arch: Arch = space.from_id("311131113111")
    for text in ("311131113111", json.dumps(space.to_dict(arch)), "\n " + json.dumps(space.to_dict(arch))):
        assert architecture(space, text) == arch
    for text in ("{}", '{"width1": 1, "width1": 2}', '{"width1": null}', '{"width1": NaN}'):
        with pytest.raises(InvalidInput):
            architecture(space, text)
