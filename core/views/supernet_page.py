"""What the page of one supernet says: its space, where it came from, what was measured of it, what deleting it takes along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from core.errors import CoreError, InvalidInput
from core.library import gathered, shipped
from core.library.loading import LOADED
from core.library.supernets import SupernetEntry
from core.records import Run, RunState
from core.spaces import Choice, SearchSpace
from core.supernets.cards import Card
from core.supernets.loaders.understood import FixedPart
from core.supernets.parts import IN_PARTS, Parts, SplitConfig
from core.words import count_of, format_count

if TYPE_CHECKING:
    from core.store import RunStore

_MOST_OPTIONS = 9
_LISTED = 14
"""Choices up to which each has a row of its own."""
_KINDS = {
    "search_front": "search",
    "measure_sample": "sample",
    "evaluate_table": "complete table",
    "measure_latency": "latency profile",
    "add_profile": "latency profile",
    "train_alone": "training alone",
    "tune_subnet": "tuning of a subnet",
    "map_models": "map",
    "judge_predictors": "check of predictors",
    "score_proxies": "proxy scores",
    "check_ranking": "ranking check",
}


def choice_rows(space: SearchSpace) -> list[dict[str, str]]:
    """The choices as a table; of many those with the same meaning, options and condition stand in one row."""
    groups: dict[tuple[Any, ...], list[Choice]] = {}
    alone = len(space) <= _LISTED
    for choice in space.choices:
        parent = choice.requires[0] if choice.requires else ""
        key = (choice.name,) if alone else (choice.kind, choice.unit, choice.options, parent)
        groups.setdefault(key, []).append(choice)
    rows = [_choice_row(space, group) for group in groups.values()]
    # A column that says nothing is left out: of older files the kinds are not known.
    idle = {
        name for name, same in (("how many", "1"), ("what", "")) if all(row[name] == same for row in rows)
    }
    return [{name: text for name, text in row.items() if name not in idle} for row in rows]


def part_rows(entry: SupernetEntry) -> list[dict[str, str]]:
    """The parts of a supernet in parts as a table, each with weights of its own; no rows where it is whole."""
    try:
        config = entry.header["config"] if entry.family == IN_PARTS else {}
        splits = [SplitConfig.model_validate(split) for split in config.get("splits") or []]  # type: ignore[union-attr]
        parts = Parts(entry.space, splits)
    except (InvalidInput, ValidationError, TypeError):
        return []
    if len(parts) == 1:
        return []
    options = {choice.name: choice.options for choice in entry.space.choices}
    return [
        {
            "part": str(number),
            "has": "; ".join(
                f"{name}: {' or '.join(str(options[name][at]) for at in kept)}" for name, kept in own.items()
            ),
            "subnets": format_count(parts.space(entry.space, number - 1).size),
        }
        for number, own in enumerate(parts.options, 1)
    ]


def _choice_row(space: SearchSpace, group: Sequence[Choice]) -> dict[str, str]:
    first, last = group[0], group[-1]
    return {
        "choice": first.name if len(group) == 1 else f"{first.name} to {last.name}",
        "how many": format_count(len(group)),
        "what": first.kind,
        "options": _options(first),
        "matters": _condition(space, group),
    }


def _options(choice: Choice) -> str:
    """All options, or of many that stand in order the first and the last."""
    options = choice.options
    if choice.ordinal and len(options) > _MOST_OPTIONS:
        return f"{options[0]} to {options[-1]} {choice.unit}, {len(options)} options".replace(" ,", ",")
    return f"{', '.join(map(str, options))} {choice.unit}".strip()


def _condition(space: SearchSpace, group: Sequence[Choice]) -> str:
    needs = group[0].requires
    if needs is None:
        return "always"
    if any(choice.requires != needs for choice in group):
        return f"depending on {needs[0]}"
    options = space.choices[space.position[needs[0]]].options
    return f"where {needs[0]} is {' or '.join(str(options[at]) for at in needs[1])}"


@dataclass(frozen=True)
class CameFrom:
    """Where a supernet came from.

    Attributes:
        sentence: in a sentence.
        facts: what is known besides: what, value.
        told: what its loader understood, a sentence each.
        fixed: what every subnet has as it is, and why.
        run: that trained it; None for others.
    """

    sentence: str
    facts: tuple[tuple[str, str], ...] = ()
    told: tuple[str, ...] = ()
    fixed: tuple[FixedPart, ...] = ()
    run: Run | None = None


def came_from(store: RunStore | None, entry: SupernetEntry) -> CameFrom:
    """Where a supernet came from; a row that cannot be read says so."""
    try:
        if entry.origin == "trained" and store is not None:
            run = store.get_run(entry.supernet_id)
            return CameFrom(_trained(entry.card), (("Seed", str(run.seed)),), run=run)
        if entry.origin == "uploaded" and store is not None:
            card = store.get_supernet(entry.supernet_id).card
            loaded = card.get(LOADED)
            return _loaded(loaded if isinstance(loaded, dict) else {})
    except CoreError as error:
        return CameFrom(str(error))
    if entry.origin != "shipped":
        return CameFrom("It lies in a file.")
    other = shipped.told(entry.supernet_id, {} if store is None else store.editions)
    return CameFrom(" ".join(["It comes with Paretoscope.", *other]))


def _trained(card: Card) -> str:
    """That it was trained here, from what, and whether it was stopped early."""
    said, start, stop = "It was trained here", card.tuned_from, card.stopped
    if start is not None:
        before = f", which had {count_of(start.epochs, 'epoch')}" if start.epochs else ""
        said += f", from the weights of {start.title or 'another supernet'}{before}"
    if stop is not None:
        said += f"; it was stopped after epoch {format_count(stop.epoch)} of {format_count(stop.of)}"
    return f"{said}."


def _loaded(loaded: dict[str, Any]) -> CameFrom:
    label = str(loaded.get("label") or "")
    fixed = loaded.get("fixed") or []
    facts = (("SHA-256 of that file", str(loaded["sha256"])),) if loaded.get("sha256") else ()
    return CameFrom(
        f"It was loaded from a file ({label})." if label else "It was loaded from a file.",
        facts,
        tuple(str(fact) for fact in loaded.get("facts") or []),
        tuple(FixedPart.model_validate(each) for each in fixed),
    )


@dataclass(frozen=True)
class MeasuredRow:
    """Something that was measured of a supernet.

    Attributes:
        run: that did.
        what: "search", "sample", "complete table", ...
        told: how much it found.
    """

    run: Run
    what: str
    told: str


def measured_rows(store: RunStore | None, entry: SupernetEntry) -> list[MeasuredRow]:
    """What was measured of a supernet, newest first."""
    if store is None:
        return []
    made = store.titles.measured(gathered.MEASURING)
    rows = []
    for run in store.list_runs(where={"supernet": entry.supernet_id}):
        what = _KINDS.get(run.kind)
        if what is None:
            continue
        n = made.get(run.run_id, 0)
        ended = run.message if run.state is RunState.DONE else run.state.value
        told = count_of(n, "subnet") if n else ended
        rows.append(MeasuredRow(run, what, told))
    return rows


def lost_with(store: RunStore | None, entry: SupernetEntry) -> str:
    """What cannot be used any more once a supernet is deleted, in a sentence or two."""
    kinds: dict[str, int] = {}
    for row in measured_rows(store, entry):
        kinds[row.what] = kinds.get(row.what, 0) + 1
    if not kinds:
        return "Its weights are deleted. Nothing was measured of it yet."
    named = ", ".join(f"{n} {_several(what, n)}" for what, n in kinds.items())
    return (
        f"Its weights are deleted, and what was measured of it ({named}) stays on the Runs page but cannot be opened "
        "without it."
    )


def _several(what: str, n: int) -> str:
    if n == 1:
        return what
    return {
        "search": "searches",
        "training alone": "trainings alone",
        "tuning of a subnet": "tunings of subnets",
    }.get(what, f"{what}s")
