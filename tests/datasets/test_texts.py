"""A person's own texts, and the built-in ones: what is read, what is left out, and how it is divided."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.datasets import Dataset, load_dataset, text_archive
from core.datasets.archives import ZipLimits
from core.datasets.corpus import corpus_found
from core.datasets.kept_tokenizers import keep_tokenizer
from core.datasets.language import STRETCH
from core.datasets.license_passages import CLASSES
from core.datasets.license_texts import license_texts
from core.datasets.text_archive import MOST_BYTES, decode_texts, kind_of_zip
from core.datasets.text_rows import sharing
from core.datasets.texts import keep_texts, texts_found
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput, NotFound


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))


def test_an_archive_of_photos_may_be_larger_than_one_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of both it is, is asked before anything else."""
    monkeypatch.setattr(text_archive, "LIMITS", ZipLimits(upload_bytes=100, total_bytes=10))
    for ending, kind in (("jpg", ""), ("txt", "texts")):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name in "abcdef":
                archive.writestr(f"{'one' if name < 'd' else 'two'}/{name}.{ending}", "x" * 100)
        assert kind_of_zip(file.getvalue()) == kind


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def reviews(n: int = 40) -> dict[str, bytes]:
    files = {f"good/{i}.txt": f"really nice, number {i}".encode() for i in range(n)}
    return files | {f"bad/{i}.txt": f"rather dull, number {i}".encode() for i in range(n // 2)}


def table(rows: list[tuple[str, str]], delimiter: str = ",") -> bytes:
    lines = [delimiter.join(("id", "Label", "TEXT"))]
    lines += [delimiter.join((str(i), label, f'"{text}"')) for i, (label, text) in enumerate(rows)]
    return "\r\n".join(lines).encode()


STORY = " ".join(f"Sentence {i} of the story is not like the others." for i in range(900)).encode()


# --- what is read --------------------------------------------------------------------------------------------


def test_a_zip_of_class_folders_is_read_and_told() -> None:
    files = reviews() | {
        "__MACOSX/good/0.txt": b"junk",
        "good/picture.png": b"\x89PNG",
        "top.txt": b"nowhere",
        "good/empty.txt": b" \n",
        "bad/latin.txt": "café".encode("latin-1"),
        "bad/nul.txt": b"a\0b",
        "bad/wide.txt": "süß, sehr".encode("utf-16"),
        "bad/copy.txt": b"rather dull, number 1",
    }
    kept = keep_texts(zipped(files))
    assert kept.summary.counts == {"bad": 22, "good": 40}
    assert {each.reason: each.count for each in kept.summary.skipped} == {
        "no .txt file by name": 1,
        "in no class folder": 1,
        "empty": 1,
        "no text in UTF-8": 2,
    }
    assert (kept.summary.shortest, kept.summary.longest, kept.summary.repeated) == (2, 4, 1)
    found = texts_found(kept, length=16)
    assert found.total("samples") == 62
    assert found.across == 0, "copies stay together"
    assert found.facts[0].startswith("62 texts with ")
    dataset = load_dataset("texts", upload=kept.upload_id, length=16)
    tokenizer = Tokenizing.read(dataset.tokenizer)
    tokens, mask = dataset.train.x
    for row, label, kept_tokens in zip(tokens, dataset.train.y, mask, strict=True):
        text = tokenizer.decode(row[kept_tokens].tolist())
        assert text.startswith(("rather", "süß") if dataset.classes[label] == "bad" else "really")


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_with_text_and_label_is_read(delimiter: str) -> None:
    rows = [
        (label, f"it is {label}{delimiter} the number{i}\nand so on")
        for i in range(9)
        for label in ("no", "yes")
    ]
    found, summary = decode_texts(table(rows, delimiter), classed=True)
    assert found.names == ("no", "yes")
    assert set(zip([found.names[y] for y in found.y], found.texts, strict=True)) == set(rows)
    assert summary.counts == {"no": 9, "yes": 9}


def test_lines_of_a_table_that_do_not_fit_are_left_out_and_told() -> None:
    data = (
        table([(label, f"text {i}") for i in range(8) for label in "ab"])
        + b"\r\n9,a\r\n10,,x\r\n\r\n11,a,\r\n"
    )
    _, summary = decode_texts(data, classed=True)
    assert {each.reason: (each.count, each.examples) for each in summary.skipped} == {
        "not as many cells as the first line": (1, ("line 18",)),
        "without a text or a label": (2, ("line 19", "line 21")),
    }


def test_one_text_or_a_zip_of_them_is_language() -> None:
    one = keep_texts(STORY, classed=False)
    assert one.summary.counts == {"text": len(STORY)}
    two = keep_texts(zipped({"a/one.txt": STORY, "two.txt": STORY[::-1], "x.pdf": b"%PDF"}), classed=False)
    assert list(two.summary.counts) == ["a/one", "two"]
    assert [each.reason for each in two.summary.skipped] == ["no .txt file by name"]
    found = corpus_found(two, length=32, scored=4)
    dataset = load_dataset("corpus", upload=two.upload_id, length=32, scored=4)
    parts = [len(dataset.train), len(dataset.validation), len(dataset.test)]
    assert [found.total(each) for each in ("train", "validation", "test")] == parts
    assert found.positions == 4
    assert [each.name for each in found.classes] == ["a/one", "two"]
    assert not found.warnings()
    assert "of one are not independent" in corpus_found(two, length=160, scored=4).warnings()[0]


BAD: dict[str, tuple[bytes, bool, str]] = {
    "nothing": (b"", True, "columns"),
    "no columns": (b"a,b\nc,d\n", True, "text"),
    "two texts": (b"text,text,label\na,b,c\n", True, "first line"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\xff", True, "UTF-8"),
    "one class": (table([("a", f"text {i}") for i in range(20)]), True, "classes"),
    "few of a class": (
        table([("a", "x")] * 9 + [("b", "y")] * 2),
        True,
        "of the 5 texts that each class needs",
    ),
    "a long cell": (b"text,label\n" + b"a" * 200_000 + b",b\n", True, "line 2"),
    "many rows": (b"text,label\n" + b"a,b\n" * 200_001, True, "rows"),
    "a class with a bell": (
        table([("a\x07", f"{i}") for i in range(9)] + [("b", f"{i}") for i in range(9)]),
        True,
        "printable",
    ),
    "no texts in a zip": (zipped({"a.png": b"x"}), True, "no texts with classes"),
    "a damaged zip": (b"PK\x03\x04" + b"\0" * 40, True, "zip"),
    "too much": (b"a " * (MOST_BYTES // 2 + 1), False, "MB"),
    "a bomb": (b"", False, "more than"),
    "an empty text": (b" \n ", False, "no text"),
    "no text": (b"\xff\xfe\xfd", False, "UTF-8"),
    "a nul": (b"a\0b", False, "characters that no text has"),
}


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(9):
            archive.writestr(f"{i}.txt", b"a" * (10 << 20))
    return buffer.getvalue()


@pytest.mark.parametrize("name", BAD)
def test_what_holds_no_texts_is_refused_in_a_sentence(name: str) -> None:
    data, classed, why = BAD[name]
    with pytest.raises(InvalidInput, match=why) as refusal:
        decode_texts(data or (bomb() if name == "a bomb" else b""), classed=classed)
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)


def test_a_refusal_comes_from_the_confined_process_as_well() -> None:
    for _ in range(2):
        with pytest.raises(InvalidInput, match="UTF-8"):
            keep_texts(b"\xff\xfe\xfd", classed=False)
    with pytest.raises(NotFound, match="upload them again"):
        load_dataset("texts", upload="0" * 64)
    with pytest.raises(InvalidInput, match="Choose texts first"):
        load_dataset("corpus")


def test_a_tokenizer_of_ones_own_splits_them() -> None:
    kept = keep_texts(STORY, classed=False)
    own = keep_tokenizer(Tokenizing.bytes_alone().json())
    one, other = (load_dataset("corpus", upload=kept.upload_id, tokenizer=t) for t in (own, "bytes"))
    assert one.fingerprint == other.fingerprint
    assert one.inputs["vocabulary"] == 258
    assert Tokenizing.read(one.tokenizer).identity == one.inputs["tokenizer"]


def test_too_short_a_text_says_what_to_do() -> None:
    kept = keep_texts(b"Too short.", classed=False)
    with pytest.raises(InvalidInput, match="shorter windows"):
        load_dataset("corpus", upload=kept.upload_id)
    with pytest.raises(InvalidInput, match="score fewer"):
        load_dataset("licenses", length=16, scored=16)


# --- how it is divided ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def licenses() -> Dataset:
    return load_dataset("licenses", length=32, scored=5)


def test_windows_are_the_texts_in_a_row_and_no_two_overlap(licenses: Dataset) -> None:
    tokenizer = Tokenizing.read(licenses.tokenizer)
    ids = np.concatenate([licenses.split(name).ids for name in ("train", "validation", "test")])
    assert sorted(ids.tolist()) == list(range(len(ids))), "every window is in one split"
    windows = np.concatenate([licenses.split(name).x[0] for name in ("train", "validation", "test")])
    text = tokenizer.decode(windows[ids.argsort()].ravel().tolist())
    end = tokenizer.tokens[tokenizer.end or 0]
    whole = end.join(license_texts().values()) + end
    assert whole.startswith(text)
    assert len(whole) - len(text) < 32 * 20, "less than a window is left out"


def test_neighbors_stay_together(licenses: Dataset) -> None:
    split_of = {
        i: name for name in ("train", "validation", "test") for i in licenses.split(name).ids.tolist()
    }
    for first in range(0, len(split_of) - STRETCH, STRETCH):
        assert len({split_of[i] for i in range(first, first + STRETCH)}) == 1
    for name in ("validation", "test"):
        assert len(licenses.split(name)) == pytest.approx(0.2 * len(split_of), abs=2 * STRETCH)


def test_scored_positions_ascend_and_their_next_tokens_are_the_targets(licenses: Dataset) -> None:
    for name in ("train", "calibration", "validation", "test"):
        split = licenses.split(name)
        tokens, scored = split.x
        assert (np.diff(scored, axis=1) > 0).all()
        assert scored.min() >= 0
        assert scored.max() <= tokens.shape[1] - 2
        for row in range(0, len(split), 97):
            assert split.y[row].tolist() == [tokens[row, at + 1] for at in scored[row]]
    share = np.bincount(licenses.train.x[1].ravel(), minlength=31) / licenses.train.x[1].size
    assert np.abs(share - 1 / 31).max() < 0.01, "every position is as likely"
    other = load_dataset("licenses", length=32, scored=5, seed=1)
    same = np.intersect1d(licenses.validation.ids, other.validation.ids)
    a, b = (d.validation.x[1][[d.validation.ids.tolist().index(i) for i in same]] for d in (licenses, other))
    np.testing.assert_array_equal(a, b, "a window is scored at the same places whatever the seed")


def test_bytes_of_the_targets_are_counted(licenses: Dataset) -> None:
    tokenizer = Tokenizing.read(licenses.tokenizer)
    for name in ("train", "test"):
        split = licenses.split(name)
        for row in range(0, len(split), 53):
            # Byte pairs over bytes: a token's text says how long it is; the end of a text has none.
            wanted = sum(
                len(tokenizer.decode([t]).encode()) for t in split.y[row].tolist() if t != tokenizer.end
            )
            assert licenses.target_bytes[split.ids[row]] == wanted


def test_no_passage_of_validation_or_test_was_nearly_seen_in_training() -> None:
    dataset = load_dataset("license_passages")
    tokenizer = Tokenizing.read(dataset.tokenizer)

    def runs(name: str) -> set[tuple[str, ...]]:
        found = set()
        for row, mask in zip(*dataset.split(name).x, strict=True):
            words = [
                w
                for w in (
                    "".join(c for c in w if c.isascii() and c.isalnum())
                    for w in tokenizer.decode(row[mask].tolist()).lower().split()
                )
                if w
            ]
            found |= {tuple(words[i : i + 9]) for i in range(len(words) - 8)}
        return found

    train, validation, test = map(runs, ("train", "validation", "test"))
    assert min(len(each) for each in (train, validation, test)) > 1000
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_classes_of_passages_are_licenses_and_each_is_everywhere() -> None:
    assert {name for names in CLASSES.values() for name in names} == set(license_texts()) - {"BSD"}
    dataset = load_dataset("license_passages")
    for name in ("train", "validation", "test"):
        assert np.bincount(dataset.split(name).y, minlength=len(CLASSES)).min() >= 10


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=7), min_size=1, max_size=12))
def test_texts_that_share_a_run_of_words_are_one_group(texts: list[list[str]]) -> None:
    groups = sharing(texts, 3)
    runs = [{tuple(each[i : i + 3]) for i in range(len(each) - 2)} for each in texts]
    # By definition: the finest grouping in which whoever shares a run is together.
    joined = [{i} for i in range(len(texts))]
    for i in range(len(texts)):
        for j in range(i):
            if runs[i] & runs[j]:
                both = joined[i] | joined[j]
                for member in both:
                    joined[member] = both
    for i in range(len(texts)):
        for j in range(i):
            assert (groups[i] == groups[j]) == (j in joined[i])


def test_the_end_of_a_text_is_between_two() -> None:
    files: dict[str, bytes] = {"a.txt": STORY[:3000], "b.txt": STORY[:3000]}
    kept = keep_texts(zipped(files), classed=False)
    dataset = load_dataset("corpus", upload=kept.upload_id, tokenizer="bytes", length=8, scored=2)
    windows = np.concatenate([dataset.split(n).x[0] for n in ("train", "validation", "test")])
    ids = np.concatenate([dataset.split(n).ids for n in ("train", "validation", "test")])
    row = windows[ids.argsort()].ravel()
    assert np.flatnonzero(row == 1).tolist()[:1] == [3000]
    assert math.ceil(6002 / 8) - len(windows) <= 1
