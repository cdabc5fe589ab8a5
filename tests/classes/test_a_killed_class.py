"""A class of thirty at protocol level whose server is killed in the midst of its trainings: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.class_load import Lesson, Pace, Student, candidates, complaints, runs_of, work
from core.records import RunState
from tests.e2e.browser import running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
STUDENTS = 30


async def until_killed(address: str, home: Path) -> Lesson:
    """The first twenty minutes, to where some trainings are done, one runs and the others wait."""
    lesson = Lesson(address, Pace(6.0))
    await lesson.begin()
    lesson.students = [Student(lesson, number) for number in range(STUDENTS)]
    await asyncio.gather(*(student.join() for student in lesson.students))
    await asyncio.gather(*(student.predict() for student in lesson.students))
    await lesson.lead("board", "class-reveal")
    await asyncio.gather(*(student.compare() for student in lesson.students))
    await lesson.lead("experiment", "class-experiment")
    await asyncio.gather(*(student.train() for student in lesson.students))
    while Counter(runs_of(home, lesson.code))[RunState.DONE] < 3:
        await asyncio.sleep(0.5)
    os.kill(int((home / "server.pid").read_text()), signal.SIGKILL)
    return lesson


async def after(lesson: Lesson, address: str, home: Path) -> list[str]:
    """The rest, on a new server of the same home; what went wrong."""
    await lesson.come_back(address)
    await work(lesson, home, jobs=True)
    await lesson.lead("contest", "class-contest")
    await asyncio.gather(*(student.enter(candidates(student.rng, 1)) for student in lesson.students))
    await lesson.lead("board")
    wrong = complaints(home, lesson)
    await lesson.close()
    return wrong


def test_a_class_goes_on_after_its_server_was_killed(tmp_path: Path) -> None:
    with running_server(tmp_path) as address:
        lesson = asyncio.run(until_killed(address, tmp_path))
    before = Counter(runs_of(tmp_path, lesson.code))
    assert before.total() == STUDENTS, "each training that a page acknowledged is kept"
    assert before[RunState.DONE] < STUDENTS
    with running_server(tmp_path) as address:
        wrong = asyncio.run(after(lesson, address, tmp_path))
    assert wrong == []
    assert Counter(runs_of(tmp_path, lesson.code)) == {RunState.DONE: STUDENTS}
