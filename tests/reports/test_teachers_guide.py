"""The teacher's guide names every lesson with its note, and stands alone."""

from __future__ import annotations

import html
import re
from itertools import pairwise

from core.lessons.base import all_lessons
from core.reports import teachers_guide


def test_every_lesson_has_its_note() -> None:
    page = html.unescape(teachers_guide.as_html().decode())
    for each in all_lessons():
        assert each.label in page
        for said in (each.teacher.goal, each.teacher.typical_error):
            assert said[1:] in page, "but for its first letter"
        assert f"{each.teacher.minutes} minutes. Goal" in page


def test_the_minutes_are_forty_five() -> None:
    spans = [re.fullmatch(r"(\d+) to (\d+)", row[0]) for row in teachers_guide._MINUTES]
    ends = [(int(span[1]), int(span[2])) for span in spans if span]
    assert ends[0][0] == 0
    assert ends[-1][1] == 45
    assert all(before[1] == after[0] for before, after in pairwise(ends))


def test_it_loads_nothing_and_says_how_to_start() -> None:
    page = teachers_guide.as_html().decode()
    assert not re.search(r"(?:src|href)=|url\(", page)
    assert "make class" in page
    assert "kB" in page or "MB" in page
