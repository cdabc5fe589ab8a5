"""What the Learn page shows, as its address states it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from core.lessons.base import LESSONS
from core.lessons.taken import Taken, decode
from pages.ui.address import FLAGS, NAME, matching, one_of, part, whole_number, write_flag

STEPS = ("predict", "result", "question", "further")
"""What follows the pages of text, which are called by their numbers."""
PARTS = {
    "text": "Pages of text",
    "seed": "A seed of your own",
    "further": "Links to other pages",
    "sources": "Sources",
}
"""What a teacher may hide beside a lesson's own controls."""
MOST_SEED = 2**32 - 1
_LONGEST_VALUE = 3000
_MOST_CONTROLS = 20
_HIDABLE = re.compile(r"[a-z0-9_]{1,40}")

Json = JsonValue


def _read_json(text: str) -> Json | None:
    if len(text) > _LONGEST_VALUE:
        return None
    try:
        found: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def _read_controls(text: str) -> str | None:
    found = _read_json(text)
    return text if isinstance(found, dict) and len(found) <= _MOST_CONTROLS else None


def _read_answer(text: str) -> str | None:
    found = _read_json(text)
    return text if isinstance(found, str | list) or _is_number(found) else None


def _is_number(found: Json) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _read_taken(text: str) -> str | None:
    return text if len(text) <= _LONGEST_VALUE and decode(text) != Taken() else None


def _read_names(text: str) -> tuple[str, ...] | None:
    known = LESSONS.names()
    found = tuple(dict.fromkeys(name for name in text.split(",") if name in known))
    return found or None


def _read_hidden(text: str) -> tuple[str, ...] | None:
    found = tuple(dict.fromkeys(text.split(",")[: 2 * _MOST_CONTROLS]))
    return found if all(_HIDABLE.fullmatch(each) for each in found) else None


def _write_names(names: tuple[str, ...]) -> str:
    return ",".join(names)


@dataclass(frozen=True)
class View:
    """What the page shows.

    Attributes:
        guide: whether the teacher's guide is open.
        lesson: name of the open lesson, "" for the map.
        step: number of a page of text from 1, or one of `STEPS`; "" for the first.
        supernet: whose table a lesson reads, "" for the shipped one.
        run: that computed a lesson's evidence, "" for the shipped one.
        seed: of what a lesson draws.
        controls: where the controls stand, JSON by name; "" for their starts.
        draft: a prediction that is not locked, JSON; "" for none.
        taken: what was done in this lesson, as `Taken.encode` writes it; "" for nothing.
        settled: where the controls stood when the prediction was locked, as `controls`.
        hidden: controls and parts of the page that this link does not show.
        done: lessons that were taken to the end.
    """

    guide: bool = part("guide", FLAGS.get, default=False, write=write_flag)
    lesson: str = part("lesson", one_of(lambda: LESSONS.names()), what="lesson")
    step: str = part("step", matching(rf"[1-9]|{'|'.join(STEPS)}"), what="step")
    supernet: str = part("supernet", NAME, what="supernet")
    run: str = part("run", NAME, what="run")
    seed: int = part("seed", whole_number(0, MOST_SEED), default=0, what="seed")
    controls: str = part("set", _read_controls, what="setting")
    draft: str = part("mine", _read_answer, what="prediction")
    taken: str = part("taken", _read_taken, what="record")
    settled: str = part("at", _read_controls, what="setting")
    hidden: tuple[str, ...] = part(
        "hide", _read_hidden, default=(), write=_write_names, what="hidden control"
    )
    done: tuple[str, ...] = part("done", _read_names, default=(), write=_write_names, what="lesson")

    def checked(self) -> View:
        if not self.lesson:
            return View(guide=self.guide, done=self.done, hidden=self.hidden)
        # What is locked is no draft.
        return replace(self, guide=False, draft="" if self.taken else self.draft)

    def of_run(self) -> str:
        """Which evidence a prediction was made of."""
        return self.run or ":".join(filter(None, (self.supernet, str(self.seed) if self.seed else "")))


def as_json(values: Mapping[str, object]) -> str:
    """Controls as they stand in an address; "" for none."""
    return json.dumps(values, separators=(",", ":"), sort_keys=True) if values else ""


def from_json(text: str) -> dict[str, JsonValue]:
    """Back from `as_json`."""
    found = _read_json(text) if text else {}
    return found if isinstance(found, dict) else {}
