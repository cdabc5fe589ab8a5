"""Thirty students and their teacher in one lesson on one server, without and with the students' trainings.

    python benchmarks/class_load.py [--students 30] [--only with|without] [--own-seed LESSON] [--rate 4]

The visitors speak Streamlit's protocol (benchmarks/protocol.py) and go through 45 minutes of a class in some: they join
with nicknames, predict in lesson 2 and lock, wait for the teacher's reveal, answer; each trains a network for the shared
experiment (and computes a lesson with a seed of the own, if asked for), which waits and runs while all go on reading;
each enters the contest. Their pages poll every five seconds meanwhile, and clicks come at `--rate` a second, so that the
server has about ten reruns a second to do.

Printed are p50 and p95 of a rerun in milliseconds while trainings run and beside the same load without any, the processor
time of the server's process per rerun, how long the trainings took, and whether the board is what the database says and
nobody received an id of another's. Goal on two cores: p95 under 500 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.load import packed, settle
from benchmarks.protocol import Visitor, processor_ms
from core.classes import contest as contests
from core.classes.board import board_of
from core.lessons.base import SUPERNET
from core.lessons.taken import decode
from core.library import supernets
from core.records import RunState
from core.store import RunStore
from core.store.sandboxes import Sandboxes
from tests.e2e.browser import running_server

PREDICTED = "dominance"
BUDGET = contests.DEFAULT_BUDGET
_READING = ("dominance", "search_space", "slices", "hypervolume")
_WORKING_SECONDS = 60.0


class Pace:
    """Clicks of all students together, so many a second."""

    def __init__(self, rate: float) -> None:
        self.gap, self._next = 1.0 / rate, 0.0

    async def turn(self) -> None:
        now = time.monotonic()
        self._next = max(self._next + self.gap * random.uniform(0.5, 1.5), now)
        await asyncio.sleep(self._next - now)


@dataclass
class Lesson:
    """A class as it is played: where it is, who is in it, what it was told to do.

    Attributes:
        address: of the server.
        pace: of all clicks.
        own_seed: lesson to compute with an own seed, "" for none.
        code, secret: of the class.
    """

    address: str
    pace: Pace
    own_seed: str = ""
    code: str = ""
    secret: str = ""
    students: list[Student] = field(default_factory=list)
    teacher: Visitor | None = None

    async def begin(self) -> None:
        """The teacher makes the class."""
        self.teacher = Visitor(self.address)
        await self.teacher.open("classroom")
        await self.teacher.press("class-new")
        found = parse_qs(self.teacher.query)
        self.code, self.secret = found["class"][0], found["teacher"][0]

    async def lead(self, show: str, press: str = "", lesson: str = PREDICTED) -> None:
        """The teacher shows a part of the class and presses a button there."""
        assert self.teacher is not None
        await self.teacher.close()
        self.teacher = Visitor(self.address)
        await self.teacher.open(
            "classroom", f"class={self.code}&teacher={self.secret}&show={show}&lesson={lesson}"
        )
        if press:
            await self.teacher.press(press)

    async def come_back(self, address: str) -> None:
        """Everybody opens the class again, with the cookies they have: the server is another one."""
        self.address = address
        await self.lead("board")
        for student in self.students:
            await student.come_back()

    async def close(self) -> None:
        for visitor in (self.teacher, *(student.visitor for student in self.students)):
            if visitor is not None:
                await visitor.close()


class Student:
    """A student: what one does, and what one was told is kept."""

    def __init__(self, lesson: Lesson, number: int) -> None:
        self.lesson, self.number = lesson, number
        self.rng = random.Random(number)
        self.name = f"Student {number:02d}"
        self.visitor = Visitor(lesson.address)
        self.predicted: list[str] = []
        self.entered: list[str] = []
        self.refused: list[str] = []
        self.seen: set[bytes] = set()

    async def join(self) -> None:
        await self.visitor.open("classroom", f"class={self.lesson.code}")
        await self.lesson.pace.turn()
        await self.visitor.press("class-enter", class__nickname=self.name)
        assert self.visitor.cookie, f"{self.name} is not in the class: {self.visitor.texts}"
        self.visitor.start_polling()

    async def come_back(self) -> None:
        self.seen |= self.visitor.ids
        cookie, took = self.visitor.cookie, self.visitor.took
        await self.visitor.close()
        self.visitor = Visitor(self.lesson.address, cookie)
        self.visitor.took = took
        await self.visitor.open("classroom", f"class={self.lesson.code}&show=experiment")
        assert "class-nickname" not in self.visitor.widgets, f"{self.name} is no longer known"
        self.visitor.start_polling()

    async def predict(self) -> None:
        await self.lesson.pace.turn()
        await self.visitor.go("learn", f"lesson={PREDICTED}&step=predict")
        options = list(self.visitor.widgets["ls-predict"][1].options)
        for n in (2, 4):
            await self.lesson.pace.turn()
            self.predicted = self.rng.sample(options, n)
            await self.visitor.enter("ls-predict", self.predicted)
        await self.lesson.pace.turn()
        await self.visitor.press("lesson-predict")

    async def compare(self) -> None:
        """After the teacher's reveal, which comes by itself: look, and answer the question wrongly, then otherwise."""
        await self.visitor.until(lambda: "step=result" in self.visitor.query)
        await self.lesson.pace.turn()
        await self.visitor.go("learn", f"lesson={PREDICTED}&step=question")
        assert "ls-answer" in self.visitor.widgets, (self.visitor.query, self.visitor.texts)
        for guess in (self.rng.randint(50, 500), self.rng.randint(5, 40)):
            await self.lesson.pace.turn()
            await self.visitor.enter("ls-answer", guess)
            await self.visitor.press("lesson-check")

    async def read(self) -> None:
        """One look at a lesson: a page of text, and the next."""
        await self.lesson.pace.turn()
        await self.visitor.go("learn", f"lesson={self.rng.choice(_READING)}&step=1")
        await self.lesson.pace.turn()
        await self.visitor.press("lesson-next")

    async def train(self) -> None:
        """Start what runs in the background."""
        await self.lesson.pace.turn()
        await self.visitor.go("classroom", f"class={self.lesson.code}&show=experiment")
        await self.lesson.pace.turn()
        await self.visitor.press("class-train")
        if self.lesson.own_seed:
            await self.lesson.pace.turn()
            await self.visitor.go("learn", f"lesson={self.lesson.own_seed}&step=1")
            await self.visitor.press("lesson-compute", ls__own__seed=1000 + self.number)

    async def enter(self, arch_ids: list[str]) -> None:
        for arch_id in arch_ids:
            await self.lesson.pace.turn()
            await self.visitor.go("classroom", f"class={self.lesson.code}&show=contest")
            await self.lesson.pace.turn()
            await self.visitor.press("class-enter-it", class__entry=arch_id)
            # What the page does not confirm was not promised; why not is worth knowing.
            if any(f"{arch_id} gets" in text for text in self.visitor.texts):
                self.entered.append(arch_id)
            else:
                self.refused.append(f"{arch_id}: {self.visitor.texts}")


