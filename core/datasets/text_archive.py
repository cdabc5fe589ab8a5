"""What an upload of texts becomes: their characters and classes, and a summary of what was found in it.

With classes: a zip with one folder of .txt files per class, or a table (.csv, .tsv) with the columns text and label.
For language: one .txt, or a zip of them. Runs in a confined process (`text_worker`) for uploads, and directly for a file
that a person names on the command line.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from core.datasets.archives import ZipLimits, open_zip, read_member, shown
from core.datasets.decoding import own_arrays
from core.datasets.found import Leavings
from core.datasets.found_texts import TextSummary
from core.datasets.npz import checked_classes
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput

MOST_BYTES = 16 * 2**20
"""Of all texts together: splitting them takes a second for every million."""
LIMITS = ZipLimits(upload_bytes=64 * 2**20, member_bytes=MOST_BYTES, total_bytes=64 * 2**20)
_MOST_ROWS, _LONGEST_CELL = 200_000, 100_000
_JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")
_TEXT, _LABEL = "text", "label"
_MEASURED, _SHORTEST, _LONGEST = 2000, 8, 256


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts with classes, or those of a language.

    Attributes:
        texts: in the order of the upload, by class where there are classes.
        y: (n,) classes; of language, 0 to n - 1.
        names: of the classes; of language, of the texts.
    """

    texts: tuple[str, ...]
    y: NDArray[np.int64]
    names: tuple[str, ...]


def decode_texts(data: bytes, *, classed: bool) -> tuple[Texts, TextSummary]:
    """The texts in an upload's bytes.

    Args:
        data: see above.
        classed: whether each text has a class.

    Raises:
        InvalidInput: one sentence says what is refused and why.
    """
    leavings = Leavings()
    if data.startswith(b"PK"):
        archive, infos = open_zip(data, LIMITS)
        found = list(_files(archive, infos, leavings, classed=classed))
    elif classed:
        found = list(_rows(_decoded(data, "The table"), leavings))
    else:
        found = [("text", _decoded(data, "The file"))]
    if sum(len(text.encode()) for _, text in found) > MOST_BYTES:
        raise InvalidInput(f"The texts have more than {MOST_BYTES >> 20} MB together; upload fewer.")
    texts = _classed(found) if classed else _language(found)
    return texts, _summary(texts, leavings, classed)


def kind_of_zip(data: bytes) -> str:
    """What a zip of texts is: "texts" in two class folders or more, else "corpus"; "" where it holds others more often.

    Raises:
        InvalidInput: it is no zip that is accepted.
    """
    _, infos = open_zip(data, ZipLimits())  # archives of others may be larger
    paths = [PurePosixPath(info.filename) for info in infos]
    kept = [path for path in paths if not any(p in _JUNK or p.startswith(".") for p in path.parts)]
    endings = Counter(path.suffix.lower() for path in kept)
    if not endings[".txt"] or endings[".txt"] < max(endings.values()):
        return ""
    folders = {path.parent.name for path in kept if path.suffix.lower() == ".txt"} - {""}
    return "texts" if len(folders) > 1 else "corpus"


def _files(
    archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], leavings: Leavings, *, classed: bool
) -> Iterator[tuple[str, str]]:
    """(class or file, text) of every .txt that can be read, in alphabetical order."""
    total = 0
    for info in sorted(infos, key=lambda each: each.filename):
        path, name = PurePosixPath(info.filename), shown(info.filename)
        if any(part in _JUNK or part.startswith(".") for part in path.parts):
            continue
        if path.suffix.lower() != ".txt":
            leavings.add("no .txt file by name", name)
        elif classed and not path.parent.name:
            leavings.add("in no class folder", name)
        else:
            total += info.file_size
            if total > 2 * MOST_BYTES:  # of UTF-16, half of it
                raise InvalidInput(f"The texts have more than {MOST_BYTES >> 20} MB together; upload fewer.")
            try:
                text = _decoded(read_member(archive, info), name)
            except InvalidInput:
                leavings.add("no text in UTF-8", name)
                continue
            if text.strip():
                key = path.parent.name if classed else str(path.with_suffix(""))
                yield unicodedata.normalize("NFC", key), text
            else:
                leavings.add("empty", name)


