"""Severity tables per data set, and corrupted probes: found or made once, then kept.

The table says how strong severities 1 to 5 of each corruption are on one data set. It is calibrated on
validation images with a reference network (the dense one that others are compared with) and kept on
disk, because every later number refers to it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.cache import Cache
from core.datasets.corruptions import CORRUPTIONS, Calibration, calibrate, corrupt, names_for
from core.datasets.probe import Probe
from core.datasets.tokenizing import Tokenizing
from core.library.activations import ProbeChoice, probe_of
from core.library.networks import Model
from core.settings import settings

VERSION = 1
"""Raised when a corruption or the calibration changes what it computes."""
CALIBRATION_PROBE = ProbeChoice(split="validation", n=500)

Severities = Mapping[str, Calibration]
OnProgress = Callable[[float, str], None]
_tables: Cache[Severities] = Cache(16)
_tokenizers: Cache[Tokenizing] = Cache(4)
_images: Cache[Any] = Cache(64)


def severity_table(reference: Model, *, seed: int = 0, on_progress: OnProgress | None = None) -> Severities:
    """Every corruption's calibrated strengths, by name; seconds at first, then read.

    Args:
        reference: the dense network; its data set is the one calibrated.
        seed: of the accidents.
        on_progress: told the share done and the corruption next; may raise `Cancelled`.

    Raises:
        DataUnavailable, InvalidInput: see `probe_of`.
    """
    probe = probe_of(reference, CALIBRATION_PROBE)
    names = names_for(probe.task)
    if not probe.tokenizer:
        names = [n for n in names if not getattr(CORRUPTIONS.get(n), "needs_letters", False)]
    key = _digest(reference.key, probe.fingerprint, str(seed), *names)

    def make() -> Severities:
        path = settings().home / "severities" / f"{key}.json"
        table = _read(path, names) or _calibrated(reference, probe, names, seed, on_progress)
        _write(path, table)
        return table

    return _tables.get(key, make)


def strengths(table: Severities) -> dict[str, tuple[float, ...]]:
    """The part of a table that `corrupt` and `correct_under` take."""
    return {name: found.strengths for name, found in table.items()}


def corrupted(probe: Probe, table: Severities, name: str, severity: int, *, seed: int = 0) -> Probe:
    """The probe's images under one corruption, with the same labels and ids; kept while there is room.

    Raises:
        NotFound, InvalidInput: see `corrupt`.
    """
    levels = table[name].strengths if name in table else None
    key = (probe.fingerprint, name, severity, seed, levels)

    def make() -> Any:
        tokenizer = _tokenizer(probe)
        found = corrupt(
            probe.x, name, severity, ids=probe.ids, seed=seed, strength=levels, tokenizer=tokenizer
        )
        for leaf in found if isinstance(found, tuple) else (found,):
            leaf.flags.writeable = False
        return found

    x = _images.get(key, make)
    fingerprint = probe.fingerprint if severity == 0 else _digest(*map(str, key))
    return replace(probe, x=x, fingerprint=fingerprint)


def _tokenizer(probe: Probe) -> Tokenizing | None:
    """What split the probe's texts; None where it is not known, or they are none."""
    if not probe.tokenizer:
        return None
    return _tokenizers.get(
        hashlib.sha256(probe.tokenizer).hexdigest(), lambda: Tokenizing.read(probe.tokenizer)
    )


def _calibrated(
    reference: Model, probe: Probe, names: Sequence[str], seed: int, on_progress: OnProgress | None
) -> dict[str, Calibration]:
    from core.networks.answers import predictions

    def accuracy_of(x: Any) -> float:
        return float(np.mean(predictions(reference.net, x) == probe.y))

    chance, tokenizer = float(np.bincount(probe.y).max() / len(probe)), _tokenizer(probe)
    table = {}
    for done, name in enumerate(names):
        if on_progress is not None:
            on_progress(done / len(names), f"How strong is {CORRUPTIONS.info(name).label}?")
        table[name] = calibrate(
            accuracy_of, probe.x, probe.ids, name, chance=chance, seed=seed, tokenizer=tokenizer
        )
    return table


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join((f"severities {VERSION}", *parts)).encode()).hexdigest()


def _read(path: Path, names: list[str]) -> dict[str, Calibration] | None:
    """The table of a file; None where it is missing or not whole: then it is made anew."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = [Calibration(**{**row, "strengths": tuple(row["strengths"])}) for row in rows]
        ok = [each.name for each in found] == names and all(
            len(each.strengths) == 5 and all(0 <= float(s) <= 1 for s in each.strengths) for each in found
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return {each.name: each for each in found} if ok else None


def _write(path: Path, table: Severities) -> None:
    """Keep the table; a disk that refuses costs the next session some seconds, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{threading.get_ident()}.part")
        part.write_text(json.dumps([asdict(each) for each in table.values()]), encoding="utf-8")
        part.replace(path)
    except OSError:
        return
