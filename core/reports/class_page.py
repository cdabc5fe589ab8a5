"""A class's board as one HTML page that stands alone: nothing is loaded, no script runs."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.classes.board import Board, LessonBoard, board_of, names
from core.classes.contest import HIDDEN, leaderboard
from core.classes.experiment import Experiment, experiment, said
from core.lessons.base import SUPERNET
from core.lessons.charts import Bars
from core.library import supernets
from core.reports.document import Block, Document, Drawing, Heading, Paragraph, Table
from core.reports.html import html_page
from core.text import display_name
from core.words import format_count, format_share

if TYPE_CHECKING:
    from core.store import RunStore

_ROW, _LEFT, _WIDE, _RIGHT = 26, 220, 420, 60
_TALL = 420


def class_page(store: RunStore, code: str, *, made: str) -> bytes:
    """The board, the shared experiment and the contests of a class.

    Args:
        made: date and time, as text.

    Raises:
        NotFound: there is no such class.
    """
    room, seen = store.classes.get(code), board_of(store, code)
    blocks: list[Block] = [Paragraph(f"Made {made} with Paretoscope. Seed of the class: {room.seed}.")]
    blocks += _lessons(seen)
    blocks += _experiment(store, room.code, room.seed)
    shown = names(room, [each for each in store.classes.students(room.code) if not each.removed])
    for contest in room.rules.contests:
        places = [
            p
            for p in leaderboard(store.class_work.entries(room.code), contest.number)
            if p.best.student_id in shown
        ]
        rows = [
            (
                str(p.rank),
                shown[p.best.student_id],
                format_share(p.best.accuracy or 0.0, 1),
                format_count(p.best.macs),
                str(p.tries),
            )
            for p in places
        ]
        blocks.append(Heading(f"Contest {contest.number}: at most {format_count(contest.budget)} MACs"))
        blocks.append(Paragraph(HIDDEN))
        columns = ("Place", "Student", "Hidden images right", "MACs", "Tries")
        blocks.append(Table("Leaderboard", columns, rows, frozenset({0, 2, 3, 4})))
    blocks += _students(seen)
    lead = f"{len(seen.seats)} students, {len(seen.lessons)} lessons."
    return html_page(Document(f"Class {room.code}", lead, tuple(blocks))).encode(errors="replace")


def _lessons(seen: Board) -> list[Block]:
    blocks: list[Block] = []
    for each in seen.lessons:
        blocks.append(Heading(each.label))
        blocks.append(Paragraph(_counted(each)))
        if each.predicted:
            blocks.append(bars_drawing(each.distribution, title=each.label))
    return blocks


def _counted(each: LessonBoard) -> str:
    parts = [f"{each.predicted} predicted before the reveal"]
    parts += [f"{each.late} after it"] if each.late else []
    parts += [f"{each.right} of {each.answered} answered the question rightly"] if each.answered else []
    told = f" The run it came with shows: {each.truth}." if each.truth and each.revealed else ""
    return f"{', '.join(parts)}.{told}"


def _experiment(store: RunStore, code: str, seed: int) -> list[Block]:
    deals = store.class_work.deals(code)
    if not deals:
        return []
    found = experiment(supernets.find(None, SUPERNET), deals, seed)
    blocks: list[Block] = [
        Heading("Shared experiment: does the supernet rank rightly?"),
        Paragraph(said(found)),
    ]
    return [*blocks, _ranks(found)] if found.arch_ids else blocks


def _ranks(found: Experiment) -> Block:
    rows = [
        (arch_id, format_share(inside, 1), format_share(alone, 1), str(n))
        for arch_id, inside, alone, n in zip(
            found.arch_ids, found.inside, found.alone, found.nets, strict=True
        )
    ]
    rows.sort(key=lambda row: row[0])
    columns = ("Subnet", "In the supernet", "Trained alone, mean", "Networks")
    twin = Table("Test accuracy of the same subnets", columns, rows, frozenset({1, 2, 3}))
    return Drawing(
        _slopes(found), said(found), "Places in the supernet, left, and trained alone, right.", twin
    )


def _slopes(found: Experiment) -> str:
    def place(values: Sequence[float], value: float) -> float:
        above = sum(v > value for v in values) + (sum(v == value for v in values) - 1) / 2
        return 30 + above * (_TALL - 50) / max(1, len(values) - 1)

    lines = []
    for inside, alone in zip(found.inside, found.alone, strict=True):
        left, right = place(found.inside, inside), place(found.alone, alone)
        lines.append(
            f'<line x1="120" x2="480" y1="{left:.1f}" y2="{right:.1f}" stroke="#0072B2" stroke-width="1.5"/>'
        )
    head = (
        '<text x="120" y="14" font-size="13" text-anchor="middle" fill="currentColor">In the supernet</text>'
    )
    head += (
        '<text x="480" y="14" font-size="13" text-anchor="middle" fill="currentColor">Trained alone</text>'
    )
    return f'<svg viewBox="0 0 600 {_TALL}" xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif">{head}{"".join(lines)}</svg>'


def bars_drawing(bars: Bars, *, title: str) -> Drawing:
    """Bars lying down, so that long names can be read."""
    [(label, values)] = bars.series.items()
    largest = max((value for value in values if not math.isnan(value)), default=1.0) or 1.0
    parts = []
    for row, (name, value) in enumerate(zip(bars.names, values, strict=True)):
        if math.isnan(value):
            continue
        y, width = row * _ROW, round(_WIDE * value / largest, 1)
        shown = html.escape(display_name(name, 34))
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 17}" font-size="12" text-anchor="end" fill="currentColor">{shown}</text>'
            f'<rect x="{_LEFT}" y="{y + 4}" width="{width}" height="{_ROW - 8}" fill="#0072B2"/>'
            f'<text x="{_LEFT + width + 6}" y="{y + 17}" font-size="12" fill="currentColor">{value:g}</text>'
        )
    width, height = _LEFT + _WIDE + _RIGHT, max(1, len(bars.names)) * _ROW
    svg = f'<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    rows = [(name, f"{value:g}") for name, value in zip(bars.names, values, strict=True)]
    twin = Table(f"Predictions: {title}", ("Prediction", label), rows, frozenset({1}))
    return Drawing(svg, bars.says, "Predictions of the class.", twin)


def _students(seen: Board) -> list[Block]:
    rows = [(seat.name, str(seat.done), f"{seat.right} of {seat.tried}") for seat in seen.seats]
    columns = ("Student", "Lessons done", "Answers right")
    return [Heading("Students"), Table("How far everybody came", columns, rows, frozenset({1}))]
