"""One word per concept, one way to write a number: in every text that people see."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core.words import REFUSED_SPELLINGS, TERMS, count_of, format_share, within_sentence

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "pages").rglob("*.py"), *(ROOT / "core").rglob("*.py")])
PROSE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
# Programs that a download holds speak their readers' language: a file is called model.py.
NOT_OURS = ("core/words.py", "core/store/migrations/")
# Said where no person looks, or the name of something: (file, what stands there).
NAMES = {
    # Names that others gave, file names, and what PyTorch and ONNX call things.
    r"model\.(py|safetensors|onnx|pt2)",
    r"Model Cards for Model Reporting",
    r"(ONNX|block|stochastic block|linear|generative|mixed|language) models?",
    r"model cards?",
    # What transformers calls its files, tensors and methods, and tokenizers a part of their file.
    r"model\.(save_pretrained|layers)",
    r"parts are called model-00001-of-00002\.safetensors",
    r"model = …\.from_pretrained",
    r"(no|damaged|unigram) model",
    r"a model that is not accepted",
    r"shape metric",
    r"from model import",
    r"model\.state_dict\(\)",
    r"\|datasets\|",
    r"https?://\S+",
}
SYNONYMS = [(term.word, refused) for term in TERMS for refused in term.refused]


def shown(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every text of a source that may be shown: with a space in it, and no docstring of a function.

    The first paragraph of a class's docstring is shown: as help and in the tables of methods.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden, sources, classes = set(), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                hidden.add(id(first.value))
        if isinstance(node, ast.ClassDef) and isinstance(node.body[0], ast.Expr):
            classes.add(id(node.body[0].value))
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == "source" for t in targets):
                sources |= {id(part) for part in ast.walk(node)}  # papers are called what they are called
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):  # a sentence with gaps is one text
            whole = "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values)
            hidden |= {id(part) for part in node.values}
            yield node.lineno, re.sub("|".join(NAMES), "…", whole)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value.strip()
            and id(node) not in hidden | sources
        ):
            text = node.value.split("\n\n")[0] if id(node) in classes else node.value
            yield node.lineno, re.sub("|".join(NAMES), "…", text)


@cache
def texts(path: Path) -> list[tuple[int, str]]:
    if path.suffix == ".py":
        return list(shown(path))
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)", "…", path.read_text(encoding="utf-8"))
    return [(n, re.sub("|".join(NAMES), "…", line)) for n, line in enumerate(plain.splitlines(), 1)]


def found(pattern: str, paths: list[Path]) -> list[str]:
    word = re.compile(rf"(?<![\w.-])(?:{pattern})(?![\w-])", re.IGNORECASE)
    return [
        f"{path.relative_to(ROOT)}:{line}: {match[0]!r} in {text.strip()[:90]!r}"
        for path in paths
        if not str(path.relative_to(ROOT)).startswith(NOT_OURS)
        for line, text in texts(path)
        if (match := word.search(text))
    ]


@pytest.mark.parametrize(("word", "refused"), SYNONYMS, ids=[f"{w}, not {r}" for w, r in SYNONYMS])
def test_a_concept_has_one_word(word: str, refused: str) -> None:
    assert found(refused, SOURCES) == []


@pytest.mark.parametrize("refused", REFUSED_SPELLINGS)
def test_spelling_is_american(refused: str) -> None:
    assert found(refused, [*SOURCES, *PROSE]) == []


def test_numbers_are_written_by_one_module() -> None:
    by_hand = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue)
        and node.format_spec is not None
        and "%" in "".join(p.value for p in ast.walk(node.format_spec) if isinstance(p, ast.Constant))
    ]
    assert by_hand == ["core/words.py:" + by_hand[0].split(":")[1]], "use format_share"
    assert found(r"\d+(\.\d+)?%", PROSE) == [], "percent has a space: 20 %"
    assert found(r"\d+k", [*SOURCES, *PROSE]) == [], "thousands are written out or as 31.3 k"


def test_a_refused_word_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.py"
    page.write_text(
        '"""The frontier."""\nx = "The frontier of grey models"\nsource = "Pareto frontier, 1906"\n'
    )
    assert [text for _, text in shown(page)] == ["The frontier of grey models"]
    assert any(re.search(r, "frontier") for _, r in SYNONYMS)
    for text in ("grey", "colour", "colours", "neighbours", "optimised", "normalisation", "behaviour"):
        assert any(re.fullmatch(r, text) for r in REFUSED_SPELLINGS), text
    for text in (
        "gray",
        "color",
        "neighbors",
        "optimized",
        "precise",
        "otherwise",
        "raised",
        "promise",
        "noise",
    ):
        assert not any(re.fullmatch(r, text) for r in REFUSED_SPELLINGS), text


def test_shares_have_a_space_and_a_minus() -> None:
    assert [format_share(v) for v in (0.2, 0.973, 1, 0)] == ["20 %", "97 %", "100 %", "0 %"]
    assert (format_share(0.9731, 1), format_share(-0.05)) == ("97.3 %", "\N{MINUS SIGN}5 %")
    assert format_share(None) == format_share(float("nan")) == "not measured"


def test_one_of_something_is_not_several() -> None:
    assert [count_of(n, "subnet") for n in (0, 1, 2, 13824)] == [
        "0 subnets",
        "1 subnet",
        "2 subnets",
        "13,824 subnets",
    ]


def test_counts_and_their_nouns_are_written_by_one_function() -> None:
    nouns = "(subnet|row|network|run|epoch|seed|file|sample|text|token|thread|method|column)"
    by_hand = re.compile(rf"format_count\([^{{}}]*\)\}} {nouns}s\b|{nouns}\{{'s' ")
    written = {path.name for path in SOURCES if by_hand.search(path.read_text(encoding="utf-8"))}
    assert written <= {"profile.py", "paper_figure.py"}, "use count_of"  # names: 4-threads, Two columns


def test_every_term_is_explained_once() -> None:
    words = [term.word for term in TERMS]
    assert len(set(words)) == len(words)
    for term in TERMS:
        assert term.meaning.endswith("."), term.word
        assert not any(
            re.search(rf"\b({r})\b", re.sub("|".join(NAMES), "…", t.meaning), re.IGNORECASE)
            for t in TERMS
            for r in term.refused
        )


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("Validation accuracy", "validation accuracy"),
        ("MACs", "MACs"),
        ("Latency on AMD EPYC, 1 thread", "latency on AMD EPYC, 1 thread"),
        ("Size", "size"),
        ("", ""),
    ],
)
def test_a_label_within_a_sentence_keeps_its_names(label: str, written: str) -> None:
    assert within_sentence(label) == written