@dataclass
class Load:
    """Reruns of a stretch of time: milliseconds of each by kind, and what they cost the server."""

    took: dict[str, list[float]]
    processor: float
    seconds: float

    def say(self, what: str) -> str:
        every = [ms for each in self.took.values() for ms in each]
        p50, p95, p99 = np.percentile(every, [50, 95, 99])
        kinds = ", ".join(f"{kind} {np.percentile(each, 95):.0f}" for kind, each in self.took.items() if each)
        return (
            f"{what}: {len(every)} reruns in {self.seconds:.0f} s ({len(every) / self.seconds:.1f}/s), p50 {p50:.0f} ms, "
            f"p95 {p95:.0f} ms, p99 {p99:.0f} ms (p95 by kind: {kinds}); {self.processor / len(every):.1f} ms of the "
            f"server's processor time each; load average {os.getloadavg()[0]:.1f}"
        )


class Watch:
    """Measures from here to `stop`."""

    def __init__(self, lesson: Lesson, pid: int) -> None:
        self.lesson, self.pid = lesson, pid
        self.began, self.used = time.monotonic(), processor_ms(pid)
        self.before = [{k: len(v) for k, v in s.visitor.took.items()} for s in lesson.students]

    def stop(self) -> Load:
        took: dict[str, list[float]] = {}
        for student, before in zip(self.lesson.students, self.before, strict=True):
            for kind, each in student.visitor.took.items():
                took.setdefault(kind, []).extend(each[before[kind] :])
        return Load(took, processor_ms(self.pid) - self.used, time.monotonic() - self.began)


