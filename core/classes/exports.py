"""What a teacher takes home: a table for a spreadsheet, and everything as JSON with which all of it can be run again."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import JsonValue

from core import __version__
from core.classes.board import asked_of, names
from core.classes.contest import HIDDEN
from core.errors import CoreError
from core.lessons.base import SUPERNET
from core.lessons.taken import decode
from core.library import supernets
from core.library.csv_tables import csv_bytes
from core.store.class_rows import Deal, Entry, Room, Student, Taking

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.sandboxes import Sandboxes

_RUN = re.compile(r"\b[0-9a-f]{32}\b")
_COLUMNS = ("student", "lesson", "step", "prediction", "answers", "right", "evidence")


def class_csv(store: RunStore, code: str) -> bytes:
    """A row per student and lesson: how far, what was predicted and answered. No cell is a formula.

    Raises:
        NotFound: there is no such class.
    """
    room, students, takings = _rows(store, code)
    shown = names(room, students)
    last = {(t.student_id, t.lesson): t for t in takings}
    rows = [_row(shown, taking) for taking in last.values()]
    rows.sort(key=lambda row: (row["student"], row["lesson"]))
    if rows:
        return csv_bytes(rows)
    return (",".join(_COLUMNS) + "\n").encode()


def _row(shown: Mapping[str, str], taking: Taking) -> dict[str, str]:
    taken, question = decode(taking.taken), asked_of(taking.lesson)
    predicted = taken.prediction
    if predicted is not None and question is not None and question.ask.read(_json(predicted)) is not None:
        said = question.ask.words(predicted)
    else:
        said = "" if predicted is None else json.dumps(predicted)
    values = (
        shown[taking.student_id],
        taking.lesson,
        taken.step,
        said,
        json.dumps(taken.answers) if taken.answers else "",
        "yes" if taken.right else "no" if taken.answers else "",
        taking.evidence or "as shipped",
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _json(answer: object) -> JsonValue:
    found: JsonValue = json.loads(json.dumps(answer))
    return found


def class_json(store: RunStore, code: str, *, made: str, sandboxes: Sandboxes | None = None) -> bytes:
    """Everything of a class but secrets: seeds, runs, versions, every step of everybody.

    Args:
        store: of the classes.
        code: of the class.
        made: date and time, as text.
        sandboxes: where the students' runs are; what these were asked for is left out without.

    Raises:
        NotFound: there is no such class.
    """
    room, students, takings = _rows(store, code)
    shown = names(room, students)
    supernet = supernets.find(None, SUPERNET)
    content = {
        "class": room.code,
        "made": made,
        "seed": room.seed,
        "versions": {"paretoscope": __version__}
        | {p: importlib.metadata.version(p) for p in ("numpy", "torch")},
        "supernet": {"name": SUPERNET, "sha256": supernet.sha256, "command": supernet.card.command},
        "rules": room.rules.model_dump(mode="json", exclude={"contests"}),
        "students": sorted(shown[each.student_id] for each in students),
        "steps": [
            {
                "order": t.ordinal,
                "student": shown[t.student_id],
                "lesson": t.lesson,
                "evidence": t.evidence or "as shipped",
                "begun_again": t.reset,
                "taken": json.loads(t.taken),
            }
            for t in takings
        ],
        "runs": _runs(sandboxes, takings, shown) if sandboxes else [],
        "shared_experiment": [_deal(each, shown) for each in store.class_work.deals(room.code)],
        "contests": [
            {
                "number": each.number,
                "budget_macs": each.budget,
                "hidden_images": HIDDEN,
                "seed_of_hidden_images": None if each.open else each.seed,
                "entries": [
                    _entry(e, shown)
                    for e in store.class_work.entries(room.code)
                    if e.contest == each.number and e.student_id in shown
                ],
            }
            for each in room.rules.contests
        ],
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode(errors="replace")


def _runs(
    sandboxes: Sandboxes, takings: Sequence[Taking], shown: Mapping[str, str]
) -> list[dict[str, JsonValue]]:
    """What the runs that lessons were opened on were asked for; those that are gone are left out."""
    named = dict.fromkeys((t.student_id, run) for t in takings for run in _RUN.findall(t.evidence))
    found: list[dict[str, JsonValue]] = []
    for student_id, run_id in named:
        with suppress(CoreError):
            sandbox = sandboxes.find(student_id)
            run = sandbox.get_run(run_id) if sandbox else None
            if run is not None:
                asked: dict[str, JsonValue] = {
                    "workflow": run.kind,
                    "seed": run.seed,
                    "request": dict(run.params),
                }
                found.append({"run": run_id, "student": shown[student_id], **asked})
    return found


def _deal(deal: Deal, shown: Mapping[str, str]) -> dict[str, JsonValue]:
    return {
        "number": deal.number,
        "student": shown.get(deal.student_id, "removed"),
        "arch_id": deal.arch_id,
        "seed": deal.seed,
        "run": deal.run_id,
        "test_accuracy": deal.test_accuracy,
        "command": f"python -m core train-alone {SUPERNET} --arch {deal.arch_id} --seeds 1 --seed {deal.seed}",
    }


def _entry(entry: Entry, shown: Mapping[str, str]) -> dict[str, JsonValue]:
    return {
        "student": shown[entry.student_id],
        "try": entry.attempt,
        "supernet": entry.supernet,
        "arch_id": entry.arch_id,
        "macs": entry.macs,
        "correct": entry.correct,
        "of": entry.of,
    }


def _rows(store: RunStore, code: str) -> tuple[Room, Sequence[Student], Sequence[Taking]]:
    """Without those who were removed."""
    room = store.classes.get(code)
    students = [each for each in store.classes.students(room.code) if not each.removed]
    there = {each.student_id for each in students}
    takings = [each for each in store.classes.takings(room.code) if each.student_id in there]
    return room, students, takings