def _rows(table: str, leavings: Leavings) -> Iterator[tuple[str, str]]:
    """(class, text) of every row of a table whose first line names its columns."""
    head = table.partition("\n")[0]
    delimiter = "\t" if "\t" in head else ";" if ";" in head and "," not in head else ","
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(table, newline=""), delimiter=delimiter)
    try:
        columns = [cell.strip().lower() for cell in next(reader, [])]
        if columns.count(_TEXT) != 1 or columns.count(_LABEL) != 1:
            raise InvalidInput(
                'The first line of a table names its columns, "text" and "label" among them; this one does not.'
            )
        text_at, label_at = columns.index(_TEXT), columns.index(_LABEL)
        for number, row in enumerate(reader, start=2):
            if number > _MOST_ROWS + 1:
                raise InvalidInput(f"The table has more than {_MOST_ROWS:,} rows; upload fewer.")
            if not row:
                continue
            if len(row) != len(columns):
                leavings.add("not as many cells as the first line", f"line {reader.line_num}")
            elif not row[text_at].strip() or not row[label_at].strip():
                leavings.add("without a text or a label", f"line {reader.line_num}")
            else:
                yield unicodedata.normalize("NFC", row[label_at].strip()), row[text_at]
    except csv.Error as error:
        raise InvalidInput(
            f"The table is damaged at line {reader.line_num}, or a cell has more than {_LONGEST_CELL:,} characters."
        ) from error


def _decoded(data: bytes, name: str) -> str:
    """Text of UTF-8, or of UTF-16 with its mark at the beginning; line ends as one character.

    Raises:
        InvalidInput: it is neither.
    """
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(coding)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is no text in UTF-8; save it as UTF-8.") from error
    if "\0" in text:
        raise InvalidInput(f"{name} is no text: it holds characters that no text has.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _classed(found: list[tuple[str, str]]) -> Texts:
    if not found:
        raise InvalidInput(
            'The upload holds no texts with classes: give each class one folder of .txt files, or a table with the columns "text" '
            'and "label".'
        )
    names = sorted({name for name, _ in found})
    number = {name: at for at, name in enumerate(names)}
    y = np.array([number[name] for name, _ in found], np.int64)
    classes = checked_classes(tuple(names), np.bincount(y, minlength=len(names)), samples="texts")
    order = np.argsort(y, kind="stable")
    return Texts(tuple(found[at][1] for at in order), y[order], classes)


def _language(found: list[tuple[str, str]]) -> Texts:
    if not any(text.strip() for _, text in found):
        raise InvalidInput("The upload holds no text: give one .txt file, or a zip of them.")
    names = tuple("".join(c if c.isprintable() else "?" for c in name)[:80] for name, _ in found)
    unique = tuple(name if names.count(name) == 1 else f"{name} ({at})" for at, name in enumerate(names, 1))
    return Texts(tuple(text for _, text in found), np.arange(len(found)), unique)


def _summary(found: Texts, leavings: Leavings, classed: bool) -> TextSummary:
    words = np.array([len(text.split()) for text in found.texts])
    counts = (
        np.bincount(found.y, minlength=len(found.names))
        if classed
        else [len(t.encode()) for t in found.texts]
    )
    same = equal_texts(found.texts)
    return TextSummary(
        counts=dict(zip(found.names, map(int, counts), strict=True)),
        classed=classed,
        shortest=int(words.min()),
        usual=float(np.median(words)),
        longest=int(words.max()),
        bytes=sum(len(text.encode()) for text in found.texts),
        skipped=leavings.records(),
        proposed=_proposed(found.texts) if classed else 64,
        repeated=int((same != np.arange(len(same))).sum()),
    )


def _proposed(texts: tuple[str, ...]) -> int:
    """A multiple of 8 tokens that nineteen of twenty texts fit into, of at most 2,000 texts spread evenly."""
    built_in = Tokenizing.built_in()
    some = texts[:: -(-len(texts) // _MEASURED)]
    # More characters than that cannot change the answer.
    tokens = [len(built_in.encode(text[: 16 * _LONGEST])) for text in some]
    wanted = -(-int(np.ceil(np.quantile(tokens, 0.95))) // 8) * 8
    return int(min(max(wanted, _SHORTEST), _LONGEST))


def equal_texts(texts: tuple[str, ...]) -> NDArray[np.int64]:
    """(n,) position of the first text equal to each."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(text, at) for at, text in enumerate(texts)], np.int64)


# --- the decoded copy ------------------------------------------------------------------------------


def write_texts(path: Path, found: Texts, summary: TextSummary) -> None:
    """Write texts and summary as one .npz, not packed."""
    parts = [text.encode() for text in found.texts]
    with path.open("wb") as file:
        np.savez(
            file,
            text=np.frombuffer(b"".join(parts), np.uint8),
            ends=np.cumsum([len(part) for part in parts]),
            y=found.y,
            names=np.array(found.names),
            about=np.array(json.dumps(summary.model_dump(mode="json"))),
        )


def read_texts(path: Path) -> tuple[Texts, TextSummary]:
    """What `write_texts` wrote.

    Raises:
        InvalidInput: the file is damaged or of another version.
        FileNotFoundError: there is none.
    """
    with own_arrays(path) as arrays:
        summary = TextSummary.model_validate_json(str(arrays["about"]))
        every, ends = arrays["text"].tobytes(), arrays["ends"].tolist()
        texts = tuple(every[a:b].decode() for a, b in zip([0, *ends], ends, strict=False))
        return Texts(texts, arrays["y"], tuple(map(str, arrays["names"]))), summary
