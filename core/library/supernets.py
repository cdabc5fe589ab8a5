"""The supernets there are: shipped, trained here, uploaded. And what is known of each.

Everything up to `load` is free of torch: the first front is painted from a parquet table and a JSON
card. Weights, cost tables and data sets are kept in memory by the SHA-256 of their file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.cache import kept
from core.config import JsonObject
from core.datasets import load_dataset
from core.datasets.foreign import foreign_settings, own_settings
from core.errors import CoreError, InvalidInput, NotFound
from core.evaluation.costs import CostTable, NotCounted
from core.library import shipped
from core.library.kept_tokenizer import bring_along
from core.library.shipped import CARD_FILE
from core.library.tables import parse_table
from core.objectives.base import FromCosts, method, names_of
from core.records import RunState
from core.seeding import stream
from core.spaces import Arch, SearchSpace
from core.supernets.cards import Card, read_card
from core.supernets.families import FAMILIES
from core.supernets.headers import Header, described_space, peek_supernet
from core.supernets.stage_cost import StageCost

if TYPE_CHECKING:
    import pandas as pd

    from core.datasets.base import Dataset
    from core.store import RunStore
    from core.supernets.base import Supernet

SUPERNET_FILE = "supernet.safetensors"
TABLE_FILE = "table.parquet"
BITS_FILE = "correct.npz"
"""Beside a table: which samples each of its subnets got right; see `core.chance.bits`."""
_REFERENCE_DRAWS = 4096


@dataclass(frozen=True)
class SupernetEntry:
    """One supernet of the library.

    Attributes:
        supernet_id: "digits-cnn" for a shipped one, the id of a run or an upload otherwise.
        title: what a person reads.
        origin: "shipped", "trained", "uploaded" or "file".
        sha256: of the supernet file.
        header: family, config, space and card, as `peek_supernet` returns them.
        read: the file's bytes.
        read_table: bytes of the complete evaluation table, None if the space was never evaluated.
        costs: the stored cost table's JSON, if there is one.
        table_sha256: of the complete table.
        read_bits: bytes of `BITS_FILE`, None where they were not kept (tables of earlier releases).
        place: the sandbox it is in; "" for all that is shipped or the home's own.
        folder: of a shipped one.
    """

    supernet_id: str
    title: str
    origin: str
    sha256: str
    header: Header
    read: Callable[[], bytes] = field(repr=False, compare=False)
    read_table: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)
    costs: JsonObject | None = field(default=None, repr=False, compare=False)
    table_sha256: str = ""
    read_bits: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)
    place: str = ""
    folder: Path | None = field(default=None, repr=False, compare=False)

    @cached_property
    def card(self) -> Card:
        return read_card(self.header["card"])

    @property
    def family(self) -> str:
        return str(self.header["family"])

    @cached_property
    def task(self) -> str:
        """Registry name of the kind of data it takes; empty if its family is unknown."""
        known = {info.name: info.facts.get("task_name", "") for info in FAMILIES.describe()}
        return known.get(self.family, "")

    @cached_property
    def space(self) -> SearchSpace:
        return described_space(self.header)

    @cached_property
    def reference(self) -> Arch:
        """The subnet that others are shown beside: the largest.

        Where options have no order there is none; then it is the one with the most MACs of a fixed draw.
        """
        if self.space.ends is not None:
            return self.space.largest
        rows = self.space.sample_array(_REFERENCE_DRAWS, stream(0, "reference"))
        dearest: Arch = tuple(rows[int(costs(self).total("macs", rows).argmax())].tolist())
        return dearest

    @property
    def revision(self) -> str:
        """Changes exactly when the supernet or its table does; a key for caches.

        Two students whose trainings gave the same bits have two: what is drawn of one says its id and its title.
        """
        return f"{self.sha256[:16]}-{self.table_sha256[:16]}{self.place and '-'}{self.place}"


@dataclass(frozen=True)
class DamagedSupernet:
    """A supernet whose file is missing or has changed: shown as such, and in nobody's way.

    Attributes:
        supernet_id, title, origin: as of a `SupernetEntry`.
        sentence: what happened.
    """

    supernet_id: str
    title: str
    origin: str
    sentence: str


# --- finding ------------------------------------------------------------------------------------


def entries(store: RunStore | None = None) -> list[SupernetEntry]:
    """Every supernet: shipped ones first, then what was trained or uploaded here, newest first."""
    return list(_each(store))


def _each(store: RunStore | None) -> Iterator[SupernetEntry]:
    """As `entries`; those of the store are read when they are asked for."""
    known = {} if store is None else store.editions
    yield from (_shipped(name, folder) for name, folder in shipped.folders(known))
    yield from (entry for entry in _own(store) if isinstance(entry, SupernetEntry))


def damaged(store: RunStore | None) -> list[DamagedSupernet]:
    """What `entries` leaves out because it cannot be read."""
    return [entry for entry in _own(store) if isinstance(entry, DamagedSupernet)]


def find(store: RunStore | None, supernet_id: str) -> SupernetEntry:
    """The supernet with this id.

    Raises:
        NotFound: there is none; the message lists the shipped ones.
    """
    for entry in _each(store):
        if entry.supernet_id == supernet_id:
            return entry
    names = ", ".join(e.supernet_id for e in entries())
    raise NotFound(f"There is no supernet called {supernet_id[:60]!r}. Shipped ones are: {names}.")


def resolve(store: RunStore | None, name_or_path: str) -> SupernetEntry:
    """The supernet of a name, an id or a .safetensors file (with NAME.table.parquet beside it).

    Raises:
        NotFound: neither.
        InvalidInput: the file is not a supernet.
    """
    path = Path(name_or_path)
    if path.suffix == ".safetensors" or path.is_file():
        if not path.is_file():
            raise NotFound(f"There is no file {name_or_path!r}.")
        return from_bytes(path.read_bytes(), title=path.stem)
    return find(store, name_or_path)


def from_bytes(
    data: bytes, *, title: str, supernet_id: str | None = None, origin: str = "file"
) -> SupernetEntry:
    """A library entry for a supernet file in memory.

    Raises:
        InvalidInput: the bytes are not a supernet file.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    return SupernetEntry(supernet_id or sha256[:32], title, origin, sha256, peek_supernet(data), lambda: data)