def runs_of(home: Path, code: str) -> list[RunState]:
    """States of all runs in the sandboxes of a class."""
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        sandboxes = Sandboxes(home)
        found = [
            run.state
            for student in store.classes.students(code)
            if (own := sandboxes.find(student.student_id)) is not None
            for run in own.list_runs()
        ]
        sandboxes.close()
        return found


def complaints(home: Path, lesson: Lesson) -> list[str]:
    """What is wrong: with the board, with what was promised, with what one saw of another. Empty if all is well."""
    found: list[str] = []
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        students = store.classes.students(lesson.code)
        if Counter(s.nickname for s in students) != Counter(s.name for s in lesson.students):
            found.append("not everybody who joined is in the class")
        found += _board(store, lesson)
        found += _contest(store, lesson)
        found += _others(home, store, lesson)
        found += store.check()
    for student in lesson.students:
        found += [f"{student.name} saw an error: {each}" for each in student.visitor.errors]
        found += [f"{student.name} could not enter {each}" for each in student.refused]
    return found


def _board(store: RunStore, lesson: Lesson) -> list[str]:
    """The board beside the rows: what counts is each student's first prediction, made before the reveal."""
    first: dict[str, object] = {}
    rules = store.classes.get(lesson.code).rules
    limit = rules.revealed.get(PREDICTED, sys.maxsize)
    for row in store.classes.takings(lesson.code):
        prediction = decode(row.taken).prediction
        if row.lesson == PREDICTED and prediction is not None and row.ordinal <= limit:
            first.setdefault(row.student_id, prediction)
    found = []
    done = sum(bool(student.predicted) for student in lesson.students)
    if len(first) != done:
        found.append(f"{done} locked a prediction, {len(first)} are kept")
    [board] = [each for each in board_of(store, lesson.code).lessons if each.name == PREDICTED]
    if board.predicted != len(first):
        found.append(f"the board counts {board.predicted} predictions, the rows {len(first)}")
    assert lesson.teacher is not None
    shown = f"**{len(first)} of {len(lesson.students)}** have predicted"
    if not any(shown in text for text in lesson.teacher.texts):
        found.append(f"the teacher does not see {shown!r}, but {lesson.teacher.texts}")
    return found


def _contest(store: RunStore, lesson: Lesson) -> list[str]:
    entries = store.class_work.entries(lesson.code)
    kept = Counter(each.arch_id for each in entries)
    made = Counter(arch_id for student in lesson.students for arch_id in student.entered)
    found = [] if kept == made else [f"{made.total()} entries were made, {kept.total()} are kept"]
    best: dict[str, tuple[int, int]] = {}
    for each in entries:
        if each.correct is None:
            found.append("an entry was not judged")
            continue
        key = (-each.correct, each.macs)
        best[each.student_id] = min(best.get(each.student_id, key), key)
    ranked = [(-p.best.correct, p.best.macs) for p in contests.leaderboard(entries, 1) if p.best.correct]
    if entries and ranked != sorted(best.values()):
        found.append("the leaderboard is not what the entries say")
    return found


def _others(home: Path, store: RunStore, lesson: Lesson) -> list[str]:
    """Ids of runs and sandboxes that somebody received and that are another's."""
    owners: dict[bytes, str] = {}
    sandboxes = Sandboxes(home)
    for student in store.classes.students(lesson.code):
        owners[student.student_id.encode()] = student.nickname
        own = sandboxes.find(student.student_id)
        if own is not None:
            owners |= {run.run_id.encode(): student.nickname for run in own.list_runs()}
            for sentence in own.check():
                return [f"{student.nickname}: {sentence}"]
    sandboxes.close()
    return [
        f"{student.name} received an id of {owners[each]}"
        for student in lesson.students
        for each in (student.seen | student.visitor.ids) & owners.keys()
        if owners[each] != student.name
    ]


