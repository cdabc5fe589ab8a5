"""Runs of equal settings with different seeds, as one thing.

Two runs belong together when their stored requests agree in everything but the seed (and what only names a run:
a title, the command that starts it). Requests are compared as their workflow's `Request` reads them, so a default
that one of them spells out and the other leaves away makes no difference (a workflow's `settled` does the same for
settings of the methods it names). Nothing is read: the runs as a list has them are enough, however many there are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from core.config import JsonObject, JsonValue
from core.errors import CoreError
from core.jobs.kinds import load_workflow
from core.records import Run, RunState

_SEED = ("seed",)
_NAMED = re.compile(r",? \(?seeds? \d+(, \d+)*\)?$")


@dataclass(frozen=True, eq=False)
class SeedGroup:
    """Runs that differ in nothing but their seed.

    Attributes:
        key: of the kind and the settings; the same whenever, and wherever, these are asked for.
        kind: of the workflow.
        settings: the request without the seed and the names.
        runs: one per seed, by seed; of equal seeds the newest that is done, else the newest.
        seeds: of these runs, ascending; a training alone has several.
        again: runs that repeat a seed of `runs`, newest first: the same numbers once more, no further seed.
    """

    key: str
    kind: str
    settings: JsonObject
    runs: tuple[Run, ...]
    seeds: tuple[int, ...]
    again: tuple[Run, ...] = ()

    @property
    def n(self) -> int:
        """How many different seeds."""
        return len(self.seeds)

    @property
    def done(self) -> tuple[Run, ...]:
        """Those of `runs` that are done."""
        return tuple(run for run in self.runs if run.state is RunState.DONE)

    @property
    def title(self) -> str:
        """Title of the runs, without a seed at its end."""
        return _NAMED.sub("", self.runs[0].title)


def seed_groups(runs: Iterable[Run]) -> list[SeedGroup]:
    """Runs by kind and settings, in the order of each group's first run.

    Args:
        runs: newest first, as a list of runs has them; of any kinds.
    """
    found: dict[str, tuple[JsonObject, list[Run]]] = {}
    for run in runs:
        settings = settings_of(run)
        found.setdefault(_key(run.kind, settings), (settings, []))[1].append(run)
    return [_group(key, settings, members) for key, (settings, members) in found.items()]


def settings_of(run: Run) -> JsonObject:
    """What a run was asked for, but for its seed and its names."""
    return _read(run)[0]


def seeds_of(run: Run) -> tuple[int, ...]:
    """The seeds of a run, as its request names them."""
    return _read(run)[1]


def _read(run: Run) -> tuple[JsonObject, tuple[int, ...]]:
    settings, seeds = _settings(run.kind, json.dumps(dict(run.params), sort_keys=True))
    return settings, seeds or (run.seed,)


@lru_cache(4096)
def _settings(kind: str, text: str) -> tuple[JsonObject, tuple[int, ...]]:
    """Kept, for a list of runs is drawn at every rerun; nobody writes into it."""
    params = json.loads(text)
    apart: Sequence[str] = _SEED
    try:
        workflow = load_workflow(kind)
        apart = getattr(workflow, "APART", _SEED)
        asked = workflow.Request.model_validate(params)
        params = asked.model_dump(mode="json")
        if spelled_out := getattr(workflow, "settled", None):
            params = spelled_out(asked).model_dump(mode="json")
    except (CoreError, ValidationError):
        # A request of an earlier release, or of a workflow that is no longer here: as it was stored.
        pass
    dropped = {name: _drop(params, name.split(".")) for name in apart}
    first, count = dropped[apart[0]], dropped.get("seeds")
    if not isinstance(first, int):
        return params, ()
    return params, tuple(range(first, first + count)) if isinstance(count, int) else (first,)


def _drop(params: Any, path: Sequence[str]) -> Any:
    """Take a value out; returns it, None where there is none."""
    for name in path[:-1]:
        params = params.get(name) if isinstance(params, dict) else None
    return params.pop(path[-1], None) if isinstance(params, dict) else None


def _key(kind: str, settings: JsonObject) -> str:
    text = json.dumps([kind, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _group(key: str, settings: JsonObject, members: Sequence[Run]) -> SeedGroup:
    best: dict[tuple[int, ...], Run] = {}
    for run in members:
        kept = best.get(seeds_of(run))
        if kept is None or (run.state is RunState.DONE and kept.state is not RunState.DONE):
            best[seeds_of(run)] = run
    runs = tuple(best[seeds] for seeds in sorted(best))
    ids = {run.run_id for run in runs}
    again = tuple(run for run in members if run.run_id not in ids)
    every = tuple(sorted({seed for seeds in best for seed in seeds}))
    return SeedGroup(key, members[0].kind, settings, runs, every, again)


def differing(groups: Sequence[SeedGroup]) -> list[JsonObject]:
    """For each group of one kind the settings in which not all of them agree, as dotted names."""
    flat = [_flat(group.settings) for group in groups]
    names = list(dict.fromkeys(name for each in flat for name in each))
    told = [name for name in names if len({json.dumps(each.get(name)) for each in flat}) > 1]
    return [{name: each[name] for name in told if name in each} for each in flat]


def _flat(settings: JsonObject, prefix: str = "") -> JsonObject:
    found: dict[str, JsonValue] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