@kept(16, key=lambda name, folder, stamp: (name, folder, stamp))
def _shipped_at(name: str, folder: Path, stamp: float) -> SupernetEntry:
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    table, bits = folder / TABLE_FILE, folder / BITS_FILE
    return SupernetEntry(
        supernet_id=name,
        title=name if name.startswith(card["title"]) else card["title"],
        origin="shipped",
        sha256=card["sha256"],
        header=card["header"],
        read=(folder / SUPERNET_FILE).read_bytes,
        read_table=table.read_bytes if table.is_file() else None,
        costs=card.get("costs"),
        table_sha256=card.get("table_sha256", ""),
        read_bits=bits.read_bytes if bits.is_file() else None,
        folder=folder,
    )


def _shipped(name: str, folder: Path) -> SupernetEntry:
    return _shipped_at(name, folder, (folder / CARD_FILE).stat().st_mtime)


def _own(store: RunStore | None) -> Iterator[SupernetEntry | DamagedSupernet]:
    """What was trained or uploaded here, newest first; what is damaged stands for itself alone."""
    if store is None:
        return
    tables, files = _tables(store), store.kept.of_kind("train_supernet")
    there = [
        (run.created, run.run_id, run.title, "trained", files.get(run.run_id, {}).get(SUPERNET_FILE))
        for run in store.list_runs(state=RunState.DONE, kind="train_supernet")
    ]
    there += [(u.created, u.supernet_id, u.name, "uploaded", u.sha256) for u in store.list_supernets()]
    for _, supernet_id, title, origin, sha256 in sorted(there, key=lambda each: -each[0]):
        if sha256 is None:
            continue
        try:
            entry = _own_entry(supernet_id, title, origin, sha256, _reader(store, sha256), tables)
            yield replace(entry, place=store.sandbox_id or "")
        except CoreError as error:
            yield DamagedSupernet(supernet_id, title, origin, str(error))


_Read = Callable[[], bytes]


def _own_entry(
    supernet_id: str,
    title: str,
    origin: str,
    sha256: str,
    read: _Read,
    tables: Mapping[str, tuple[str, _Read, _Read | None]],
) -> SupernetEntry:
    table_sha, read_table, read_bits = tables.get(supernet_id, ("", None, None))
    return SupernetEntry(
        supernet_id=supernet_id,
        title=title,
        origin=origin,
        sha256=sha256,
        header=_header(sha256, read),
        read=read,
        read_table=read_table,
        table_sha256=table_sha,
        read_bits=read_bits,
    )


@kept(1024, key=lambda sha256, read: sha256)
def _header(sha256: str, read: Callable[[], bytes]) -> Header:
    return peek_supernet(read())


