"""Downloads that split texts: a language model writes what the app writes, a classifier tells classes of plain text."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from core.datasets import load_dataset
from core.datasets.text_rows import rows_of_tokens
from core.datasets.tokenizing import Tokenizing
from core.errors import CoreError
from core.export.bundle import Bundle, beside, read_members, zip_bytes
from core.export.card import manifest
from core.export.exporting import export_subnet
from core.export.predict_script import generate_script
from core.export.predicting import common, predict_tokens, texts
from core.export.predicting.generate import main as generate_main
from core.export.subnet import ExtractedSubnet, extract_subnet
from core.networks.generating import generate
from core.seeding import torch_seed
from core.supernets import FAMILIES
from tests.export.subnets import subnet

pytestmark = pytest.mark.slow

PROMPT = "Permission is hereby granted, free of charge"
TEXTS = ["This program is free software; you can redistribute it", "Covered Code — “Exhibit A”, naïve", ""]


@lru_cache
def classifier() -> ExtractedSubnet:
    """A BERT with random weights for passages, cut at 24 tokens."""
    data = load_dataset("license_passages", seed=0, length=24, words=64)
    cls = FAMILIES.get("elastic_bert")
    net = cls(cls.Config.model_validate(cls.task.settings_from(data)))
    generator = torch.Generator().manual_seed(torch_seed(0, "texts outside"))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.1 + 0.3 * torch.randn(parameter.shape, generator=generator))
    return extract_subnet(net, net.space.largest, data, title="Passages")


def unpack(made: ExtractedSubnet, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(export_subnet(made).data)) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(subnet("elastic_decoder"), tmp_path_factory.mktemp("writer"))


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(classifier(), tmp_path_factory.mktemp("teller"))


def run(
    folder: Path, script: str, *arguments: object, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """A script of a download, from its folder's parent, with nothing of this repository in sight."""
    command = [python, "-I", "-W", "error", str(folder / script), *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder.parent, capture_output=True, text=True, timeout=120, check=False
    )


def written(folder: Path, *arguments: object, python: str = sys.executable) -> dict[str, object]:
    done = run(folder, "generate.py", *arguments, "--json", python=python)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def by_the_app(n: int, temperature: float, top_k: int, seed: int) -> dict[str, object]:
    made = subnet("elastic_decoder")
    tokenizer = Tokenizing.read(made.tokenizer)
    start = tokenizer.encode(PROMPT)
    tokens = generate(made.net, start, n, temperature, top_k, seed)
    return {"prompt": tokenizer.decode(start), "text": tokenizer.decode(tokens), "tokens": tokens}


@pytest.mark.parametrize(
    ("n", "temperature", "top_k", "seed"), [(40, 0.8, 0, 0), (12, 1.5, 5, 7), (12, 0, 0, 3)]
)
def test_the_same_seed_gives_the_app_s_text(
    writer: Path, n: int, temperature: float, top_k: int, seed: int
) -> None:
    """Forty tokens go beyond the context of 24, so the window is read anew on the way."""
    asked = ["-n", n, "--temperature", temperature, "--top-k", top_k, "--seed", seed]
    found = written(writer, PROMPT, *asked)
    assert found == by_the_app(n, temperature, top_k, seed)
    if temperature:
        assert found["tokens"] != by_the_app(n, temperature, top_k, seed + 1)["tokens"]


def test_a_prompt_may_lie_in_a_file(writer: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text(PROMPT, encoding="utf-8")
    told = run(writer, "generate.py", tmp_path / "prompt.txt", "-n", 8)
    expected = by_the_app(8, 0.8, 0, 0)
    assert told.stdout == f"{expected['prompt']}{expected['text']}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([""], "finds nothing in this text"),
        ([PROMPT, "-n", 0], "1 to 4,096 tokens"),
        ([PROMPT, "--temperature", "-1"], "from 0 to 100"),
        ([PROMPT, "--top-k", "-1"], "or 0 for all"),
        (["missing.txt"], "cannot be read as text"),
    ],
)
def test_generate_refuses_in_a_sentence(
    writer: Path,
    arguments: list[object],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(monkeypatch, capsys, writer, lambda: generate_main([str(each) for each in arguments]), says)


def refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    main: Callable[[], None],
    says: str,
) -> None:
    """Without a new interpreter: what a script refuses before its network loads, or right after."""
    monkeypatch.setattr(common, "HERE", folder)
    monkeypatch.setattr(texts, "HERE", folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "model", raising=False)
    with pytest.raises(SystemExit) as end:
        main()
    monkeypatch.delitem(sys.modules, "model", raising=False)
    told = capsys.readouterr().err
    assert (end.value.code, told.count("\n"), says in told) == (2, 1, True), told


def shares(written: list[str]) -> torch.Tensor:
    """Probabilities of the classes, of texts split as data sets split them."""
    made = classifier()
    x, lengths = rows_of_tokens(written, Tokenizing.read(made.tokenizer), 24, lambda share, told: None)
    mask = torch.arange(24) < torch.from_numpy(lengths)[:, None]
    return made.net((torch.from_numpy(x), mask)).double().softmax(1)