def candidates(rng: random.Random, n: int) -> list[str]:
    """Subnets that fit into the contest's budget."""
    entry = supernets.find(None, SUPERNET)
    table = supernets.table_with_counts(entry)
    assert table is not None
    fitting = table.loc[table["macs"] <= BUDGET, "arch_id"].tolist()
    return rng.sample(fitting, n)


async def work(lesson: Lesson, home: Path, *, jobs: bool, patience: float = 1800.0) -> float:
    """Everybody reads until all that was started is done, at least a minute; seconds it took."""
    began, ended = time.monotonic(), 0.0

    async def reads(student: Student) -> None:
        while not ended:
            await student.read()

    readers = [asyncio.create_task(reads(student)) for student in lesson.students]
    try:
        while True:
            await asyncio.sleep(3.0)  # thirty databases are looked at
            states = await asyncio.to_thread(runs_of, home, lesson.code) if jobs else []
            seconds = time.monotonic() - began
            if all(state.is_final for state in states) and seconds > (0.0 if jobs else _WORKING_SECONDS):
                return seconds
            if seconds > patience:
                raise TimeoutError(f"after {seconds:.0f} s: {Counter(states)}")
    finally:
        ended = 1.0
        await asyncio.gather(*readers, return_exceptions=True)


async def play(
    address: str, home: Path, students: int, *, jobs: bool, rate: float, own_seed: str
) -> list[str]:
    """The whole lesson; prints what it costs and returns what went wrong."""
    pid = int((home / "server.pid").read_text())
    lesson = Lesson(address, Pace(1000.0), own_seed)
    await lesson.begin()
    await settle(pid)
    lesson.students = [Student(lesson, number) for number in range(students)]
    began = time.monotonic()
    await asyncio.gather(*(student.join() for student in lesson.students))
    print(f"  {students} joined at once in {time.monotonic() - began:.1f} s")
    lesson.pace = Pace(rate)
    watch = Watch(lesson, pid)
    await asyncio.gather(*(student.predict() for student in lesson.students))
    print(watch.stop().say("  predicting"))
    await lesson.lead("board", "class-reveal")
    watch = Watch(lesson, pid)
    await asyncio.gather(*(student.compare() for student in lesson.students))
    print(watch.stop().say("  comparing and answering"))
    await lesson.lead("experiment", "class-experiment")
    watch, began = Watch(lesson, pid), time.monotonic()
    if jobs:
        await asyncio.gather(*(student.train() for student in lesson.students))
    seconds = await work(lesson, home, jobs=jobs)
    print(watch.stop().say(f"  reading, {'beside trainings' if jobs else 'no trainings'}"))
    if jobs:
        done = Counter(runs_of(home, lesson.code))
        print(
            f"  trainings: {dict(done)} after {time.monotonic() - began:.0f} s, the last {seconds:.0f} s of it reading"
        )
    await lesson.lead("contest", "class-contest")
    watch = Watch(lesson, pid)
    await asyncio.gather(*(s.enter(candidates(s.rng, 2)) for s in lesson.students))
    print(watch.stop().say("  contest"))
    await lesson.lead("board")
    wrong = complaints(home, lesson)
    if jobs and (states := runs_of(home, lesson.code)) != [RunState.DONE] * len(states):
        wrong.append(f"not all trainings finished: {Counter(states)}")
    await lesson.close()
    if wrong:
        print((home / "server.log").read_text()[-6000:])
    return wrong


def main() -> None:
    """Play the class without and with jobs, each on a fresh server; exit status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--rate", type=float, default=4.0)
    parser.add_argument("--own-seed", default="")
    parser.add_argument("--only", choices=["with", "without"])
    options = parser.parse_args()
    wrong: list[str] = []
    for jobs in ("without", "with"):
        if options.only in (None, jobs):
            print(f"{jobs} trainings:", flush=True)
            with (
                tempfile.TemporaryDirectory() as folder,
                packed(Path(folder)),
                running_server(Path(folder)) as address,
            ):
                wrong += asyncio.run(
                    play(
                        address,
                        Path(folder),
                        options.students,
                        jobs=jobs == "with",
                        rate=options.rate,
                        own_seed=options.own_seed,
                    )
                )
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print("Nothing went wrong." if not wrong else f"{len(wrong)} things went wrong.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