def _tables(store: RunStore) -> dict[str, tuple[str, _Read, _Read | None]]:
    """Complete tables with their bits by supernet id; the newest wins."""
    runs = store.list_runs(state=RunState.DONE, kind="evaluate_table")
    files = store.kept.of_kind("evaluate_table") if runs else {}
    found: dict[str, tuple[str, _Read, _Read | None]] = {}
    for run in sorted(runs, key=lambda r: r.created):
        sha256 = files.get(run.run_id, {}).get(TABLE_FILE)
        if sha256 is not None:
            with suppress(CoreError):  # a damaged table is as if it had not been measured
                read = _reader(store, sha256)
                _checked(sha256, read)
                bits = files[run.run_id].get(BITS_FILE)
                found[str(run.params["supernet"])] = (sha256, read, _reader(store, bits) if bits else None)
    return found


@kept(1024, key=lambda sha256, read: sha256)
def _checked(sha256: str, read: _Read) -> bool:
    """Reads a file once; one that is damaged is tried again by whoever asks next."""
    return bool(read())


def _reader(store: RunStore, sha256: str) -> _Read:
    return lambda: store.kept.content(sha256)


# --- what is known of one -----------------------------------------------------------------------


def table(entry: SupernetEntry) -> pd.DataFrame | None:
    """The complete evaluation table, one row per architecture in prefix order; None if there is none.

    Columns: `arch_id`, one per choice (its option; the first option where the choice does not
    matter), then the objectives. The frame is shared: do not write into it.
    """
    return None if entry.read_table is None else _read_table(entry)


@kept(8, key=lambda entry: entry.revision)
def _read_table(entry: SupernetEntry) -> pd.DataFrame:
    assert entry.read_table is not None
    return parse_table(entry.read_table(), entry.space)


def table_with_counts(entry: SupernetEntry) -> pd.DataFrame | None:
    """`table` with the counted objectives that are younger than it, where the card's cost table has them."""
    return None if entry.read_table is None else _with_counts(entry, tuple(names_of(FromCosts)))


@kept(8, key=lambda entry, names: (entry.revision, names))
def _with_counts(entry: SupernetEntry, names: Sequence[str]) -> pd.DataFrame:
    frame = _read_table(entry)
    missing = [] if entry.costs is None else [name for name in names if name not in frame]
    rows = entry.space.from_ids(frame["arch_id"].tolist() if missing else [])
    columns = {}
    for name in missing:
        with suppress(NotCounted):
            columns[name] = costs(entry).counted(method(name, FromCosts), rows).astype(float)
    return frame.assign(**columns)


def stage_rows(entry: SupernetEntry, arch: Sequence[int]) -> list[StageCost]:
    """Label, group, kind, counted quantities and shape of each stage of one subnet, in order."""
    return costs(entry).stages(arch)


@kept(8, key=lambda entry: entry.sha256)
def costs(entry: SupernetEntry) -> CostTable:
    """Counted costs of every architecture; torch is loaded only if the card has no cost table."""
    if entry.costs is not None:
        return CostTable.from_json(entry.costs)
    return _built_costs(entry)


def counted(entry: SupernetEntry, rows: np.ndarray, name: str) -> np.ndarray:
    """(n, d) architectures -> (n,) values of a counted objective.

    Raises:
        InvalidInput: this family does not count it.
    """
    objective = method(name, FromCosts)
    try:
        return costs(entry).counted(objective, rows)
    except NotCounted:
        # The card's table may be older than the quantity.
        return _built_costs(entry).counted(objective, rows)


@kept(8, key=lambda entry: entry.sha256)
def _built_costs(entry: SupernetEntry) -> CostTable:
    from core.networks.outline import outline
    from core.supernets.files import build

    with outline():
        return CostTable.of(build(entry.family, entry.header["config"]))


@kept(4, key=lambda entry: entry.sha256)
def load(entry: SupernetEntry) -> Supernet:
    """The supernet with its weights; shared and read-only. Loads torch.

    Raises:
        InvalidInput: the file is damaged or hostile.
    """
    from core.supernets.files import load_supernet

    return load_supernet(entry.read())[0]


def dataset(entry: SupernetEntry, on_progress: Callable[[float, str], None] | None = None) -> Dataset:
    """The data set the supernet was trained on, divided as it was then.

    Raises:
        DataUnavailable: it is neither on this machine nor reachable.
        InvalidInput: the data found here are not the data it was trained on, or the card names none.
    """
    data = entry.card.data
    if data is None:
        raise InvalidInput("The supernet's card does not say which data it was trained on.")
    # A file on the command line is named by the person whose files they are; an upload is not.
    judged = foreign_settings if entry.origin == "uploaded" else own_settings
    config = judged(data.name, data.config)
    bring_along(config, entry.read)
    loaded = load_dataset(data.name, seed=data.seed, on_progress=on_progress, **config)
    if data.fingerprint and data.fingerprint != loaded.fingerprint:
        raise InvalidInput(
            "The data set found here differs from the one this supernet was trained on; its numbers would not compare."
        )
    return loaded