def test_a_text_gets_its_classes(teller: Path, tmp_path: Path) -> None:
    text = " ".join(TEXTS) * 3  # longer than the 24 tokens that the network takes
    done = run(teller, "predict.py", text)
    assert (done.returncode, done.stderr) == (0, "")
    ranked = [line.split("  ") for line in done.stdout.splitlines()]
    expected = sorted(zip(shares([text])[0].tolist(), classifier().classes, strict=True), reverse=True)
    assert [(name, f"{share:.4f}") for share, name in expected] == [(name, share) for share, name in ranked]
    (tmp_path / "one.txt").write_text(text, encoding="utf-8")
    assert run(teller, "predict.py", tmp_path / "one.txt").stdout == done.stdout


def test_a_text_that_is_too_long_is_cut_between_the_tokens_around_it() -> None:
    words = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "b": 4, "c": 5, "d": 6}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    assert texts.numbers(tokenizer, "a b c d", 3) == [3, 4, 5]
    around = [("[CLS]", 1), ("[SEP]", 2)]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    assert texts.numbers(tokenizer, "a b c d", 6) == [1, 3, 4, 5, 6, 2]
    assert texts.numbers(tokenizer, "a b c d", 5) == [1, 3, 4, 5, 2]
    assert texts.numbers(tokenizer, "a b c d", 2) == [1, 2]


def test_tables_and_folders_of_texts(teller: Path, tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([number, text] for number, text in enumerate(TEXTS))])
    done = run(teller, "predict.py", tmp_path / "rows.csv")
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0] == ["text", "class", "probability", *classifier().classes]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"]
    expected = [[f"{each:.4f}" for each in row] for row in shares(TEXTS).tolist()]
    assert [row[3:] for row in rows[1:]] == expected
    (tmp_path / "texts").mkdir()
    for number, text in enumerate(TEXTS):
        (tmp_path / "texts" / f"{number}.txt").write_text(text, encoding="utf-8")
    folder = list(csv.reader(io.StringIO(run(teller, "predict.py", tmp_path / "texts").stdout)))
    assert [row[3:] for row in folder[1:]] == expected


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.csv", b"id,words\n1,a\n", "no column called text"),
        ("rows.csv", b"text\n", "no rows"),
        ("one.txt", b"\xff\xfe\x00", "cannot be read as text"),
        ("some.npz", b"", "cannot be read as an .npz"),
    ],
)
def test_predict_refuses_texts_in_a_sentence(
    teller: Path,
    tmp_path: Path,
    name: str,
    content: bytes,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / name).write_bytes(content)
    refused(monkeypatch, capsys, teller, lambda: predict_tokens.main([str(tmp_path / name)]), says)


def test_the_card_says_what_is_needed(writer: Path, teller: Path) -> None:
    for folder, script in ((writer, "generate.py"), (teller, "predict.py")):
        card = (folder / "card.md").read_text(encoding="utf-8")
        assert "pip install torch numpy safetensors tokenizers" in card
        assert f'python {script} "some text"' in card
        assert "- `tokenizer.json`" in card
    assert "the cache of keys and values" in (writer / "card.md").read_text(encoding="utf-8")
    assert not (teller / "generate.py").exists()
    assert (writer / "generate.py").read_bytes() == generate_script()


@pytest.mark.parametrize("name", ["tokenizer.json", "generate.py"])
def test_another_tokenizer_or_script_is_refused(name: str) -> None:
    made = subnet("elastic_decoder")
    files = read_members(export_subnet(made).data)
    files[name] += b"\n"
    # With a description that fits, so that it is not that which is refused.
    others = {each: content for each, content in files.items() if each != "architecture.json"}
    files["architecture.json"] = manifest(made, others).encode()
    with pytest.raises(CoreError, match=r"tokenizer or generate\.py is not the subnet's"):
        Bundle().run(zip_bytes(files), made, made.probe(3))


def test_without_a_tokenizer_there_is_nothing_to_write_with() -> None:
    assert beside(replace(subnet("elastic_decoder"), tokenizer=b"")) == {}
    assert list(beside(classifier())) == ["tokenizer.json"]


@pytest.mark.long
def test_in_a_clean_environment_with_four_packages(tmp_path: Path, writer: Path, teller: Path) -> None:
    """torch, numpy, safetensors and tokenizers; without the last, a sentence that names it."""
    folder = tmp_path / "env"
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, "torch==2.13.0", "numpy", "safetensors"], check=True, timeout=1800)
    refused = run(writer, "generate.py", PROMPT, python=python)
    assert (refused.returncode, "pip install tokenizers" in refused.stderr) == (2, True)
    subprocess.run([*install, "tokenizers"], check=True, timeout=600)
    assert written(writer, PROMPT, "-n", 40, python=python) == by_the_app(40, 0.8, 0, 0)
    outside = run(teller, "predict.py", TEXTS[0], python=python)
    assert outside.stdout == run(teller, "predict.py", TEXTS[0]).stdout != ""
