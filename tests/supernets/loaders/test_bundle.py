"""Exported supernets: what comes back, and archives that lie."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from core.chance.bits import parse_bits
from core.errors import InvalidInput
from core.library.tables import parse_table
from core.supernets.loaders.base import loader_of
from core.supernets.loaders.bundle import BITS, CARD, CHANCE, SUPERNET, TABLE, Bundle
from core.supernets.loaders.bundle_table import check_table
from tests.helpers.supernet_files import measured_bundle, paretoscope

Files = dict[str, bytes]


def files() -> Files:
    with zipfile.ZipFile(io.BytesIO(measured_bundle()[1])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: Files, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def signed(content: Files, **changed: bytes) -> Files:
    """With other files, and a card that names their hashes."""
    new = content | {{"table": TABLE, "bits": BITS, "supernet": SUPERNET}[k]: v for k, v in changed.items()}
    if "table" in changed:  # whose rows the bits are not; the table itself must be refused
        new = {name: data for name, data in new.items() if name in (SUPERNET, TABLE, CARD)}
    card = json.loads(new[CARD])
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in new.items() if name != CARD}
    card |= {"files": hashes, "sha256": hashes[SUPERNET], "table_sha256": hashes.get(TABLE, "")}
    return new | {CARD: json.dumps(card).encode()}


def load(data: bytes):
    return Bundle().load("x.zip", data)


def test_table_and_bits_come_back_as_they_were() -> None:
    content = files()
    loaded = load(measured_bundle()[1])
    assert loaded.file == content[SUPERNET]
    assert loaded.beside == {name: content[name] for name in loaded.beside}
    assert {TABLE, BITS} <= set(loaded.beside)
    assert loaded.title == "Tiny, measured"
    space = loaded.supernet.space
    rows = parse_table(loaded.beside[TABLE], space)
    sha256 = hashlib.sha256(loaded.beside[TABLE]).hexdigest()
    right = parse_bits(loaded.beside[BITS], n_subnets=space.size, table_sha256=sha256)["validation"]
    assert (right.correct() / 20 == rows["accuracy"]).all()


def test_a_folder_as_a_release_before_packaged_it_is_taken_too() -> None:
    content = files()
    card = json.loads(content[CARD])
    del card["files"]
    few = {SUPERNET: content[SUPERNET], TABLE: content[TABLE], CARD: json.dumps(card).encode()}
    assert set(load(packed(few)).beside) == {TABLE}


def other_rows(change: Callable[[pd.DataFrame], pd.DataFrame]) -> bytes:
    buffer = io.BytesIO()
    change(pd.read_parquet(io.BytesIO(files()[TABLE]))).to_parquet(buffer, index=False)
    return buffer.getvalue()


LIES: dict[str, Callable[[], bytes]] = {
    "a packed file": lambda: packed(files(), zipfile.ZIP_DEFLATED),
    "a bomb": lambda: packed(files() | {TABLE: bytes(50_000_000)}, zipfile.ZIP_DEFLATED),
    "a path": lambda: packed(files() | {"../../etc/passwd": b"x"}),
    "an absolute path": lambda: packed(files() | {"/absolute": b"x"}),
    "a stranger": lambda: packed(files() | {"model.pkl": b"\x80\x04."}),
    "another table under its hash": lambda: packed(files() | {TABLE: other_rows(lambda t: t)}),
    "chances under another hash": lambda: packed(files() | {CHANCE: b"{}"}),
    "weights under another hash": lambda: packed(files() | {SUPERNET: paretoscope()[1]}),
    "a row less": lambda: packed(signed(files(), table=other_rows(lambda t: t.iloc[1:]))),
    "a row twice": lambda: packed(
        signed(files(), table=other_rows(lambda t: pd.concat([t.iloc[:1], t.iloc[:1], t.iloc[2:]])))
    ),
    "an option that is none": lambda: packed(
        signed(files(), table=other_rows(lambda t: t.assign(width1=np.uint8(9))))
    ),
    "half an option": lambda: packed(
        signed(files(), table=other_rows(lambda t: t.assign(width1=t.width1 + 0.5)))
    ),
    "a choice less": lambda: packed(signed(files(), table=other_rows(lambda t: t.drop(columns="width1")))),
    "no objective": lambda: packed(
        signed(files(), table=other_rows(lambda t: t.drop(columns=["macs", *[c for c in t if "acc" in c]])))
    ),
    "words for numbers": lambda: packed(signed(files(), table=other_rows(lambda t: t.assign(macs="x")))),
    "no table at all": lambda: packed(signed(files(), table=b"PAR1 nothing PAR1")),
    "bits of another table": lambda: packed(signed(files(), bits=b"PK nothing")),
    "bits without a table": lambda: packed({n: d for n, d in signed(files()).items() if n != TABLE}),
    "another supernet's table": lambda: packed(signed(files(), supernet=paretoscope()[1])),
    "a card that is none": lambda: packed(files() | {CARD: b"[1]"}),
    "a deep card": lambda: packed(files() | {CARD: b"[" * 100_000}),
    "an archive in it": lambda: packed(signed(files(), supernet=measured_bundle()[1])),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_archive_that_lies_is_one_sentence(lie: str) -> None:
    data = LIES[lie]()
    with pytest.raises(InvalidInput) as refusal:
        loader_of("x.zip", data).load("x.zip", data)
    said = str(refusal.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 300


def test_one_packed_entry_is_refused_even_where_nothing_shrank() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files().items():
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if name == BITS else zipfile.ZIP_STORED)
    with pytest.raises(InvalidInput, match="damaged"):
        load(buffer.getvalue())


def test_a_directory_that_lies_about_sizes() -> None:
    whole = bytearray(measured_bundle()[1])
    at = whole.rindex(b"PK\x01\x02")
    whole[at + 20 : at + 28] = b"\xff\xff\xff\x7f" * 2  # both sizes of the last entry
    with pytest.raises(InvalidInput):
        load(bytes(whole))


def test_two_entries_of_one_name() -> None:
    buffer = io.BytesIO(measured_bundle()[1])
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(TABLE, b"other")
    with pytest.raises(InvalidInput):
        load(buffer.getvalue())


def test_a_table_is_checked_against_its_space() -> None:
    loaded = load(measured_bundle()[1])
    check_table(loaded.beside[TABLE], loaded.supernet.space)
    from tests.helpers.planted import small_space

    with pytest.raises(InvalidInput, match="exactly once"):
        check_table(loaded.beside[TABLE], small_space())
